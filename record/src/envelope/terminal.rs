//! What a terminal or a host's printer puts in front of a line: colours, prompts, levels.

/// What stands behind the colours at a line's beginning: `ESC [ 0;31 m`.
pub(crate) fn behind_colours(line: &[u8]) -> Option<&[u8]> {
    let mut rest = line;
    while let Some(sequence) = rest.strip_prefix(b"\x1b[") {
        let end = sequence.iter().take(24).position(|byte| (b'@'..=b'~').contains(byte))?;
        rest = sequence.get(end + 1..)?;
    }
    (rest.len() < line.len()).then_some(rest)
}

/// Bytes of a prompt, at most.
const PROMPT_BYTES_MAX: usize = 80;

/// What stands behind a shell's prompt: `root@guest1:~# `, `[root@hv ~]# `, `sh-5.1# `, `/ # `, `(initramfs) `, `login: `.
pub fn behind_prompt(text: &[u8]) -> Option<&[u8]> {
    let looked_at = text.get(..PROMPT_BYTES_MAX.min(text.len()))?;
    for end in [&b"login: "[..], b"Password: ", b"(initramfs) "] {
        // A name stands in front of the first one alone.
        if let Some(at) = memchr::memmem::find(looked_at, end)
            && text.get(..at)?.iter().all(|byte| !byte.is_ascii_whitespace() || *byte == b' ')
            && text.get(..at)?.iter().filter(|byte| **byte == b' ').count() <= 1
        {
            return text.get(at + end.len()..);
        }
    }
    let at = memchr::memchr2_iter(b'#', b'$', looked_at).find(|at| text.get(at + 1) == Some(&b' '))?;
    let prompt = text.get(..at)?;
    let ends = prompt.is_empty()
        || prompt.starts_with(b"sh-")
        || prompt.starts_with(b"bash-")
        || matches!(prompt, b"/ " | b"~ ")
        || (prompt.contains(&b'@') && (prompt.contains(&b':') || prompt.ends_with(b"]")));
    let words = prompt.iter().filter(|byte| **byte == b' ').count();
    (ends && words <= 1).then(|| text.get(at + 2..)).flatten()
}

/// What a terminal shows last of a line with carriage returns in it; none where there are none.
pub fn last_shown(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_end();
    let at = memchr::memrchr(b'\r', text)?;
    text.get(at + 1..)
}

/// What stands behind a level that a host's printer pads to six letters behind the clock, as XCP-ng's dom0 does:
/// `   WARN: Oops`, ` NOTICE: x`. The kernel's own words (`INFO: task`) are not padded.
pub fn behind_level(text: &[u8]) -> Option<&[u8]> {
    let spaces = text.iter().take(6).take_while(|byte| **byte == b' ').count();
    let rest = text.get(spaces..)?;
    let levels: [&[u8]; 10] =
        [b"EMERG", b"ALERT", b"CRIT", b"ERR", b"ERROR", b"WARN", b"NOTICE", b"INFO", b"DEBUG", b"PANIC"];
    let level = levels.into_iter().find(|level| rest.starts_with(level))?;
    // The space behind the clock may have been taken off.
    let padding = 6_usize.checked_sub(level.len())?;
    let padded = spaces == padding + 1 || (spaces == padding && spaces > 0);
    let behind = rest.get(level.len()..)?.strip_prefix(b":").filter(|_| padded)?;
    Some(behind.strip_prefix(b" ").unwrap_or(behind))
}
