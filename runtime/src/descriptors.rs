//! Descriptors: as many as the system allows, and a plan of who may have how many. Half of them are kept for the
//! engine's parts and for files, so that connections can never take the last one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Where nobody limits them, plans end here.
const LIMIT_MAX: u64 = 1 << 20;
/// How many connections the HTTP and the ClickHouse listener may have at most, however many descriptors there are.
const REQUESTS_MAX: usize = 1024;

/// Who may have how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorPlan {
    /// All that this process may open.
    pub limit: usize,
    /// Connections of shippers.
    pub shippers: usize,
    /// Connections of one HTTP listener.
    pub http: usize,
    /// Connections of the ClickHouse listener.
    pub clickhouse: usize,
}

/// Divides a limit. Pure.
#[must_use]
pub fn plan(limit: u64) -> DescriptorPlan {
    let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(usize::MAX);
    let part = |sixteenths: usize| (limit * sixteenths / 16).max(4);
    DescriptorPlan {
        limit,
        shippers: part(5),
        // There are two: TCP and the socket in the data folder.
        http: part(1).min(REQUESTS_MAX),
        clickhouse: part(1).min(REQUESTS_MAX),
    }
}

/// The plan for this process's limit as it is now.
#[must_use]
pub fn current() -> DescriptorPlan {
    plan(getrlimit(Resource::Nofile).current.unwrap_or(LIMIT_MAX))
}

/// Raises this process's limit to what the system allows; gives the limit that holds then.
#[must_use]
pub fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where the kernel does not let us, what there was still holds.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(LIMIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_half_of_the_descriptors_to_engine_and_files() {
        for limit in [64, 256, 1024, 4096, 65_536, 1 << 20, u64::MAX] {
            let plan = plan(limit);
            let connections = plan.shippers + 2 * plan.http + plan.clickhouse;
            assert!(connections <= plan.limit / 2, "{plan:?}");
            assert!(plan.shippers >= plan.limit / 4, "{plan:?}");
        }
    }

    #[test]
    fn the_limit_is_raised_to_what_the_system_allows() {
        let limit = raise();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(limit, current.unwrap_or(LIMIT_MAX));
    }
}
