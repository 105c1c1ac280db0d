//! Colours of stories and explanations. (What kubectl prints too stays as plain as it is there.) Where there is no terminal they are left
//! out by `anstream`.

use anstyle::{AnsiColor, Style};

const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const NOTE: Style = AnsiColor::Yellow.on_default();
const STEP: Style = AnsiColor::Cyan.on_default();

/// Words that begin a line, and their colour.
const MARKS: [(&str, Style); 5] = [("held ", GOOD), ("ok ", GOOD), ("BROKEN ", BAD), ("note ", NOTE), ("» ", STEP)];

/// Titles in bold, what is good in green, what is broken in red, steps in cyan.
pub(super) fn coloured(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(line: &str) -> String {
    let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
    if text.is_empty() {
        return line.to_owned();
    }
    if !text.starts_with(' ') {
        return format!("{TITLE}{text}{TITLE:#}{end}");
    }
    let mark = MARKS.iter().find_map(|(mark, style)| {
        let at = text.find(mark).filter(|at| is_mark(&text[..*at], mark))?;
        Some((at, at + mark.trim_end().len(), *style))
    });
    match mark {
        // A step is coloured to its end.
        Some((from, to, style)) => {
            let to = if style == STEP { text.len() } else { to };
            format!("{}{style}{}{style:#}{}{end}", &text[..from], &text[from..to], &text[to..])
        }
        None => line.to_owned(),
    }
}

/// Whether nothing stands before a mark; before a step its instant does.
fn is_mark(before: &str, mark: &str) -> bool {
    let words = before.split_whitespace().count();
    words == 0 || mark.starts_with('»') && words == 1
}

#[cfg(test)]
mod tests {
    use super::coloured;

    #[test]
    fn words_at_the_beginning_of_lines_have_colours() {
        let green = |text: &str| format!("\u{1b}[32m{text}\u{1b}[0m");
        assert_eq!(coloured("  held    final: a\n"), format!("  {}    final: a\n", green("held")));
        assert_eq!(coloured("  final: was held up\n"), "  final: was held up\n");
        assert_eq!(coloured("Promises\n\n"), "\u{1b}[1mPromises\u{1b}[0m\n\n");
        assert_eq!(coloured("   1m  » scale x\n"), "   1m  \u{1b}[36m» scale x\u{1b}[0m\n");
        assert_eq!(coloured("  x » y » z"), "  x \u{1b}[36m» y » z\u{1b}[0m");
    }
}
