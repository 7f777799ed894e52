//! Whether the hypervisors on this machine keep what their guests say on the console.

use std::{fs, path::Path};

use super::finding::Finding;

const LIBVIRT_STATE: &str = "/run/libvirt/qemu";

pub fn check() -> Vec<Finding> {
    [xen(Path::new("/proc")), libvirt(Path::new(LIBVIRT_STATE))].into_iter().flatten().collect()
}

/// xenconsoled logs nothing unless it is told to, which Debian does not.
fn xen(proc: &Path) -> Option<Finding> {
    let arguments = processes(proc).find(|arguments| {
        arguments.first().is_some_and(|program| program.rsplit('/').next() == Some("xenconsoled"))
    })?;
    let log = arguments.iter().find_map(|argument| argument.strip_prefix("--log="));
    Some(match log {
        Some("guest" | "all") => Finding::ok("xenconsoled", "logs guests' consoles"),
        _ => Finding::warn(
            "xenconsoled",
            "runs without --log: what guests say on their consoles is lost",
            "start it with --log=guest --timestamp=guest (XENCONSOLED_ARGS in Debian's /etc/default/xen, \
             XENCONSOLED_TRACE=guest in xencommons elsewhere)",
        ),
    })
}

fn processes(proc: &Path) -> impl Iterator<Item = Vec<String>> + use<> {
    fs::read_dir(proc).into_iter().flatten().flatten().filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let words = line.split(|&byte| byte == 0).filter(|word| !word.is_empty());
        Some(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    })
}

/// libvirt writes a guest's console to a file only where its domain says `<log file=…>`.
fn libvirt(state: &Path) -> Option<Finding> {
    let mut silent = Vec::new();
    let mut guests = 0;
    for entry in fs::read_dir(state).ok()?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "xml")
            && let Ok(text) = fs::read_to_string(&path)
            && text.contains("<domstatus")
        {
            guests += 1;
            if !text.contains("<log file=") {
                silent.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
            }
        }
    }
    silent.sort();
    Some(match silent.as_slice() {
        [] => Finding::ok("libvirt", format!("{guests} running guests, each keeps its console in a file")),
        [first, ..] => Finding::warn(
            "libvirt",
            format!("{} of {guests} running guests keep no console log: {}", silent.len(), silent.join(", ")),
            format!(
                "`virsh edit {first}`: inside <serial> (and <console>) add \
                 <log file='/var/log/libvirt/qemu/{first}-console.log' append='on'/>, then restart the guest"
            ),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::State, *};

    fn proc_with(command_lines: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, line) in command_lines.iter().enumerate() {
            let process = folder.path().join((index + 1).to_string());
            fs::create_dir(&process).unwrap();
            fs::write(process.join("cmdline"), line.replace(' ', "\0")).unwrap();
        }
        folder
    }

    #[test]
    fn a_xenconsoled_without_log_is_a_warning() {
        let cases = [
            ("/usr/sbin/init", None),
            ("/usr/lib/xen-4.17/bin/xenconsoled", Some(State::Warn)),
            ("/usr/lib/xen-4.17/bin/xenconsoled --log=hv", Some(State::Warn)),
            ("/usr/lib/xen-4.17/bin/xenconsoled --log=guest --timestamp=all", Some(State::Ok)),
            ("/usr/sbin/xenconsoled --log=all", Some(State::Ok)),
        ];
        for (line, expected) in cases {
            let proc = proc_with(&["/sbin/init", line]);
            assert_eq!(xen(proc.path()).map(|finding| finding.state), expected, "{line}");
        }
    }

    #[test]
    fn a_libvirt_guest_without_console_log_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(libvirt(&folder.path().join("none")), None);
        fs::write(folder.path().join("db01.xml"), "<domstatus><serial><log file='/x'/></serial></domstatus>")
            .unwrap();
        assert_eq!(libvirt(folder.path()).unwrap().state, State::Ok);
        fs::write(folder.path().join("web07.xml"), "<domstatus><serial/></domstatus>").unwrap();
        let finding = libvirt(folder.path()).unwrap();
        assert_eq!(finding.state, State::Warn);
        assert!(
            finding.found.starts_with("1 of 2 running guests keep no console log: web07"),
            "{}",
            finding.found
        );
        assert!(finding.way_out.contains("virsh edit web07"));
    }
}
