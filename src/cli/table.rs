//! Tables for people and for awk: a header and rows, columns apart by blanks, no lines.
//!
//! In a pipe nothing is cut but the output of a check, of which a table has the beginning: it may
//! be a page. On a terminal a row is one line as well: lists and free text are cut with `…`, and
//! where that is not enough the columns that matter least are left out. All else stays whole, for a
//! name in pieces can be neither read nor copied; `--json` has everything at any width. An empty
//! cell is `-`, so that columns can be counted.

use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::{Output, printable, words};

/// The columns that may be cut, and the width that each is left; the first is cut first.
const CUT: [(&str, usize); 3] = [("OUTPUT", 12), ("TAGS", 8), ("ADDRESS", 15)];

/// The columns that may be left out, the first of them first.
const LEFT_OUT: [&str; 11] = [
    "PRIO", "ORIGIN", "TAGS", "SINCE", "WEIGHT", "DRAINED", "WARNING", "PASSING", "CRITICAL",
    "OUTPUT", "SUSPECT",
];

/// Columns that an output of a check has at the most: a sentence fits, and a page is known by its
/// beginning.
const OUTPUT_WIDTH_MAX: usize = 80;

/// The blanks behind each column.
const GAP: u16 = 2;

/// A header and rows.
pub(super) struct Rows {
    columns: Vec<Column>,
    count: usize,
    /// What there is to fit into; nothing in a pipe.
    width: Option<usize>,
    is_terminal: bool,
}

/// One column, from its header down.
struct Column {
    name: String,
    is_right: bool,
    cells: Vec<Cell>,
    /// The width of its longest cell.
    whole: usize,
    /// The width that it is given.
    given: usize,
}

// === impl Rows ===

impl Rows {
    /// No rows yet; the columns named in `right` are numbers.
    pub(super) fn new(output: &Output, header: &[&str], right: &[&str]) -> Self {
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            is_right: right.contains(name),
            cells: Vec::new(),
            whole: name.width(),
            given: name.width(),
        };
        let columns = header.iter().map(column).collect();
        Self { columns, count: 0, width: output.width(), is_terminal: output.terminal }
    }

    /// One more row.
    pub(super) fn add(&mut self, cells: Vec<Cell>) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.whole = cell.content().width().max(column.whole);
            column.given = column.whole;
            column.cells.push(cell);
        }
        self.count += 1;
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The lines, fitted to the terminal if there is one.
    pub(super) fn lines(mut self) -> Vec<String> {
        if let Some(width) = self.width {
            self.leave_out(width);
            self.cut(width);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(self.columns.iter().map(|column| &column.name));
        if self.is_terminal {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        for row in 0..self.count {
            table.add_row(self.columns.iter().map(|column| column.cell(row)));
        }
        for (column, of) in table.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, GAP));
            if of.is_right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Leaves out columns until the rest can be cut to the width.
    fn leave_out(&mut self, width: usize) {
        for name in LEFT_OUT {
            if self.needed(Column::least) <= width {
                return;
            }
            self.columns.retain(|column| column.name != name);
        }
    }

    /// Cuts what may be cut until all fits into the width, or can be cut no more.
    fn cut(&mut self, width: usize) {
        let mut excess = self.needed(|column| column.whole).saturating_sub(width);
        for (name, _) in CUT {
            for column in self.columns.iter_mut().filter(|column| column.name == name) {
                let cut = excess.min(column.whole - column.least());
                column.given = column.whole - cut;
                excess -= cut;
            }
        }
    }

    /// How wide a row is when each column has its `share`.
    fn needed(&self, share: impl Fn(&Column) -> usize) -> usize {
        let gaps = usize::from(GAP) * self.columns.len().saturating_sub(1);
        self.columns.iter().map(share).sum::<usize>() + gaps
    }
}

// === impl Column ===

impl Column {
    /// The least width that it can be shown in.
    fn least(&self) -> usize {
        let cut = CUT.iter().find(|(name, _)| *name == self.name);
        cut.map_or(self.whole, |(_, least)| self.whole.min(*least))
    }

    /// A cell as wide as the column at the most.
    fn cell(&self, row: usize) -> Cell {
        let cell = &self.cells[row];
        let text = cell.content();
        if text.width() <= self.given {
            return cell.clone();
        }
        Cell::new(shortened(&text, self.given))
    }
}

/// What an output of a check begins with, on one line: all of it where it is a sentence, and not
/// where it is a page, which `--json` has whole.
pub(super) fn beginning(output: &str) -> String {
    shortened(&words(output), OUTPUT_WIDTH_MAX)
}

/// The beginning of a text, if it is too wide.
fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// A cell; `-` when there is nothing to show.
pub(super) fn cell(text: &dyn ToString) -> Cell {
    let text = printable(&text.to_string());
    Cell::new(if text.is_empty() { "-" } else { &text })
}

/// A cell with a list, apart by commas.
pub(super) fn list<T: ToString>(items: &[T]) -> Cell {
    let items = items.iter().map(ToString::to_string).collect::<Vec<_>>();
    cell(&items.join(","))
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
    use unicode_width::UnicodeWidthStr;

    use super::{Rows, beginning, cell, list, shortened};
    use crate::cli::testing::Buffer;

    fn lines(width: Option<usize>) -> Vec<String> {
        let output = Buffer::default().output(false);
        let header = ["INSTANCE", "ADDRESS", "PORT", "PRIO", "TAGS", "OUTPUT"];
        let mut rows = Rows::new(&output, &header, &["PORT", "PRIO"]);
        rows.width = width;
        rows.add(vec![
            cell(&"payment-1"),
            list(&["10.0.0.1", "fd00::1"]),
            cell(&80),
            cell(&1),
            list(&["version-2", "canary"]),
            cell(&"HTTP 503 Service Unavailable"),
        ]);
        rows.lines()
    }

    #[test]
    fn a_row_is_one_whole_line_where_there_is_room() {
        let whole = [
            "INSTANCE   ADDRESS           PORT  PRIO  TAGS              OUTPUT",
            "payment-1  10.0.0.1,fd00::1    80     1  version-2,canary  \
             HTTP 503 Service Unavailable",
        ];
        assert_eq!(lines(None), whole);
        assert_eq!(lines(Some(87)), whole);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_what_matters_least_is_left_out() {
        let cut = |width| lines(Some(width)).swap_remove(1);
        for (width, row) in [
            (
                80,
                "payment-1  10.0.0.1,fd00::1    80     1  version-2,canary  HTTP 503 Service Una…",
            ),
            (64, "payment-1  10.0.0.1,fd00::1    80     1  version-…  HTTP 503 Se…"),
            (60, "payment-1  10.0.0.1,fd00::1    80  version-2,…  HTTP 503 Se…"),
            (46, "payment-1  10.0.0.1,fd00:…  80  HTTP 503 Se…"),
        ] {
            let shown = cut(width);
            assert!(shown.width() <= width, "{width}: {shown}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&shown), words(row), "{width}");
        }
        for width in 1..100 {
            let lines = lines(Some(width));
            assert_eq!(lines.len(), 2, "{width}: {lines:#?}");
            assert!(lines[1].starts_with("payment-1  10.0.0.1"), "a name stays whole: {lines:#?}");
        }
    }

    #[test]
    fn a_page_that_a_check_got_is_begun_and_a_sentence_is_whole() {
        assert_eq!(beginning("HTTP 503\ndown"), "HTTP 503 down");
        let page = beginning(&"<p>page</p>\n".repeat(300));
        assert!(page.starts_with("<p>page</p> <p>") && page.ends_with('…'), "{page}");
        assert_eq!(page.width(), 80);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(shortened("日本語", 5), "日本…");
        assert_eq!(shortened("日本語", 4), "日…");
        assert_eq!(shortened("HTTP 503", 6), "HTTP…");
    }
}
