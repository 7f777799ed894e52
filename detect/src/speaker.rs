//! Who says a line: the kernel, a program, or nobody that the line names. What a program says about the kernel is no
//! report of the kernel's: monitoring repeats lines, `sudo` and `CRON` quote commands, mail quotes everything.

use lastwords_record::Source;

mod prefix;

pub(crate) use self::prefix::second_of_day;
use self::prefix::{date, is_program, tag, without_data, without_place, without_priority};
use crate::kernel::line::{self, Parts};

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker<'a> {
    /// The kernel, or the hypervisor below it.
    Kernel,
    /// A program.
    Program(&'a str),
    /// The line does not say.
    Unknown,
}

/// Programs that pass on what the kernel of some machine says.
const RELAYS: &[&str] = &[
    "kernel",
    "kern",
    "vmkernel",
    "dmesg",
    "xen",
    "netconsole*",
    "*console*",
    "conserver*",
    "ser2net",
    "virtlogd",
    "xl",
    "kmsg",
    "klogd",
    "syslog",
    "pstore*",
    "systemd-pstore",
];

/// Programs that repeat what others say, and commands that others typed: their lines are no events.
const QUOTING: &[&str] = &[
    "sudo",
    "su",
    "doas",
    "cron*",
    "CRON",
    "crond",
    "anacron",
    "atd",
    "audit",
    "auditd",
    "audisp*",
    "audispd",
    "sshd*",
    "bash",
    "sh",
    "zsh",
    "-bash",
    "logger",
    "postfix*",
    "sendmail*",
    "sm-mta",
    "exim*",
    "dovecot*",
    "spamd",
    "rspamd*",
    "amavis*",
    "opendkim",
    "zabbix*",
    "nagios*",
    "icinga*",
    "naemon*",
    "nrpe*",
    "check_*",
    "cmk*",
    "mk-*",
    "monit",
    "munin*",
    "sensu*",
    "prometheus*",
    "alertmanager*",
    "grafana*",
    "loki",
    "promtail*",
    "telegraf*",
    "collectd",
    "filebeat*",
    "fluentd",
    "fluent-bit*",
    "td-agent*",
    "vector",
    "logstash*",
    "logcheck",
    "logwatch",
    "swatch*",
    "splunk*",
    "node-problem-det*",
    "ansible*",
    "puppet*",
    "salt*",
    "chef*",
    "git*",
    "jenkins*",
    "slack*",
    "rsyslogd",
    "syslog-ng",
    "fail2ban*",
    "lastwords*",
    "dhclient-script",
];

/// What stands in front of a command that is quoted: the kernel's audit, `auditd`, `sudo`, `cron`.
const QUOTED: &[&str] = &["audit: ", "audit(", " COMMAND=", " CMD ("];

/// How far into a line that is looked for.
const QUOTED_WITHIN: usize = 160;

/// A line, with what stands in front of its message taken apart.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) speaker: Speaker<'a>,
    /// The task or CPU that printed it, where the kernel says so.
    pub(crate) caller: &'a str,
    /// The kernel's clock or name stands in front.
    pub(crate) of_kernel: bool,
    /// Behind the kernel's clock and `kernel: `.
    pub(crate) own: &'a str,
    /// Behind date, host and program as well.
    pub(crate) message: &'a str,
    /// All of it.
    text: &'a str,
    /// It is quoted in a mail.
    is_mail: bool,
}

/// Takes a line apart that was read from a source, which may know the program.
pub(crate) fn line<'a>(text: &'a str, source: Source, program: &'a str) -> Line<'a> {
    let parts = line::parts(text);
    let behind = line::behind_program(parts.text).trim_start();
    let mut head = head(text.trim_end_matches(['\r', '\n']));
    let is_of_kernel =
        parts.clock || !parts.caller.is_empty() || behind.len() < parts.text.trim_start().len();
    let of_machine = matches!(source, Source::Kmsg | Source::Console | Source::Netconsole | Source::Pstore);
    if head.speaker == Speaker::Unknown && !program.is_empty() && !of_machine {
        head.speaker = named(program);
    }
    let speaker = match head.speaker {
        Speaker::Unknown if is_of_kernel => Speaker::Kernel,
        speaker => speaker,
    };
    let message = if is_of_kernel && !matches!(speaker, Speaker::Program(_)) {
        behind
    } else {
        head.message.trim_start()
    };
    let Parts { caller, .. } = parts;
    let is_mail = head.message.starts_with("> ");
    Line { speaker, caller, of_kernel: is_of_kernel, own: behind, message, text, is_mail }
}

impl Line<'_> {
    /// Whether a command or a mail is quoted. Looked for only in lines that would be events.
    pub(crate) fn is_quote(&self) -> bool {
        let start = self.text.as_bytes().get(..self.text.len().min(QUOTED_WITHIN)).unwrap_or_default();
        self.is_mail || QUOTED.iter().any(|words| memchr::memmem::find(start, words.as_bytes()).is_some())
    }

    /// Whether somebody repeats here what others say.
    pub(crate) fn is_repeated(&self) -> bool {
        matches!(self.speaker, Speaker::Program(program) if is_one_of(program, QUOTING))
    }

    /// What is said, where one of these programs may have said it.
    pub(crate) fn said_by<S: AsRef<str>>(&self, programs: &[S]) -> Option<&str> {
        let may = |program: &str| is_one_of(program, programs);
        match self.speaker {
            Speaker::Kernel if may(KERNEL) => Some(self.own),
            Speaker::Kernel => None,
            Speaker::Program(program) => may(program).then_some(self.message),
            Speaker::Unknown => {
                Some(tag(self.message).filter(|tag| may(tag.program)).map_or(self.message, |tag| tag.behind))
            }
        }
    }
}

/// The kernel's name among programs.
pub(crate) const KERNEL: &str = "kernel";

fn named(program: &str) -> Speaker<'_> {
    if program == KERNEL {
        Speaker::Kernel
    } else if is_one_of(program, RELAYS) {
        Speaker::Unknown
    } else {
        Speaker::Program(program)
    }
}

/// Whether a program is one of those that are written as `name`, `begin*`, `*end` or `*part*`.
fn is_one_of<S: AsRef<str>>(program: &str, patterns: &[S]) -> bool {
    // `/usr/sbin/sshd` is `sshd`, and `postfix/smtpd` one of `postfix*`.
    let name = program.rsplit('/').next().unwrap_or(program);
    patterns.iter().map(AsRef::as_ref).any(|pattern| fits(program, pattern) || fits(name, pattern))
}

fn fits(program: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), Some(_)) => program.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(end), None) => program.ends_with(end),
        (None, Some(begin)) => program.starts_with(begin),
        (None, None) => program == pattern,
    }
}

/// What the kernel says of a program, whose name and number it puts in front as programs do.
const FAULTS: &[&str] = &["segfault at ", "general protection fault ip:", "trap "];

/// What stands in front of a message.
struct Head<'a> {
    speaker: Speaker<'a>,
    message: &'a str,
}

/// Reads date, host and program.
fn head(text: &str) -> Head<'_> {
    let text = without_priority(text);
    let Some(date) = date(text) else {
        // Without a date only a process id tells a program from a part of the kernel.
        return match tag(text)
            .filter(|tag| tag.pid && !FAULTS.iter().any(|fault| tag.behind.starts_with(fault)))
        {
            Some(tag) => Head { speaker: named(tag.program), message: tag.behind },
            None => Head { speaker: Speaker::Unknown, message: text },
        };
    };
    let rest = date.behind.trim_start();
    let unknown = Head { speaker: Speaker::Unknown, message: rest };
    if let Some(tag) = tag(rest) {
        // The message of a console without the name of a host, unless a process id shows that it is a program's.
        return match named(tag.program) {
            Speaker::Kernel => Head { speaker: Speaker::Kernel, message: tag.behind },
            speaker if tag.pid => Head { speaker, message: tag.behind },
            _ => unknown,
        };
    }
    let Some((host, behind)) = rest.split_once(' ') else { return unknown };
    // `[1234] hv01 corosync notice  [TOTEM ]`
    let behind = if host.starts_with('[') {
        behind.split_once(' ').map_or(behind, |(_, behind)| behind)
    } else {
        behind
    };
    let behind = behind.trim_start();
    if let Some(tag) = tag(behind) {
        let is_certain =
            date.of_syslog || tag.pid || tag.program == KERNEL || is_one_of(tag.program, QUOTING);
        return if is_certain { Head { speaker: named(tag.program), message: tag.behind } } else { unknown };
    }
    // `hv01 pacemaker-fenced     [1234] (function@file.c:12) notice: `, `hv01 corosync notice  [TOTEM ]`, RFC 5424's
    // `hv01 program 1234 id - `.
    let (program, after) = behind.split_once(' ').unwrap_or((behind, ""));
    let after = after.trim_start();
    if !is_program(program) {
        return unknown;
    }
    if let Some((number, behind)) = after.strip_prefix('[').and_then(|inner| inner.split_once("] "))
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Head { speaker: named(program), message: without_place(behind.trim_start()) };
    }
    if date.of_rfc5424 {
        let mut words = after.splitn(3, ' ');
        let behind =
            words.by_ref().take(2).fold(after, |rest, word| rest.get(word.len() + 1..).unwrap_or_default());
        return Head { speaker: named(program), message: without_data(behind) };
    }
    if program == "corosync" {
        return Head { speaker: named(program), message: after };
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_their_speaker() {
        let program = Speaker::Program;
        for (text, speaker, message) in [
            ("Nov 20 15:02:11 hv01 kernel: BUG: x", Speaker::Kernel, "BUG: x"),
            ("Nov 20 15:02:11 hv01 kernel: [    1.234567] BUG: x", Speaker::Kernel, "BUG: x"),
            (
                "Nov  2 15:02:11 hv01 zabbix_agentd[7]: Kernel panic - x",
                program("zabbix_agentd"),
                "Kernel panic - x",
            ),
            (
                "Nov 20 15:02:11 hv01 sudo: ops : COMMAND=/bin/grep BUG",
                program("sudo"),
                "ops : COMMAND=/bin/grep BUG",
            ),
            ("Nov 20 15:02:11 hv01 app[7]: [  12.345678] BUG: x", program("app"), "[  12.345678] BUG: x"),
            ("mar 15 03:06:00 testfc kernel: BUG: x", Speaker::Kernel, "BUG: x"),
            ("2026-11-20T15:02:11.123456+00:00 hv01 pvestatd[77]: x", program("pvestatd"), "x"),
            ("2026-11-20T15:02:11Z qemu-kvm: x", Speaker::Unknown, "qemu-kvm: x"),
            (
                "2026-11-20 15:02:11.123+0000: 4711: error : f:12 : x",
                Speaker::Unknown,
                "4711: error : f:12 : x",
            ),
            ("2026-11-20 15:02:11 ERROR: migration failed", Speaker::Unknown, "ERROR: migration failed"),
            ("Sun 2026-10-25 02:30:00 CET hv9 kernel: md0: x", Speaker::Kernel, "md0: x"),
            ("[2026/06/13 16:12:24 CEST] kernel: drbd r0: x", Speaker::Kernel, "drbd r0: x"),
            ("[2026-11-20 15:02:11] nfs: server a x", Speaker::Unknown, "nfs: server a x"),
            ("<30>1 2026-11-20T15:02:11.123Z hv01 corosync 12 - - x y", program("corosync"), "x y"),
            ("<4>1 2026-11-20T15:02:11Z hv01 kernel - - - BUG: x", Speaker::Kernel, "BUG: x"),
            (
                "Nov 20 15:02:11 [1234] hv01 corosync notice  [TOTEM ] x",
                program("corosync"),
                "notice  [TOTEM ] x",
            ),
            (
                "Nov 20 15:02:11 hv01 pacemaker-fenced     [1234] (f@fenced.c:12) \tnotice: x",
                program("pacemaker-fenced"),
                "notice: x",
            ),
            ("nfs: server a not responding", Speaker::Unknown, "nfs: server a not responding"),
            ("app[7]: x", program("app"), "x"),
            ("kvm[7]: segfault at 0 ip 1", Speaker::Unknown, "kvm[7]: segfault at 0 ip 1"),
            ("Nov 20 15:02:11 hv01 xenconsoled[7]: BUG: x", Speaker::Unknown, "BUG: x"),
            ("", Speaker::Unknown, ""),
        ] {
            let line = line(text, Source::File, "");
            assert_eq!((line.speaker, line.message), (speaker, message), "{text}");
        }
    }

    #[test]
    fn what_a_source_knows_counts_where_the_line_says_nothing() {
        let speaker = |text: &'static str, source| line(text, source, "monitoring").speaker;
        assert_eq!(speaker("Kernel panic", Source::Journald), Speaker::Program("monitoring"));
        assert_eq!(speaker("Kernel panic", Source::Console), Speaker::Unknown);
        assert_eq!(speaker("Nov 20 15:02:11 hv01 kernel: x", Source::File), Speaker::Kernel);
    }
}
