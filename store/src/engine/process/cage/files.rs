//! Landlock: which files there are for the engine, and no TCP beside its socket.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};

use super::{Hold, Layer, Openings};

/// The version of Landlock that the cage is made for; older kernels know a part of it.
const ABI_WANTED: ABI = ABI::V7;

/// What the engine reads beside its folder and the library, each with its reason.
const READ: &[&str] = &[
    // Time zones, by name and the machine's own.
    "/usr/share/zoneinfo",
    "/etc/localtime",
    "/etc/timezone",
    // How many processors there are, and how many of them a container may use: sizes of pools follow from that.
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup/cpu.max",
    // How the kernel gives memory out: the allocator takes and returns it accordingly.
    "/proc/sys/vm/overcommit_memory",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    // Chance, for names of temporary files.
    "/dev/urandom",
];

/// Written into the void.
const WRITE: &[&str] = &["/dev/null"];

/// What is done in the engine's folder: all but running programs, and files that are none.
fn in_folder() -> BitFlags<AccessFs> {
    let never = make_bitflags!(AccessFs::{Execute | MakeChar | MakeBlock | MakeSock | MakeFifo | IoctlDev});
    AccessFs::from_all(ABI_WANTED) & !never
}

/// Restricts this thread and all that it starts.
pub(super) fn restrict(openings: &Openings) -> Layer {
    if landlock_version() == Some(1) {
        // It forbids links from folder to folder altogether, by which the engine makes new parts from old ones.
        return absent(
            "this kernel's Landlock, version 1, has no room for the engine; Linux 5.19 and later do",
        );
    }
    match rules(openings).and_then(RulesetCreated::restrict_self) {
        Ok(status) => layer(&status),
        Err(error) => absent(&format!("Landlock refuses: {error}")),
    }
}

fn rules(openings: &Openings) -> Result<RulesetCreated, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI_WANTED))?
        .handle_access(AccessNet::from_all(ABI_WANTED))?
        .scope(Scope::from_all(ABI_WANTED))?
        .create()?;
    let mut allow = |path: &Path, access: BitFlags<AccessFs>| -> Result<(), RulesetError> {
        // What is not there needs no rule.
        let Ok(handle) = PathFd::new(path) else { return Ok(()) };
        // A file takes no rights of folders.
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI_WANTED) };
        (&mut rules).add_rule(PathBeneath::new(handle, access)).map(drop)
    };
    allow(&openings.folder, in_folder())?;
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    allow(&openings.library, read)?;
    for path in READ {
        allow(Path::new(path), read)?;
    }
    for path in WRITE {
        allow(Path::new(path), make_bitflags!(AccessFs::{ReadFile | WriteFile}))?;
    }
    Ok(rules)
}

fn layer(status: &RestrictionStatus) -> Layer {
    let version = match &status.landlock {
        LandlockStatus::Available { effective_abi, .. } => *effective_abi as i32,
        LandlockStatus::NotEnabled => {
            return absent("this kernel was started without Landlock (lsm=landlock,… on its command line)");
        }
        _ => return absent("this kernel has no Landlock; Linux 5.13 and later do"),
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return absent("Landlock is not in force");
    }
    match version {
        2 => Layer::new(
            "files",
            Hold::Partly,
            format!(
                "Landlock {version}: nothing outside the engine's folder is read, but files can be cut short: Linux 6.2 and later forbid that"
            ),
        ),
        _ => Layer::new(
            "files",
            Hold::Whole,
            format!("Landlock {version}: the engine's folder, the library and time zones, nothing else"),
        ),
    }
}

fn absent(reason: &str) -> Layer {
    Layer::new("files", Hold::None, format!("the engine may open every file that this user may: {reason}"))
}

/// The version of Landlock that this kernel offers; none where it offers none.
///
/// The library tells that of a thread that it has restricted: a thread is, and ends.
pub fn landlock_version() -> Option<i32> {
    let probe = std::thread::Builder::new().name("landlock".to_owned()).spawn(|| {
        let status = Ruleset::default()
            .handle_access(AccessFs::MakeChar)
            .and_then(Ruleset::create)
            .and_then(|rules| rules.restrict_self());
        match status.ok()?.landlock {
            LandlockStatus::Available { effective_abi, kernel_abi } => {
                Some(kernel_abi.unwrap_or(effective_abi as i32))
            }
            _ => None,
        }
    });
    probe.ok()?.join().ok().flatten()
}
