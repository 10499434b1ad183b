//! Tables for people and for awk: a header and rows, columns apart by blanks, no lines.
//!
//! In a pipe each row is one line, whatever its length. On a terminal lists and free text are
//! wrapped between their items and words so that the table fits, and all else stays whole: a name
//! in pieces can be neither read nor copied. Where even that does not fit nothing is wrapped, and
//! the terminal breaks the lines. An empty cell is `-`, so that columns can be counted.

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets,
};

use super::output::{Output, printable};

/// The columns that may be wrapped: lists and free text.
const WRAPPED: [&str; 4] = ["ADDRESS", "DATA", "OUTPUT", "TAGS"];

/// The widest word that a column is kept wide enough for: an IPv6 address in full.
const WORD_WIDTH_MAX: u16 = 39;

/// The blanks behind each column.
const GAP: u16 = 2;

/// A header and rows.
pub(super) struct Rows {
    table: Table,
    /// By column, the width of its longest word if it may be wrapped.
    words: Vec<Option<u16>>,
}

// === impl Rows ===

impl Rows {
    /// No rows yet; the columns named in `right` are numbers.
    pub(super) fn new(output: &Output, header: &[&str], right: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.iter().copied());
        if !output.terminal {
            table.force_no_tty();
        } else if let Some(columns) = columns() {
            table.set_width(columns);
        }
        for (index, name) in header.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, GAP));
                if right.contains(name) {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        let words = header.iter().map(|name| WRAPPED.contains(name).then(|| width_of_words(name)));
        let words = words.collect();
        Self { table, words }
    }

    /// One more row.
    pub(super) fn add(&mut self, cells: Vec<Cell>) {
        for (longest, cell) in self.words.iter_mut().zip(&cells) {
            if let Some(longest) = longest {
                *longest = width_of_words(&cell.content()).max(*longest);
            }
        }
        self.table.add_row(cells);
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The lines, fitted to the terminal if there is one.
    pub(super) fn lines(mut self) -> Vec<String> {
        self.fit();
        self.table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    fn fit(&mut self) {
        let Some(width) = self.table.width() else { return };
        let whole = self.table.column_max_content_widths();
        let narrow = whole.iter().zip(&self.words).map(|(whole, word)| word.unwrap_or(*whole));
        let needed: usize = narrow.map(|width| usize::from(width + GAP)).sum();
        if needed > usize::from(width) {
            return;
        }
        self.table.set_content_arrangement(ContentArrangement::Dynamic);
        for (column, word) in self.table.column_iter_mut().zip(&self.words) {
            column.set_constraint(match word {
                // The library counts the padding in.
                Some(word) => ColumnConstraint::LowerBoundary(Width::Fixed(*word + GAP)),
                None => ColumnConstraint::ContentWidth,
            });
        }
    }
}

/// The width of the longest word or item.
fn width_of_words(text: &str) -> u16 {
    let longest = text.split([' ', ',']).map(|word| word.chars().count()).max();
    u16::try_from(longest.unwrap_or(0)).map_or(WORD_WIDTH_MAX, |width| width.min(WORD_WIDTH_MAX))
}

/// The width that the user asks for, which is stronger than the terminal's own.
fn columns() -> Option<u16> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0)
}

/// A cell; `-` when there is nothing to show.
pub(super) fn cell(text: &dyn ToString) -> Cell {
    let text = printable(&text.to_string());
    Cell::new(if text.is_empty() { "-" } else { &text })
}

/// A cell with a list, apart by commas, or by lines where it is wrapped.
pub(super) fn list<T: ToString>(items: &[T]) -> Cell {
    let items = items.iter().map(ToString::to_string).collect::<Vec<_>>();
    cell(&items.join(",")).set_delimiter(',')
}

/// The cell of a status, coloured for a person who has not asked for none (<https://no-color.org>).
pub(super) fn status(output: &Output, text: &str) -> Cell {
    let colour = match text.split(',').next() {
        Some("passing") => Color::Green,
        Some("warning") => Color::Yellow,
        Some("critical") => Color::Red,
        _ => return cell(&text),
    };
    let wanted = output.terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    if wanted { cell(&text).fg(colour) } else { cell(&text) }
}

#[cfg(test)]
mod tests {
    use super::{Rows, cell, list};
    use crate::cli::testing::Buffer;

    fn lines(width: Option<u16>) -> Vec<String> {
        let output = Buffer::default().output(false);
        let mut rows = Rows::new(&output, &["INSTANCE", "PORT", "TAGS", "OUTPUT"], &["PORT"]);
        if let Some(width) = width {
            rows.table.set_width(width);
        }
        rows.add(vec![
            cell(&"payment-1"),
            cell(&80),
            list(&["version-2", "canary"]),
            cell(&"HTTP 503 Service Unavailable"),
        ]);
        rows.lines()
    }

    #[test]
    fn a_row_is_one_line_unless_there_is_a_width_to_fit() {
        let whole = [
            "INSTANCE   PORT  TAGS              OUTPUT",
            "payment-1    80  version-2,canary  HTTP 503 Service Unavailable",
        ];
        assert_eq!(lines(None), whole);
        assert_eq!(lines(Some(80)), whole);
        assert_eq!(lines(Some(30)), whole, "too narrow for whole words: left to the terminal");
    }

    #[test]
    fn lists_and_text_are_wrapped_between_words_and_names_never() {
        let fitted = lines(Some(42));
        assert!(fitted.iter().all(|line| line.len() <= 42), "{fitted:#?}");
        assert!(fitted[1].starts_with("payment-1    80  version-2"), "{fitted:#?}");
        let words = fitted.join(" ");
        for word in ["payment-1", "canary", "Unavailable"] {
            assert!(words.split_whitespace().any(|found| found == word), "{word}: {fitted:#?}");
        }
    }
}
