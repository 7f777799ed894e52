//! What is read of the store: typed selections in, rows out. No SQL leaves this room.
//!
//! [`events`]: sets of events in columns, which are most of what is ever read. [`texts`]
//! and [`details`]: what is printed of some.
//! [`classes`], [`templates`]: which there are. [`extent`]: from when to when. [`placement`]: hosts and guests.
//! [`machines`]: when they spoke. [`statement`]: users' SQL.

mod classes;
mod details;
mod events;
mod extent;
mod literal;
mod machines;
mod members;
mod placement;
mod statement;
mod templates;
mod texts;

pub use classes::{ClassCount, read_classes};
pub use details::{EventDetail, RecordKey, RecordText, Side, read_details, read_lines_around, read_records};
pub use events::{
    EventBlock, EventBlocks, EventSelection, Hosts, Key, NameColumn, count_events, read_events,
};
pub use extent::{Observations, Observed, read_extent, read_guests, read_hosts};
pub use machines::{Gap, Heard, Machines, read_gaps, read_heard};
pub use members::{Members, Times};
pub use placement::{Attributes, PlacementVersion, Stay, read_placement, read_placement_version};
pub use statement::{MatchRow, MatchesTable, Rows, UserStatement, check_predicate, is_format, is_sql};
pub use templates::{
    TemplateCount, TemplateSeen, TemplateSelection, TemplateText, count_templates, read_template_texts,
    read_templates, read_templates_near,
};
pub use texts::{EventText, read_texts};
