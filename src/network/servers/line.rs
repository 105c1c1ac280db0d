//! A line of instants: they come to its end and leave from its front. For lines that are short as a rule, and looked at all the time.

/// Those that have left are removed when there are so many of them, and no fewer than those that stand there.
const GONE: usize = 32;

#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// First those that have left.
    all: Vec<u64>,
    gone: usize,
}

impl Line {
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.gone
    }

    #[inline(always)]
    pub(super) fn front(&self) -> Option<u64> {
        self.all.get(self.gone).copied()
    }

    #[inline(always)]
    pub(super) fn back(&self) -> Option<u64> {
        self.all.last().copied()
    }

    #[inline(always)]
    pub(super) fn push(&mut self, instant: u64) {
        self.all.push(instant);
    }

    /// The first one leaves, if there is one.
    #[inline(always)]
    pub(super) fn pop(&mut self) {
        self.gone += 1;
        if self.gone >= self.all.len() || (self.gone >= GONE && 2 * self.gone >= self.all.len()) {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        self.all.drain(..self.gone.min(self.all.len()));
        self.gone = 0;
    }

    /// Those that stand there.
    pub(super) fn waiting(&self) -> &[u64] {
        &self.all[self.gone..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn who_comes_first_leaves_first(steps in prop::collection::vec(0u8..5, 1..400), comes_more in 1u8..5) {
            let (mut line, mut plain) = (Line::default(), VecDeque::new());
            for (instant, step) in (0u64..).zip(steps) {
                if step < comes_more {
                    line.push(instant);
                    plain.push_back(instant);
                } else {
                    line.pop();
                    plain.pop_front();
                }
                prop_assert_eq!(line.waiting(), plain.make_contiguous());
                prop_assert_eq!((line.len(), line.front()), (plain.len(), plain.front().copied()));
                prop_assert_eq!(line.back(), plain.back().copied());
            }
        }
    }
}
