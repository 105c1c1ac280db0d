//! Values that were true a moment ago. A control plane with delays may still act on them.

use std::collections::VecDeque;

use crate::kernel::{SimDuration, SimTime};

/// A value over time, remembered for a while.
#[derive(Clone, Debug)]
pub(super) struct Window<T> {
    length: SimDuration,
    /// Each value with the instant from which it held, oldest first.
    values: VecDeque<(SimTime, T)>,
}

impl<T: Clone + PartialEq> Window<T> {
    pub(super) const fn new(length: SimDuration) -> Self {
        Self { length, values: VecDeque::new() }
    }

    pub(super) fn push(&mut self, now: SimTime, value: T) {
        if self.values.back().is_none_or(|(_, last)| *last != value) {
            self.values.push_back((now, value));
        }
        let start = now.checked_sub(self.length).unwrap_or(SimTime::ZERO);
        while self.values.get(1).is_some_and(|(from, _)| *from < start) {
            self.values.pop_front();
        }
    }

    /// Every value that held at some instant of the window.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_held_when_the_window_began_still_counts() {
        let mut window = Window::new(SimDuration::from_secs(2));
        for (at, value) in [(0, 'a'), (1, 'b'), (5, 'c')] {
            window.push(SimTime::from_secs(at), value);
        }
        assert_eq!(window.iter().collect::<String>(), "bc");
        window.push(SimTime::from_secs(9), 'c');
        assert_eq!(window.iter().collect::<String>(), "c");
    }
}
