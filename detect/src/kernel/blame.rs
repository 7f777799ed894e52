//! Whom a report blames: one rule for each kind of report. What functions are for is data ([`super::functions`]).

use super::{
    functions::{self, Patterns},
    report::{Item, Report, Stack},
};

/// How the function to blame is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// What the first line names, unless that works for others; then the trace.
    Header,
    /// What the first line names, whatever it is.
    Verbatim,
    /// Where the CPU was, unless that works for others; then the trace.
    Pointer,
    /// Where the CPU was, unless that works for others; then what stands right behind; then the trace.
    Warning,
    /// The first function of the trace that does not work for others.
    Stack,
    /// The first function that stands right behind the first line, else the trace.
    Near,
    /// Where the first lock was wanted or is held.
    Lock,
    /// Where the first or the second lock was wanted, else how it was got.
    LockOrder,
    /// Where a lock first was used in the way that is now a danger.
    Became,
    /// The work that ran last.
    LastFunction,
    /// Who was given a page that is now wrong.
    LastGiven,
    /// Who asked for memory that is lost.
    Leak,
    /// Where a task waits.
    Waiting,
    /// What an entry into the kernel had called before the clock's interrupt found it.
    Stall,
    /// What an entry into the kernel had called, where the CPU was.
    Lockup,
    /// What an entry into the kernel had called before the stack ran over.
    Overflow,
    /// Xen: the trace that stands before or behind the first line.
    Xen,
    /// A BSD's: what the CPU did when it trapped, else what called `panic`.
    Bsd,
    /// Nobody: the report is about a state.
    Nobody,
}

impl Blame {
    /// Whether a report of this kind is whole only with a trace.
    pub fn wants_trace(self) -> bool {
        !matches!(
            self,
            Self::Nobody | Self::Verbatim | Self::LastFunction | Self::Lock | Self::Xen | Self::Bsd
        )
    }

    /// Whether the trace stands where the report happened to find it: it tells nothing about what went wrong.
    pub fn is_by_chance(self) -> bool {
        matches!(self, Self::Stall | Self::Lockup | Self::Waiting)
    }
}

/// A report, and what counts as working for others in one of its kind.
struct Blamed<'a> {
    items: &'a [Item],
    skip: Option<&'a Patterns>,
}

/// The function to blame, by the name that its callers know.
pub fn blamed(report: &Report, how: Blame, header: Option<&str>, skip: Option<&Patterns>) -> Option<String> {
    let report = Blamed { items: &report.items, skip };
    let found = match how {
        Blame::Nobody => None,
        Blame::Verbatim => header,
        Blame::Header => header
            .filter(|name| report.is_to_blame(name))
            .or_else(|| report.near())
            .or_else(|| report.anywhere())
            .or(header),
        Blame::Near => report.near().or_else(|| report.anywhere()),
        Blame::Stack => report.own_stack(0).or_else(|| report.anywhere()).or(header),
        Blame::Pointer => report.pointer().or_else(|| report.anywhere()).or_else(|| report.any_pointer()),
        Blame::Warning => report
            .warning()
            .or_else(|| header.filter(|name| report.is_to_blame(name)))
            .or_else(|| report.anywhere())
            .or(header),
        Blame::Lock => report.locks().next().or_else(|| report.anywhere()),
        Blame::LockOrder => report.lock_order().or_else(|| report.anywhere()),
        Blame::Became => report.first_of(Stack::Became).or_else(|| report.locks().next()),
        Blame::LastFunction => report.items.iter().find_map(|item| match item {
            Item::LastFunction(name) => Some(name.as_str()),
            _ => None,
        }),
        Blame::LastGiven => report.first_of(Stack::LastGiven).or_else(|| report.own_stack(0)),
        Blame::Leak => report.first_of(Stack::Leak).or_else(|| report.anywhere()),
        Blame::Waiting => report.waiting(),
        Blame::Stall => report.stall(),
        Blame::Lockup => report.lockup(),
        Blame::Overflow => report.overflow(),
        Blame::Xen => report.pointer().or_else(|| report.own_stack(0)),
        Blame::Bsd => {
            report.first_of(Stack::Trapped).or_else(|| report.own_stack(0)).or_else(|| report.anywhere())
        }
    };
    found.map(|name| functions::without_call_prefix(name).to_owned())
}

/// The frames of a report that tell what happened: those of its first stack, machinery left out.
pub fn telling_frames(report: &Report) -> Vec<&str> {
    let from =
        report.items.iter().position(|item| matches!(item, Item::Frame(_))).unwrap_or(report.items.len());
    frames(report.items.get(from..).unwrap_or_default())
        .filter(|frame| !functions::is_machinery(frame))
        .collect()
}

/// The functions of a report's first stack, the instruction pointer first.
pub fn trace(report: &Report) -> Vec<&str> {
    let pointer = report.items.iter().find_map(|item| match item {
        Item::Pointer(Some(name)) => Some(name.as_str()),
        _ => None,
    });
    let from =
        report.items.iter().position(|item| matches!(item, Item::Frame(_))).unwrap_or(report.items.len());
    let frames: Vec<&str> = frames(report.items.get(from..).unwrap_or_default()).collect();
    pointer.filter(|pointer| !frames.contains(pointer)).into_iter().chain(frames).collect()
}

/// Frames up to where another stack begins.
fn frames(items: &[Item]) -> impl Iterator<Item = &str> {
    items.iter().take_while(|item| !matches!(item, Item::Stack(_))).filter_map(|item| match item {
        Item::Frame(name) => Some(name.as_str()),
        _ => None,
    })
}

impl<'a> Blamed<'a> {
    fn is_to_blame(&self, name: &str) -> bool {
        !functions::is_machinery(name) && !self.skip.is_some_and(|skip| skip.has(name))
    }

    fn from(&self, place: usize) -> &'a [Item] {
        self.items.get(place..).unwrap_or_default()
    }

    /// The place behind the first item from `place` on that is as wanted.
    fn behind(&self, place: usize, wanted: impl Fn(&Item) -> bool) -> Option<usize> {
        self.from(place).iter().position(wanted).map(|at| place + at + 1)
    }

    /// Frames to blame from a place up to the next stack.
    fn frames(&self, place: usize) -> impl Iterator<Item = &'a str> {
        frames(self.from(place)).filter(|name| self.is_to_blame(name))
    }

    /// Whom the first own stack behind a place blames.
    fn own_stack(&self, place: usize) -> Option<&'a str> {
        self.frames(self.behind(place, |item| *item == Item::Stack(Stack::Own))?).next()
    }

    fn first_of(&self, stack: Stack) -> Option<&'a str> {
        self.frames(self.behind(0, |item| *item == Item::Stack(stack))?).next()
    }

    fn near(&self) -> Option<&'a str> {
        self.frames(0).next().or_else(|| self.own_stack(0))
    }

    /// What a report that is not as it should be names first.
    fn anywhere(&self) -> Option<&'a str> {
        self.items
            .iter()
            .filter_map(|item| match item {
                Item::Frame(name) | Item::Pointer(Some(name)) | Item::LockAt(name) => Some(name.as_str()),
                _ => None,
            })
            .find(|name| self.is_to_blame(name))
    }

    fn any_pointer(&self) -> Option<&'a str> {
        self.items.iter().find_map(|item| match item {
            Item::Pointer(Some(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The function at the pointer at or behind a place, where it is to blame, and the place behind it.
    fn pointer_from(&self, place: usize) -> Option<(Option<&'a str>, usize)> {
        let behind = self.behind(place, |item| matches!(item, Item::Pointer(_)))?;
        match self.items.get(behind - 1) {
            Some(Item::Pointer(Some(name))) => {
                Some((Some(name.as_str()).filter(|name| self.is_to_blame(name)), behind))
            }
            _ => Some((None, behind)),
        }
    }

    fn pointer(&self) -> Option<&'a str> {
        let Some((function, behind)) = self.pointer_from(0) else { return self.own_stack(0) };
        function.or_else(|| self.own_stack(behind)).or_else(|| self.own_stack(0))
    }

    fn warning(&self) -> Option<&'a str> {
        let Some((function, behind)) = self.pointer_from(0) else { return self.own_stack(0) };
        function.or_else(|| self.frames(behind).next()).or_else(|| self.own_stack(0))
    }

    fn locks(&self) -> impl Iterator<Item = &'a str> {
        self.items.iter().filter_map(|item| match item {
            Item::LockAt(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn lock_order(&self) -> Option<&'a str> {
        if let Some(name) = self.locks().take(2).find(|name| self.is_to_blame(name)) {
            return Some(name);
        }
        let is_lock = |item: &Item| matches!(item, Item::LockAt(_));
        let second = self.behind(self.behind(0, is_lock)?, is_lock)?;
        self.frames(second).next().or_else(|| self.locks().next())
    }

    /// Those that wait for what everybody waits for are one; else the first that does not just wait.
    fn waiting(&self) -> Option<&'a str> {
        let place = self.behind(0, |item| *item == Item::Stack(Stack::Own)).unwrap_or(0);
        self.frames(place)
            .find_map(functions::everybody_waits)
            .or_else(|| self.frames(place).find(|name| !functions::is_waiting(name)))
    }

    /// The function before the first entry; none where no entry is among them.
    fn before_entry(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        let mut previous = None;
        for name in names {
            if functions::is_entry(functions::without_call_prefix(name)) || functions::is_entry(name) {
                let everywhere = name.contains("smp_call_function").then_some("smp_call_function");
                return everywhere.or(previous).or(Some(name));
            }
            previous = Some(name);
        }
        None
    }

    fn lockup(&self) -> Option<&'a str> {
        let (function, behind) = self.pointer_from(0).unwrap_or((None, 0));
        let own = self.behind(behind, |item| *item == Item::Stack(Stack::Own));
        let named = |place: usize| Self::before_entry(function.into_iter().chain(self.frames(place)));
        own.and_then(named).or_else(|| named(behind)).or(function).or_else(|| self.anywhere())
    }

    fn overflow(&self) -> Option<&'a str> {
        let own = self.behind(0, |item| *item == Item::Stack(Stack::Own));
        own.and_then(|place| Self::before_entry(self.frames(place))).or_else(|| self.lockup())
    }

    fn stall(&self) -> Option<&'a str> {
        let is_interrupt = |item: &Item| matches!(item, Item::Frame(name) if functions::is_interrupt(name));
        let Some(behind) = self.behind(0, is_interrupt) else { return self.lockup() };
        let interrupted = self.pointer_from(behind).and_then(|(function, behind)| {
            Self::before_entry(function.into_iter().chain(self.frames(behind)))
        });
        interrupted.or_else(|| Self::before_entry(self.frames(behind))).or_else(|| self.lockup())
    }
}
