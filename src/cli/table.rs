//! Tables for people and for awk: a header and rows, columns apart by blanks, no lines.
//!
//! On a terminal a table is fitted to its width, wrapping what is too long; in a pipe each row is
//! one line, whatever its length. An empty cell is `-`, so that columns can be counted.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use super::output::{Output, printable};

/// An empty table with a header, whose columns named in `right` are numbers.
pub(super) fn new(output: &Output, header: &[&str], right: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.iter().copied());
    if output.terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    for (index, name) in header.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            // Nothing stands left of the first column, and two blanks between the others.
            column.set_padding((0, 2));
            if right.contains(name) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

/// A cell; `-` when there is nothing to show.
pub(super) fn cell(text: &dyn ToString) -> Cell {
    let text = printable(&text.to_string());
    Cell::new(if text.is_empty() { "-" } else { &text })
}

/// A cell with a list, apart by commas.
pub(super) fn list<T: ToString>(items: &[T]) -> Cell {
    cell(&items.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
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
