//! What a part has to say: text and tables, one rendering for the terminal and for RESULTS.md.

use comfy_table::{CellAlignment, ContentArrangement, presets::ASCII_MARKDOWN};

/// A table of which the first column is words and the others are numbers.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    inner: comfy_table::Table,
}

// === impl Table ===

impl Table {
    /// A table with these columns.
    pub(crate) fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        inner.set_header(columns.into_iter().map(Into::into).collect::<Vec<String>>());
        for column in inner.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self { inner }
    }

    /// Adds a row.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.inner.add_row(cells.into_iter().map(Into::into).collect::<Vec<String>>());
    }

    /// It as markdown.
    pub(crate) fn markdown(&self) -> String {
        self.inner.to_string()
    }
}
