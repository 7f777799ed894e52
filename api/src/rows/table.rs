//! Rows as a table for people: one header, columns below each other.
//!
//! The columns' widths follow from the header and the first rows; a longer cell further down pushes the rest of its line
//! to the right.

use lastwords_query::terminal::on_a_line;
use unicode_width::UnicodeWidthStr as _;

/// Columns between two cells.
const GAP: usize = 2;

/// Where a cell stands in its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// At the left: texts.
    #[default]
    Left,
    /// At the right: numbers.
    Right,
}

/// The shape of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<(usize, Align)>,
}

impl Table {
    /// A table of these columns that is as wide as these rows need.
    #[must_use]
    pub fn new<S: AsRef<str>>(columns: &[(S, Align)], first: &[Vec<String>]) -> Table {
        let width = |(index, (name, align)): (usize, &(S, Align))| {
            let cells = first.iter().filter_map(|row| row.get(index)).map(|cell| cell_width(cell));
            (cells.max().unwrap_or(0).max(cell_width(name.as_ref())), *align)
        };
        Table { columns: columns.iter().enumerate().map(width).collect() }
    }

    /// A row, or the names of the columns, with a line feed.
    #[must_use]
    pub fn line<S: AsRef<str>>(&self, cells: &[S]) -> String {
        let mut line = String::new();
        for (cell, (width, align)) in cells.iter().zip(&self.columns) {
            let cell = on_a_line(cell.as_ref());
            let padding = width.saturating_sub(cell.width());
            let (before, behind) = match align {
                Align::Left => (0, padding),
                Align::Right => (padding, 0),
            };
            line.extend(std::iter::repeat_n(' ', before));
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', behind + GAP));
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

fn cell_width(cell: &str) -> usize {
    on_a_line(cell).width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [("a\tb", "7"), ("漢字漢", "12"), ("", "")];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| vec![row.0.to_owned(), row.1.to_owned()]).collect();
        let names = [("name", Align::Left), ("count", Align::Right)];
        let table = Table::new(&names, &rows);
        let printed: String = rows.iter().map(|row| table.line(row)).collect();
        assert_eq!(table.line(&["name", "count"]), "name    count\n");
        assert_eq!(printed, "a b         7\n漢字漢     12\n\n");
        let longer = table.line(&["longer than others", "3"]);
        assert_eq!(longer, "longer than others      3\n");
    }
}
