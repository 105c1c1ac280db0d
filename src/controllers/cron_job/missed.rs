//! Which run of a CronJob is due, and when the next one is (upstream `pkg/controller/cronjob/utils.go`).

use crate::kernel::SimDuration;
use crate::objects::cron::Schedule;
use crate::objects::{CronJob, Timestamp, WallTime};

/// Missed runs above which a warning is given.
const MANY: i64 = 100;

/// Added to the time of the next run, against clocks that differ a little.
const MARGIN_NANOS: i64 = 100_000_000;

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// What upstream takes for a time that never comes: the beginning of the year 1.
const NEVER: Timestamp = Timestamp::from_unix_secs(-62_135_596_800);

/// Longest span in seconds that upstream can tell between two times.
const LONGEST_SPAN: i64 = i64::MAX / NANOS_PER_SEC;

/// How many runs were missed, by upstream's estimate: it supposes that all are as far apart as the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedRuns {
    /// At most the one that is due.
    None,
    /// Up to 100.
    Few,
    /// More than 100.
    Many,
}

/// The run that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Runs up to this instant do not matter: the last run, the creation, or as long ago as the deadline allows.
    pub earliest: WallTime,
    /// The time of the last run that should have been made by now.
    pub most_recent: Option<Timestamp>,
    /// How many were missed.
    pub missed: MissedRuns,
}

/// The first two times of a schedule are the same: it names a day that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time difference between two schedules is less than 1 second")]
pub struct NoInterval;

/// The run that is due at `now` (upstream `mostRecentScheduleTime`). `startingDeadlineSeconds` counts if `with_deadline`.
///
/// # Errors
/// If the schedule is never due.
pub fn due(cron_job: &CronJob, schedule: &Schedule, now: WallTime, with_deadline: bool) -> Result<Due, NoInterval> {
    let earliest = earliest(cron_job, now, with_deadline);
    let next = |after: Timestamp| schedule.next(after).unwrap_or(NEVER);
    let first = next(earliest.timestamp());
    let second = next(first);
    if now < first.wall() {
        return Ok(Due { earliest, most_recent: None, missed: MissedRuns::None });
    }
    if now < second.wall() {
        return Ok(Due { earliest, most_recent: Some(first), missed: MissedRuns::None });
    }
    let interval = span(first, second);
    if interval < 1 {
        return Err(NoInterval);
    }
    let elapsed = (now.nanos_since(first.wall()) / NANOS_PER_SEC).min(LONGEST_SPAN);
    let count = elapsed / interval + 1;
    // One interval back, since they need not be equal.
    let mut at = schedule.next(first.plus_secs((count - 2).saturating_mul(interval)));
    let mut most_recent = None;
    while let Some(run) = at.filter(|run| run.wall() <= now) {
        most_recent = Some(run);
        at = schedule.next(run);
    }
    let missed = if count > MANY { MissedRuns::Many } else { MissedRuns::Few };
    Ok(Due { earliest, most_recent, missed })
}

fn earliest(cron_job: &CronJob, now: WallTime, with_deadline: bool) -> WallTime {
    let last = cron_job.status.last_schedule_time.or(cron_job.meta.creation_timestamp);
    let earliest = last.unwrap_or_default().wall();
    match cron_job.spec.starting_deadline_seconds.filter(|_| with_deadline) {
        // Deadlines of more than 292 years overflow as they do upstream.
        Some(deadline) => earliest.max(now.plus_nanos((-NANOS_PER_SEC).wrapping_mul(deadline))),
        None => earliest,
    }
}

fn span(from: Timestamp, to: Timestamp) -> i64 {
    (to.as_unix_secs() - from.as_unix_secs()).clamp(-LONGEST_SPAN, LONGEST_SPAN)
}

/// How long it is until the next run (upstream `nextScheduleTimeDuration`). Zero if there is none: then the next sync says
/// what is wrong.
#[must_use]
pub fn until_next(cron_job: &CronJob, schedule: &Schedule, now: WallTime) -> SimDuration {
    let after = match due(cron_job, schedule, now, false) {
        Ok(Due { most_recent: Some(run), .. }) => run,
        Ok(Due { earliest, missed: MissedRuns::None, .. }) => earliest.timestamp(),
        Ok(_) | Err(NoInterval) => now.timestamp(),
    };
    let next = schedule.next(after).map_or(now, |next| next.wall().plus_nanos(MARGIN_NANOS));
    SimDuration::from_nanos(u64::try_from(next.nanos_since(now)).unwrap_or(0))
}
