//! Descriptors: as many as the system allows, and how many of them are for files that are followed.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where nobody limits them, files end here.
const FILES_MAX: u64 = 1 << 20;
/// What is kept for everything that is no followed file: sockets, the plan, folders, what is compared.
const KEPT_MIN: u64 = 48;

/// Raises this process's limit to what the system allows; gives how many files may be followed with open descriptors.
pub fn raise() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where the kernel does not let us, what there was still holds.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    files_max(getrlimit(Resource::Nofile).current.unwrap_or(FILES_MAX))
}

/// How many files may be open under a limit: at least a quarter is left for others.
pub fn files_max(limit: u64) -> usize {
    let kept = (limit / 4).max(KEPT_MIN);
    usize::try_from(limit.saturating_sub(kept).clamp(8, FILES_MAX)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_descriptors_is_no_files() {
        assert_eq!([20, 200, 1024, 20_000].map(files_max), [8, 150, 768, 15_000]);
    }
}
