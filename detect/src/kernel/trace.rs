//! Functions in the lines of a report.

/// A function, as a line of a report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its name, suffixes of the compiler included.
    pub function: &'a str,
    /// Marked `?`: found on the stack, perhaps left over.
    pub uncertain: bool,
    /// The line names the instruction pointer.
    pub pointer: bool,
    /// Inlined into the next one: only logs that were symbolised have it.
    pub inline: bool,
    /// The next one, where the line names it, too.
    pub caller: Option<&'a str>,
}

/// The function that a line names, if it names one.
pub fn frame(text: &str) -> Option<Frame<'_>> {
    let pointer = is_pointer(text);
    if let Some((function, caller)) = arm_line(text) {
        return Some(Frame { function, uncertain: false, pointer: false, inline: false, caller });
    }
    if let Some(function) = bsd_line(text) {
        return Some(Frame { function, uncertain: false, pointer: false, inline: false, caller: None });
    }
    let symbol = symbol(text);
    let inline = symbol.is_none();
    let (function, before) = symbol.or_else(|| source_line(text))?;
    // Within a line of words (`... at: f+0x1/0x2`) the function is no frame of the trace.
    let lead = without_marks(before.trim());
    let lead =
        lead.strip_prefix("[<").and_then(|rest| rest.split_once(">]")).map_or(lead, |(_, rest)| rest.trim());
    let lead =
        lead.strip_prefix("[<").and_then(|rest| rest.split_once(">]")).map_or(lead, |(_, rest)| rest.trim());
    let uncertain = lead == "?" || lead.ends_with(" ?") || text.trim_end().ends_with("(unreliable)");
    let is_trace = lead.is_empty()
        || lead == "?"
        || matches!(lead, "R" | "F" | "S")
        || lead.split_whitespace().all(is_address);
    (pointer || is_trace).then_some(Frame { function, uncertain, pointer, inline, caller: None })
}

/// Takes off the marks of stacks: `<IRQ>`, `<EOI>`, `<#DF>`, `<<EOE>>`.
fn without_marks(lead: &str) -> &str {
    let mut rest = lead;
    while let Some(inner) = rest.strip_prefix('<') {
        let name = inner.trim_start_matches(['<', '/', '#']);
        let end = name.bytes().take_while(|byte| byte.is_ascii_uppercase() || *byte == b'_').count();
        match name.get(end..).filter(|behind| end > 1 && behind.starts_with('>')) {
            Some(behind) => rest = behind.trim_start_matches('>').trim_start(),
            None => break,
        }
    }
    rest
}

/// Every `function+0x12/0x34` of a line, wherever it stands.
pub fn symbol(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find("+0x") {
        let at = from + found;
        let rest = text.get(at + 3..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 0 && rest.get(digits..).is_some_and(|rest| rest.starts_with("/0x")) {
            let head = text.get(..at)?;
            let start = head.bytes().rposition(|byte| !is_name_byte(byte)).map_or(0, |place| place + 1);
            let function = head.get(start..)?;
            if function.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
                return Some((function, head.get(..start)?));
            }
        }
        from = at + 3;
    }
    None
}

/// `[<8010d0a8>] (dump_backtrace) from [<8010d35c>] (show_stack+0x18/0x1c)` and ` f from g+0x18/0x1c`, as 32-bit ARM has it.
fn arm_line(text: &str) -> Option<(&str, Option<&str>)> {
    let (left, right) = text.split_once(" from ")?;
    if !right.contains("+0x") {
        return None;
    }
    let left = left.trim();
    let left =
        left.strip_prefix("[<").and_then(|rest| rest.split_once(">]")).map_or(left, |(_, rest)| rest.trim());
    let left = left.trim_start_matches('(').trim_end_matches(')');
    let name = left.split('+').next()?;
    let caller = symbol(right).map(|(caller, _)| caller);
    (!name.is_empty() && name.bytes().all(is_name_byte)).then_some((name, caller))
}

/// `m_copydata() at m_copydata+0x47/frame 0xfffffe00028e8470` and `panic(ffff8000) at panic+0xbf`, as the BSDs have it, and
/// `fffffe0012345a40 unix:die+df (e, fffffe0012345b80, 18, 0)`, as illumos has it.
fn bsd_line(text: &str) -> Option<&str> {
    if let Some((left, right)) = text.split_once(") at ") {
        let called = left.trim().split('(').next().filter(|name| name.bytes().all(is_name_byte))?;
        let name = right.split('+').next()?;
        let name = name.rsplit(':').next().unwrap_or(name);
        let is_frame = right.contains("+0x") && name == called && !name.is_empty();
        return is_frame.then_some(name);
    }
    let mut words = text.split_whitespace();
    let (address, place, arguments) = (words.next()?, words.next()?, words.next()?);
    let (_, function) = place.split_once(':')?;
    let (name, offset) = function.split_once('+')?;
    let is_frame = is_address(address)
        && arguments.starts_with('(')
        && !offset.is_empty()
        && offset.bytes().all(|byte| byte.is_ascii_hexdigit())
        && name.bytes().all(is_name_byte);
    is_frame.then_some(name)
}

/// `  function net/core/dev.c:12 [inline]`, as symbolised traces have it.
fn source_line(text: &str) -> Option<(&str, &str)> {
    let trimmed = text.trim();
    let trimmed = trimmed
        .strip_prefix("[<")
        .and_then(|rest| rest.split_once(">]"))
        .map_or(trimmed, |(_, rest)| rest.trim());
    let (function, place) = trimmed.split_once(' ')?;
    let place = place.strip_suffix(" [inline]").unwrap_or(place);
    let (file, line) = place.rsplit_once(':')?;
    let is_file = [".c", ".h", ".S", ".rs"].iter().any(|end| file.ends_with(end)) && !file.contains(' ');
    let is_name = function.bytes().all(is_name_byte) && !function.is_empty();
    (is_file && is_name && line.bytes().all(|byte| byte.is_ascii_digit())).then_some((function, ""))
}

/// Whether a line says where the CPU was.
pub fn is_pointer(text: &str) -> bool {
    const POINTERS: &[&str] = &[
        // x86
        "RIP: ",
        "RIP  ",
        "RIP [",
        "EIP: ",
        "EIP is at ",
        "IP: ",
        // arm64, arm
        "pc : ",
        "PC is at ",
        // powerpc, riscv and mips, s390, loongarch
        "NIP [",
        "epc : ",
        "epc   : ",
        "Krnl PSW : ",
        "ERA: ",
    ];
    let text = text.trim_start();
    POINTERS.iter().any(|pointer| text.starts_with(pointer))
}

/// Whether a word is an address.
pub fn is_address(lead: &str) -> bool {
    let hex = lead.trim_matches(|c: char| matches!(c, '[' | ']' | '<' | '>' | '(' | ')'));
    hex.len() >= 8 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_the_forms_of_kernels() {
        let check = |text: &str, function: Option<&str>, uncertain: bool, pointer: bool| {
            let inline = text.ends_with("[inline]");
            let expected =
                function.map(|function| Frame { function, uncertain, pointer, inline, caller: None });
            assert_eq!(frame(text), expected, "{text}");
        };
        check(" dump_stack_lvl+0x44/0x5c", Some("dump_stack_lvl"), false, false);
        check(" ? _printk+0x68/0x83", Some("_printk"), true, false);
        check(" [<ffffffff81a0b1c2>] ext4_find+0x1/0x2 fs/ext4/x.c:3", Some("ext4_find"), false, false);
        check(" [<ffffffff81a0b1c2>] ? f.isra.0+0x1/0x2 [ext4]", Some("f.isra.0"), true, false);
        check("RIP: 0010:native_safe_halt+0xe/0x10", Some("native_safe_halt"), false, true);
        check("RIP: 0010:[<ffffffff81>]  [<ffffffff81>] f+0x1/0x2", Some("f"), false, true);
        check("pc : el1_abort+0x14/0x20", Some("el1_abort"), false, true);
        check(
            "Krnl PSW : 0704d00180000000 00000000001c4b32 (ext4_find+0x12/0x34)",
            Some("ext4_find"),
            false,
            true,
        );
        check("([<00000000001c4b32>] ext4_find+0x12/0x34)", Some("ext4_find"), false, false);
        check("epc   : 80123456 ext4_find+0x12/0x34", Some("ext4_find"), false, true);
        check(" tcp_sendmsg net/ipv4/tcp.c:12 [inline]", Some("tcp_sendmsg"), false, false);
        check(
            "IP: [<ffffffff810a376f>] __call_rcu+0x1f/0x280 kernel/rcu/tree.c:3046",
            Some("__call_rcu"),
            false,
            true,
        );
        check(
            "[c000000049a87710] [c0000000000286fc] __switch_to+0x43c/0x6d0",
            Some("__switch_to"),
            false,
            false,
        );
        check(
            " <IRQ>  [<ffffffff8111527a>] sched_show_task+0x2da/0x4a0",
            Some("sched_show_task"),
            false,
            false,
        );
        check(" <EOI> <IRQ> ? f+0x2da/0x4a0", Some("f"), true, false);
        check("<<EOE>>  <IRQ>  [<ffffffff8111527a>] f+0x2da/0x4a0", Some("f"), false, false);
        check(" <#DF>  f+0x2da/0x4a0", Some("f"), false, false);
        check("<b> f+0x2da/0x4a0", None, false, false);
        assert_eq!(
            frame("[<818e9a30>] (__fortify_panic) from [<8062a3b0>] (ext4_fileattr_get+0x0/0x78)"),
            Some(Frame {
                function: "__fortify_panic",
                uncertain: false,
                pointer: false,
                inline: false,
                caller: Some("ext4_fileattr_get")
            })
        );
        check("m_copydata() at m_copydata+0x47/frame 0xfffffe00028e8470", Some("m_copydata"), false, false);
        check("panic(ffffffff81a0b1c2) at panic+0xbf", Some("panic"), false, false);
        check("vpanic() at netbsd:vpanic+0x183", Some("vpanic"), false, false);
        check("fffffe0012345a40 unix:die+df (e, fffffe0012345b80, 18, 0)", Some("die"), false, false);
        check("the meeting (of all) at noon+0x1", None, false, false);
        check("RIP: 0033:0x47b7a0", None, false, false);
        check("Code: 40 00 48", None, false, false);
        check(" (&(&x->lock)->rlock){....}, at: lock_sock+0x1/0x2", None, false, false);
    }
}
