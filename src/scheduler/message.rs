//! The words when no node fits (upstream `framework.FitError`).

use std::fmt::Write as _;

use crate::objects::Text;

/// How many nodes each reason was given for.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram(Vec<(Text, usize)>);

impl Histogram {
    pub(super) fn add(&mut self, reason: Text, nodes: usize) {
        if nodes == 0 {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count = count.saturating_add(nodes),
            None => self.0.push((reason, nodes)),
        }
    }

    /// `0/N nodes are available: 1 this, 2 that.`; entries are sorted as texts.
    pub(super) fn message(&self, nodes: usize) -> String {
        let mut entries: Vec<String> = self.0.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        entries.sort_unstable();
        let mut message = format!("0/{nodes} nodes are available:");
        if !entries.is_empty() {
            let _ = write!(message, " {}.", entries.join(", "));
        }
        message
    }
}

/// The message when a plugin turned the pod away before any node was looked at.
pub(super) fn rejected(nodes: usize, reason: &str) -> String {
    format!("0/{nodes} nodes are available: {reason}.")
}

/// Events carry at most 1,024 bytes.
pub(super) fn cut(message: &str) -> String {
    const MAX: usize = 1024;
    const SUFFIX: &str = " ...";
    if message.len() <= MAX {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX - SUFFIX.len());
    format!("{}{SUFFIX}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_as_texts_and_counted() {
        let mut histogram = Histogram::default();
        histogram.add("b".into(), 2);
        histogram.add("a".into(), 10);
        histogram.add("b".into(), 1);
        histogram.add("c".into(), 0);
        assert_eq!(histogram.message(13), "0/13 nodes are available: 10 a, 3 b.");
    }

    #[test]
    fn without_reasons_the_sentence_just_ends() {
        assert_eq!(Histogram::default().message(0), "0/0 nodes are available:");
    }

    #[test]
    fn a_long_message_is_cut_at_1024_bytes() {
        let cut = cut(&"ü".repeat(1000));
        assert!(cut.len() <= 1024 && cut.ends_with("ü ..."));
    }
}
