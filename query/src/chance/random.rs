//! A small generator, so that the figures of a question stay the same across releases of libraries.

/// xoshiro256** (Blackman and Vigna), seeded by SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        let mut mixed = seed;
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        Random { state }
    }

    pub(super) fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let (c1, d1) = (c ^ a, d ^ b);
        self.state = [a ^ d1, b ^ c1, c1 ^ (b << 17), d1.rotate_left(45)];
        b.wrapping_mul(5).rotate_left(7).wrapping_mul(9)
    }

    /// A number below `bound`, which must not be 0. The bias of the multiplication is below 2⁻³² for
    /// the bounds here, far under what 9,999 draws could show.
    #[allow(clippy::cast_possible_truncation, reason = "the product shifted by 64 bits is below `bound`")]
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Uniform in (0, 1).
    #[allow(clippy::cast_precision_loss, reason = "53 bits are exact")]
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A standard normal deviate (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Moves a random choice of `count` entries to the front, in random order.
    pub(super) fn choose<T>(&mut self, entries: &mut [T], count: usize) {
        for i in 0..count.min(entries.len()) {
            let other = i + self.below(entries.len() - i);
            entries.swap(i, other);
        }
    }
}
