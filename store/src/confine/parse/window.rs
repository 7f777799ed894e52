//! Windows: `(PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)`.

use super::Parser;
use crate::confine::refusal::Refusal;
use crate::confine::tree::{Bound, Frame, Window};

impl Parser<'_> {
    pub(super) fn window(&mut self) -> Result<Window, Refusal> {
        self.deeper(Self::window_here)
    }

    fn window_here(&mut self) -> Result<Window, Refusal> {
        self.expect_sign("(")?;
        let mut window = Window::default();
        let begins = ["PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS"].iter().any(|word| self.is_word(word));
        if !begins && !self.is_sign(")") {
            window.base = Some(self.name("a window")?);
        }
        if self.take_words(&["PARTITION", "BY"]) {
            window.partition_by = self.list(Self::aliased)?;
        }
        if self.take_words(&["ORDER", "BY"]) {
            window.order_by = self.list(Self::order_key)?;
        }
        window.frame = self.frame()?;
        self.expect_sign(")")?;
        Ok(window)
    }

    fn frame(&mut self) -> Result<Option<Frame>, Refusal> {
        let Some(unit) = ["ROWS", "RANGE", "GROUPS"].into_iter().find(|word| self.is_word(word)) else {
            return Ok(None);
        };
        self.at += 1;
        if self.take_word("BETWEEN") {
            let start = self.bound()?;
            self.expect_word("AND")?;
            let end = Some(self.bound()?);
            return Ok(Some(Frame { unit, start, end }));
        }
        let start = self.bound()?;
        Ok(Some(Frame { unit, start, end: None }))
    }

    fn bound(&mut self) -> Result<Bound, Refusal> {
        if self.take_words(&["CURRENT", "ROW"]) {
            return Ok(Bound::CurrentRow);
        }
        let offset = if self.take_word("UNBOUNDED") { None } else { Some(self.expression_above_and()?) };
        if self.take_word("PRECEDING") {
            return Ok(Bound::Preceding(offset));
        }
        self.expect_word("FOLLOWING")?;
        Ok(Bound::Following(offset))
    }
}
