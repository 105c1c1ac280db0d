//! Text whose columns are aligned as kubectl aligns them (Go's `text/tabwriter` with padding 2).
//!
//! A cell ends with a tab. Cells of adjoining lines make a column block, which is as wide as its widest cell; what follows
//! the last tab of a line belongs to no column.

use std::fmt::Display;

/// Spaces between columns.
const PADDING: usize = 2;
/// Spaces of one level of indentation.
const INDENT: usize = 2;

/// Collects lines, then aligns them.
#[derive(Debug, Default)]
pub(in crate::report) struct TabWriter {
    /// What is aligned already.
    done: String,
    /// Lines since, each as its cells.
    lines: Vec<Vec<String>>,
}

impl TabWriter {
    /// A line at a level of indentation; tabs end cells.
    pub(super) fn line(&mut self, level: usize, text: impl Display) {
        let text = format!("{:indent$}{text}", "", indent = level * INDENT);
        // As kubectl keeps terminals safe.
        let text = text.replace('\u{1b}', "^[").replace('\r', "\\r");
        for line in text.split('\n') {
            self.lines.push(line.split('\t').map(str::to_owned).collect());
        }
    }

    /// `name:` and a value in the next column.
    pub(super) fn field(&mut self, level: usize, name: &str, value: impl Display) {
        self.line(level, format_args!("{name}:\t{value}"));
    }

    /// Ends all columns.
    pub(super) fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut widths = Vec::new();
        format_block(&mut self.done, &lines, &mut widths);
    }

    /// What was written since the last flush, with its tabs.
    pub(in crate::report) fn finish_unaligned(self) -> String {
        self.lines.iter().map(|line| line.join("\t") + "\n").collect()
    }

    pub(super) fn finish(mut self) -> String {
        self.flush();
        self.done
    }
}

/// Writes lines whose first columns have these widths.
fn format_block(out: &mut String, lines: &[Vec<String>], widths: &mut Vec<usize>) {
    let column = widths.len();
    let has_cell = |line: &Vec<String>| column + 1 < line.len();
    let mut rest = lines;
    while !rest.is_empty() {
        let plain = rest.iter().position(has_cell).unwrap_or(rest.len());
        rest[..plain].iter().for_each(|line| write_line(out, line, widths));
        rest = &rest[plain..];
        let block = rest.iter().position(|line| !has_cell(line)).unwrap_or(rest.len());
        let cells = rest[..block].iter().filter_map(|line| line.get(column));
        let Some(width) = cells.map(|cell| cell.chars().count()).max() else { continue };
        widths.push(width + PADDING);
        format_block(out, &rest[..block], widths);
        widths.pop();
        rest = &rest[block..];
    }
}

fn write_line(out: &mut String, line: &[String], widths: &[usize]) {
    for (place, cell) in line.iter().enumerate() {
        out.push_str(cell);
        if let Some(width) = widths.get(place) {
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_adjoining_lines() {
        let mut writer = TabWriter::default();
        writer.field(0, "Name", "web");
        writer.field(0, "Namespace", "default");
        writer.line(0, "Containers:");
        writer.line(1, "c:");
        writer.field(2, "Image", "nginx");
        writer.line(2, "Type\tReason\tAge");
        writer.line(2, "--\t------\t--");
        writer.line(0, "Labels:\ta=b\n\tc=d");
        assert_eq!(
            writer.finish(),
            "Name:       web\n\
             Namespace:  default\n\
             Containers:\n\
             \x20 c:\n\
             \x20   Image:  nginx\n\
             \x20   Type    Reason  Age\n\
             \x20   --      ------  --\n\
             Labels:     a=b\n\
             \x20           c=d\n"
        );
    }
}
