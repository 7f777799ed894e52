//! Saved sets: names that a configuration gives to classes, texts and conditions.

use super::{
    asker::Asker,
    error::SyntaxError,
    forms::parse,
    question::{Members, Question},
    vocabulary::Vocabulary,
};

impl Vocabulary {
    /// Adds a saved set: its definition is a class, one of its names, another saved set, quoted text or a predicate.
    ///
    /// # Errors
    /// Where the definition is no set.
    pub fn save(&mut self, name: &str, definition: &str) -> Result<(), SyntaxError> {
        let asker = Asker { now_ns: 0, time_zone: jiff::tz::TimeZone::UTC };
        let members = match parse(definition, self, &asker)? {
            Question::Matches(found)
                if found.conditions.is_empty()
                    && found.by.is_none()
                    && found.pick.is_none()
                    && found.bounds == Default::default() =>
            {
                found.anchors.members
            }
            _ => {
                let message = "A saved set is a class, \"text\" or {condition}, and nothing more.";
                return Err(SyntaxError::new(definition, 0..definition.len(), message));
            }
        };
        // What is written down is meant: nothing is guessed.
        if matches!(members, Members::Text(_)) && !definition.trim_start().starts_with('"') {
            let message = format!(
                "Nothing is called {definition:?}: wanted a class, \"text\" in quotes or {{condition}}."
            );
            return Err(SyntaxError::new(definition, 0..definition.len(), message));
        }
        self.sets.insert(name.to_ascii_lowercase(), members);
        Ok(())
    }
}
