//! The axis of time that all charts share.

use std::fmt::Write as _;

use crate::kernel::{SimDuration, SimTime};
use crate::report::table::moment;

/// Steps between ticks, in seconds.
const STEPS: [u64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];
/// Most ticks: they must not touch each other on a phone.
const MOST_TICKS: u64 = 6;

/// From the start to the end of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) end: SimTime,
}

impl Axis {
    pub(super) fn until(end: SimTime) -> Self {
        Self { end: end.max(SimTime::from_nanos(1)) }
    }

    /// An instant in hundred-thousandths of the width.
    fn share(&self, at: SimTime) -> u64 {
        let share = u128::from(at.min(self.end).as_nanos()) * 100_000 / u128::from(self.end.as_nanos());
        u64::try_from(share).unwrap_or(100_000)
    }

    /// An instant in percent of the width.
    pub(super) fn percent(&self, at: SimTime) -> String {
        decimal(self.share(at))
    }

    /// A span in percent of the width.
    pub(super) fn width(&self, from: SimTime, to: SimTime) -> String {
        decimal(self.share(to) - self.share(from))
    }

    /// The column of an instant, of so many.
    pub(super) fn column(&self, at: SimTime, columns: usize) -> usize {
        let column = u128::from(at.as_nanos()) * columns as u128 / u128::from(self.end.as_nanos());
        usize::try_from(column).unwrap_or(usize::MAX).min(columns - 1)
    }

    /// The times below a chart.
    pub(super) fn labels(&self, page: &mut String) {
        page.push_str("<div class=\"axis\">");
        let seconds = self.end.as_nanos() / 1_000_000_000;
        let step = STEPS.into_iter().find(|step| seconds / step < MOST_TICKS).unwrap_or(seconds.max(1));
        let mut at = SimTime::ZERO;
        // A tick right before the end would stand on the label of the end.
        while at <= SimTime::ZERO || self.share(at) < 92_000 {
            let _ = write!(page, "<span style=\"left:{}%\">{}</span>", self.percent(at), moment(at));
            at += SimDuration::from_secs(step);
            if at >= self.end {
                break;
            }
        }
        let _ = writeln!(page, "<span class=\"last\" style=\"left:100%\">{}</span></div>", moment(self.end));
    }
}

/// Thousandths as a decimal without needless zeros.
fn decimal(thousandths: u64) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(end: u64) -> Vec<String> {
        let mut page = String::new();
        Axis::until(SimTime::from_secs(end)).labels(&mut page);
        page.split('>').filter_map(|part| part.strip_suffix("</span")).map(str::to_owned).collect()
    }

    #[test]
    fn ticks_are_at_round_times_and_few() {
        assert_eq!(labels(900), ["0s", "5m", "10m", "15m"]);
        assert_eq!(labels(60), ["0s", "15s", "30s", "45s", "1m"]);
        assert_eq!(labels(0), ["0s", "0s"]);
        assert!(labels(31_536_000).len() <= 8);
    }

    #[test]
    fn shares_are_exact_decimals() {
        let axis = Axis::until(SimTime::from_secs(800));
        assert_eq!(axis.percent(SimTime::from_secs(100)), "12.5");
        assert_eq!(axis.width(SimTime::from_secs(100), SimTime::from_secs(900)), "87.5");
        assert_eq!((axis.column(SimTime::from_secs(800), 10), axis.column(SimTime::from_secs(79), 10)), (9, 0));
    }
}
