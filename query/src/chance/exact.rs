//! Tails of the distributions that counts of two sides are compared by.
//!
//! The incomplete beta and gamma functions by their continued fractions and series, the logarithm of the gamma function
//! by Lanczos's approximation (g = 7, n = 9), as in Press et al., Numerical Recipes, chapter 6.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]

const TINY: f64 = 1e-300;
const PRECISION: f64 = 1e-14;
const ROUNDS: usize = 10_000;

/// ln Γ(x) for x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    const LANCZOS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (at, part) in (1..).zip(LANCZOS) {
        sum += part / (x + f64::from(at));
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma(n.saturating_sub(k) as f64 + 1.0)
}

/// P(X ≤ x) and P(X ≥ x) of X ~ Bin(n, theta).
pub fn binomial(x: u64, n: u64, theta: f64) -> (f64, f64) {
    // By the incomplete beta function: P(X ≥ x) = I(theta; x, n − x + 1).
    let at_least = |x: u64| match x {
        0 => 1.0,
        x if x > n => 0.0,
        x => beta(theta, x as f64, (n - x + 1) as f64),
    };
    (1.0 - at_least(x + 1), at_least(x))
}

/// The interval of Clopper and Pearson for theta, each side with half of `alpha`.
pub fn clopper_pearson(x: u64, n: u64, alpha: f64) -> (f64, f64) {
    let solve = |falls: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..200 {
            let middle = (low + high) / 2.0;
            if falls(middle) { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    };
    let low = if x == 0 { 0.0 } else { solve(&|theta| binomial(x, n, theta).1 < alpha / 2.0) };
    let high = if x == n { 1.0 } else { solve(&|theta| binomial(x, n, theta).0 > alpha / 2.0) };
    (low, high)
}

/// P(|T| ≥ t) of Student's distribution.
pub fn student(t: f64, degrees: f64) -> f64 {
    beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)
}

/// The t that Student's |T| exceeds with probability `alpha`.
pub fn student_quantile(alpha: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if student(middle, degrees) > alpha { low = middle } else { high = middle }
    }
    low
}

/// P(X ≥ x) of the chi-squared distribution.
pub fn chi_squared(x: f64, degrees: f64) -> f64 {
    if x <= 0.0 || degrees <= 0.0 {
        return 1.0;
    }
    gamma_above(degrees / 2.0, x / 2.0)
}

/// P(X ≤ x) and P(X ≥ x) of X of `drawn` that fall to the first of two groups with so many in each, the odds of the
/// first being `odds` times those of the second: Fisher's noncentral hypergeometric distribution.
pub fn hypergeometric(x: u64, first: u64, second: u64, drawn: u64, odds: f64) -> (f64, f64) {
    let (least, most) = (drawn.saturating_sub(second), drawn.min(first));
    let weight = |k: u64| ln_choose(first, k) + ln_choose(second, drawn - k) + k as f64 * odds.ln();
    let highest = (least..=most).map(weight).fold(f64::NEG_INFINITY, f64::max);
    let (mut all, mut below, mut above) = (0.0, 0.0, 0.0);
    for k in least..=most {
        let part = (weight(k) - highest).exp();
        all += part;
        if k <= x {
            below += part;
        }
        if k >= x {
            above += part;
        }
    }
    if all > 0.0 { (below / all, above / all) } else { (1.0, 1.0) }
}

/// The regularised incomplete beta function.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let small = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / small(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in (1..ROUNDS).map(|m| m as f64) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / small(1.0 + even * d);
        c = small(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / small(1.0 + odd * d);
        c = small(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

/// The regularised upper incomplete gamma function.
fn gamma_above(a: f64, x: f64) -> f64 {
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut part, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..ROUNDS {
            n += 1.0;
            part *= x / n;
            sum += part;
            if part < sum * PRECISION {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut value = d;
    for i in (1..ROUNDS).map(|i| i as f64) {
        let part = -i * (i - a);
        b += 2.0;
        d = 1.0 / (part * d + b);
        c = b + part / c;
        value *= d * c;
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    (front * value).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9 * expected.abs().max(1e-3), "{found} is not {expected}");
    }

    #[test]
    fn binomial_tails_are_their_sums() {
        for n in [0_u64, 1, 7, 40] {
            for theta in [0.1, 0.5, 0.83] {
                let pmf: Vec<f64> = (0..=n)
                    .map(|k| {
                        let choose = (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
                        choose * f64::powf(theta, k as f64) * f64::powf(1.0 - theta, (n - k) as f64)
                    })
                    .collect();
                for (at, x) in (0..=n).enumerate() {
                    let (below, above) = binomial(x, n, theta);
                    close(below, pmf[..=at].iter().sum());
                    close(above, pmf[at..].iter().sum());
                }
            }
        }
    }

    #[test]
    fn known_values_are_met() {
        // Tables: Clopper–Pearson of 3 in 10, Student 2.228 at 10 degrees, chi-squared 3.841459 at 1 and 18.307038 at 10.
        let (low, high) = clopper_pearson(3, 10, 0.05);
        assert!((low - 0.066_739_5).abs() < 1e-6 && (high - 0.652_452_9).abs() < 1e-6, "{low} {high}");
        assert!((student(2.228_138_9, 10.0) - 0.05).abs() < 1e-7);
        assert!((student_quantile(0.05, 10.0) - 2.228_138_9).abs() < 1e-6);
        assert!((chi_squared(3.841_458_8, 1.0) - 0.05).abs() < 1e-8);
        assert!((chi_squared(18.307_038, 10.0) - 0.05).abs() < 1e-8);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-12);
    }

    #[test]
    fn the_hypergeometric_is_counted_by_hand() {
        // Two of each group, two drawn, equal odds: 1/6, 4/6, 1/6. With odds of 3: 1, 12, 9 of 22.
        let (below, above) = hypergeometric(1, 2, 2, 2, 1.0);
        close(below, 5.0 / 6.0);
        close(above, 5.0 / 6.0);
        let (below, above) = hypergeometric(2, 2, 2, 2, 3.0);
        close(below, 1.0);
        close(above, 9.0 / 22.0);
    }
}
