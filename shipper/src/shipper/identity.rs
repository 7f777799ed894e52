//! Under which identity a shipper goes on.

use std::path::Path;

use lastwords_record::{Host, ShipperId, names::is_machine_id};

use crate::plan;

/// The identity of a host's shipper. A state that was begun under one of version 1 keeps that, with the machine-id that
/// it followed from; a new one gets version 2, for which what is no machine-id counts as none.
pub(crate) fn settle(host: &mut Host, state_dir: &Path) -> ShipperId {
    let old = ShipperId::version_1(&host.name, &host.machine_id);
    if plan::is_of(state_dir, old) {
        return old;
    }
    if !host.machine_id.is_empty() && !is_machine_id(&host.machine_id) {
        tracing::warn!(
            bytes = host.machine_id.len(),
            "/etc/machine-id is not 32 hexadecimal digits; this host is known by its name alone"
        );
        host.machine_id.clear();
    }
    ShipperId::of(&host.name, &host.machine_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    const MACHINE: &str = "0123456789abcdef0123456789abcdef";

    fn host(machine_id: &str) -> Host {
        Host { name: "hv01".to_owned(), machine_id: machine_id.to_owned() }
    }

    #[test]
    fn a_new_state_gets_version_2_and_an_old_one_keeps_its_own() {
        for machine_id in [MACHINE, "", "uninitialized"] {
            let folder = tempfile::tempdir().unwrap();
            let mut found = host(machine_id);
            let new = settle(&mut found, folder.path());
            let valid = if machine_id == MACHINE { MACHINE } else { "" };
            assert_eq!((new, found.machine_id.as_str()), (ShipperId::of("hv01", valid), valid));
            drop(Plan::open(folder.path(), new, 1).unwrap());
            assert_eq!(settle(&mut host(machine_id), folder.path()), new);

            let folder = tempfile::tempdir().unwrap();
            let old = ShipperId::version_1("hv01", machine_id);
            drop(Plan::open(folder.path(), old, 7).unwrap());
            let mut found = host(machine_id);
            assert_eq!((settle(&mut found, folder.path()), found.machine_id.as_str()), (old, machine_id));
            let plan = Plan::open(folder.path(), old, 8).unwrap();
            assert_eq!((plan.memory().epoch, plan.damage()), (7, None));
        }
    }
}
