//! What the lines of a report say about the machine: kernel version, taint, process, CPU, modules.

/// Modules that are kept of a report's list.
const MODULES_MAX: usize = 64;

/// What is known about the machine, and in what order it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Name and value: `cpu`, `pid`, `process`, `taint`, `kernel`, `hardware`, `modules`.
    pub attributes: Vec<(String, String)>,
}

/// Beginnings of lines that belong to a report and say nothing that is kept.
const DUMP: &[&str] = &[
    "Code: ",
    "RSP: ",
    "RAX: ",
    "RBP: ",
    "RDX: ",
    "R10: ",
    "R13: ",
    "RIP: ",
    "CR2: ",
    "CS: ",
    "FS: ",
    "DR0: ",
    "DR3: ",
    "EAX: ",
    "ESI: ",
    "EIP: ",
    "DS: ",
    "CR0: ",
    "sp : ",
    "lr : ",
    "pc : ",
    "pstate: ",
    "x29",
    "x26",
    "x23",
    "x20",
    "x17",
    "x14",
    "x11",
    "x8 ",
    "x5 ",
    "x2 ",
    "PKRU: ",
    "Kernel Offset: ",
    "---[",
    "</",
    "<TASK>",
    "<IRQ>",
    "Dumping ftrace",
    "Memory state around",
    "The buggy address",
    "raw: ",
    "page:",
    "page dumped because",
    "rlock ",
    "stack backtrace:",
    "hardirqs last",
    "softirqs last",
    "irq event stamp",
    "other info that might",
    "Possible unsafe",
    "CPU0  ",
    "Mem-Info:",
];

impl Details {
    /// Takes what a line says; whether it is a line of a report.
    pub fn take(&mut self, text: &str) -> bool {
        let mut known = DUMP.iter().any(|begin| text.starts_with(begin));
        if let Some((_, rest)) = text.split_once("CPU: ") {
            known |= self.word("cpu", rest);
        } else if let Some((_, rest)) = text.split_once("CPU#") {
            self.word("cpu", rest);
        }
        if let Some((_, rest)) = text.split_once("PID: ") {
            self.word("pid", rest);
        }
        // `Pid: 412, comm: kworker Not tainted 2.6.32-71.el6.x86_64 #1`: until 3.10.
        if let Some((pid, rest)) = text.strip_prefix("Pid: ").and_then(|rest| rest.split_once(", comm: ")) {
            known = true;
            self.word("pid", pid);
            self.of_process(rest);
        }
        if let Some((_, rest)) = text.split_once("Comm: ") {
            known = true;
            self.of_process(rest);
        }
        if let Some(hardware) = text.strip_prefix("Hardware name: ") {
            known = true;
            self.put("hardware", hardware.trim());
        }
        if let Some(modules) = text.strip_prefix("Modules linked in:") {
            known = true;
            let modules = modules.split(" [last").next().unwrap_or_default();
            let names: Vec<&str> = modules
                .split_whitespace()
                .map(|module| module.split('(').next().unwrap_or(module))
                .take(MODULES_MAX)
                .collect();
            self.put("modules", &names.join(" "));
        }
        known
    }

    /// `name Tainted: G   W   6.1.0-13-amd64 #1 Debian 6.1.55-1`
    fn of_process(&mut self, text: &str) {
        let (process, rest, tainted) = if let Some((process, rest)) = text.split_once(" Not tainted") {
            (process, rest, false)
        } else if let Some((process, rest)) = text.split_once(" Tainted:") {
            (process, rest, true)
        } else {
            (text.split_whitespace().next().unwrap_or_default(), "", false)
        };
        self.put("process", process.strip_suffix(" Kdump: loaded").unwrap_or(process).trim());
        let rest = rest.split("RIP").next().unwrap_or_default();
        if tainted {
            let flags: String = rest
                .split_whitespace()
                .take_while(|word| word.len() <= 26 && word.bytes().all(|byte| byte.is_ascii_uppercase()))
                .collect();
            self.put("taint", &flags);
        }
        let version = rest
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.'));
        self.put("kernel", version.unwrap_or_default());
    }

    fn word(&mut self, key: &str, text: &str) -> bool {
        let word = text.split([' ', ',', ':', '\t']).find(|word| !word.is_empty()).unwrap_or_default();
        let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if number {
            self.put(key, word);
        }
        number
    }

    /// The first that says a thing is right: later lines may be another CPU's.
    fn put(&mut self, key: &str, value: &str) {
        if !value.is_empty() && self.get(key).is_none() {
            self.attributes.push((key.to_owned(), value.to_owned()));
        }
    }

    /// What is known by a name.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_about_the_machine() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let mut details = Details::default();
            assert!(details.take(text), "{text}");
            let expected: Vec<(String, String)> =
                expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(details.attributes, expected, "{text}");
        };
        check(
            "CPU: 3 PID: 412 Comm: CPU 0/KVM Tainted: G    B D W   E      6.1.0-13-amd64 #1  Debian 6.1.55-1",
            &[
                ("cpu", "3"),
                ("pid", "412"),
                ("process", "CPU 0/KVM"),
                ("taint", "GBDWE"),
                ("kernel", "6.1.0-13-amd64"),
            ],
        );
        check(
            "CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.0+ #1 PREEMPT",
            &[("cpu", "0"), ("pid", "1"), ("process", "init"), ("kernel", "6.12.0+")],
        );
        check(
            "CPU: 2 PID: 9 Comm: a b Kdump: loaded Not tainted 5.14.0-70.el9.x86_64 #1",
            &[("cpu", "2"), ("pid", "9"), ("process", "a b"), ("kernel", "5.14.0-70.el9.x86_64")],
        );
        check(
            "Pid: 412, comm: qemu-kvm Tainted: G        W  2.6.32-71.el6.x86_64 #1 S5520HC",
            &[("pid", "412"), ("process", "qemu-kvm"), ("taint", "GW"), ("kernel", "2.6.32-71.el6.x86_64")],
        );
        check("WARNING: CPU: 1 PID: 7 at fs/x.c:12 f+0x1/0x2", &[("cpu", "1"), ("pid", "7")]);
        check("Modules linked in: nf_tables(E) kvm [last unloaded: x]", &[("modules", "nf_tables kvm")]);
        check("Hardware name: QEMU Standard PC", &[("hardware", "QEMU Standard PC")]);
    }

    #[test]
    fn what_was_said_first_stays() {
        let mut details = Details::default();
        details.take("CPU: 3 PID: 412 Comm: a Not tainted 6.1");
        details.take("CPU: 1 PID: 9 Comm: b Tainted: G 5.0.1");
        assert_eq!(details.get("cpu"), Some("3"));
        assert_eq!(details.get("process"), Some("a"));
    }
}
