//! Rows for people, or one JSON array for programs.

use std::io::{self, Write};

use serde::Serialize;

/// Columns between two cells.
const GAP: usize = 2;

/// Something that a listing shows one of per line.
pub(crate) trait Row: Serialize {
    /// What stands above the cells.
    const HEADINGS: &'static [&'static str];
    /// As many cells as there are headings.
    fn cells(&self) -> Vec<String>;
}

/// Prints rows on stdout: a table, or one line with a JSON array.
pub(crate) fn print<R: Row>(rows: &[R], json: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut stdout, rows)?;
        return writeln!(stdout);
    }
    stdout.write_all(render(rows).as_bytes())
}

/// Prints one JSON object on stdout.
pub(crate) fn print_object(object: &impl Serialize) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, object)?;
    writeln!(stdout)
}

fn render<R: Row>(rows: &[R]) -> String {
    let mut lines = vec![R::HEADINGS.iter().map(ToString::to_string).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(Row::cells));
    let width = |column: usize| {
        let widths = lines.iter().filter_map(|line| line.get(column));
        widths.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..R::HEADINGS.len()).map(width).collect();
    let shown = lines.iter().map(|line| {
        let cells = line.iter().zip(&widths);
        let padded = cells.map(|(cell, width)| format!("{cell:<width$}", width = width + GAP));
        format!("{}\n", padded.collect::<String>().trim_end())
    });
    shown.collect()
}

/// An empty cell would shift those after it for whoever splits at blanks.
pub(crate) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair(&'static str, &'static str);

    impl Row for Pair {
        const HEADINGS: &'static [&'static str] = &["ID", "STATE"];
        fn cells(&self) -> Vec<String> {
            vec![self.0.into(), or_dash(self.1)]
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [Pair("täsk-1", "RUNNING"), Pair("t", "")];
        assert_eq!(render(&rows), "ID      STATE\ntäsk-1  RUNNING\nt       -\n");
    }

    #[test]
    fn a_listing_without_rows_still_has_its_headings() {
        assert_eq!(render::<Pair>(&[]), "ID  STATE\n");
    }
}
