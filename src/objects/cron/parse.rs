//! Reading schedules, with upstream's words for what is wrong (`parser.go`).

use super::super::names::quoted;
use super::every;
use super::zone::Zone;
use super::{Bits, Fields, Rule};

/// The values a field can have, and names for some of them.
struct Bounds {
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Minute, hour, day of the month, month, day of the week. Names count from the least value.
const FIELDS: [Bounds; 5] = [
    Bounds { min: 0, max: 59, names: &[] },
    Bounds { min: 0, max: 23, names: &[] },
    Bounds { min: 1, max: 31, names: &[] },
    Bounds { min: 1, max: 12, names: &MONTHS },
    Bounds { min: 0, max: 6, names: &DAYS },
];

/// Reads a schedule (`ParseStandard`; what makes it panic is an error here as in `ParseCronScheduleWithPanicRecovery`).
pub(super) fn schedule(text: &str) -> Result<Rule, String> {
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    let (zone, rest) = zone(text)?;
    if rest.starts_with('@') {
        return descriptor(rest, zone);
    }
    let texts: Vec<&str> = rest.split_whitespace().collect();
    let [minute, hour, day_of_month, month, day_of_week] = texts[..] else {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", texts.len(), texts.join(" ")));
    };
    let fields = Fields {
        minute: field(minute, &FIELDS[0])?,
        hour: field(hour, &FIELDS[1])?,
        day_of_month: field(day_of_month, &FIELDS[2])?,
        month: field(month, &FIELDS[3])?,
        day_of_week: field(day_of_week, &FIELDS[4])?,
    };
    Ok(Rule::Fields(fields, zone))
}

/// The zone of `TZ=…` or `CRON_TZ=…`, and what comes after it.
fn zone(text: &str) -> Result<(Zone, &str), String> {
    let name = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
    let Some(rest) = name else { return Ok((Zone::UTC, text)) };
    let Some((name, rest)) = rest.split_once(' ') else {
        return Err("invalid schedule format: runtime error: slice bounds out of range [:-1]".to_owned());
    };
    let is_path = name.split(['/', '\\']).any(|part| part == "..") || name.starts_with(['/', '\\']);
    match Zone::named(name) {
        Some(zone) => Ok((zone, rest.trim())),
        None if is_path => Err(format!("provided bad location {name}: time: invalid location name")),
        None => Err(format!("provided bad location {name}: unknown time zone {name}")),
    }
}

/// `@daily` and the like.
fn descriptor(text: &str, zone: Zone) -> Result<Rule, String> {
    let five = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(duration) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let nanos =
                every::nanoseconds(duration).map_err(|fault| format!("failed to parse duration {text}: {fault}"))?;
            // Parts of seconds are cut off, and a second is the least.
            return Ok(Rule::Every((nanos / 1_000_000_000).max(1)));
        }
    };
    match schedule(five)? {
        Rule::Fields(fields, _) => Ok(Rule::Fields(fields, zone)),
        every @ Rule::Every(_) => Ok(every),
    }
}

/// Ranges with commas between them.
fn field(text: &str, bounds: &Bounds) -> Result<Bits, String> {
    let mut bits = Bits::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let more = range(part, bounds)?;
        bits = Bits { values: bits.values | more.values, star: bits.star || more.star };
    }
    Ok(bits)
}

/// `*`, `N`, `N-M`, each with `/STEP`; `N/STEP` goes on to the greatest value.
fn range(range: &str, bounds: &Bounds) -> Result<Bits, String> {
    let parts: Vec<&str> = range.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let mut star = false;
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?", ..] => {
            star = true;
            (bounds.min, bounds.max)
        }
        [start] => {
            let start = number_or_name(start, bounds)?;
            (start, start)
        }
        [start, end] => (number_or_name(start, bounds)?, number_or_name(end, bounds)?),
        _ => {
            number_or_name(ends[0], bounds)?;
            return Err(format!("too many hyphens: {range}"));
        }
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            if ends.len() == 1 {
                end = bounds.max;
            }
            let step = number(step)?;
            star &= step <= 1;
            step
        }
        _ => return Err(format!("too many slashes: {range}")),
    };
    if start < bounds.min {
        return Err(format!("beginning of range ({start}) below minimum ({}): {range}", bounds.min));
    }
    if end > bounds.max {
        return Err(format!("end of range ({end}) above maximum ({}): {range}", bounds.max));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {range}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {range}"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    let values = (start..=end).step_by(step).fold(0, |values, value| values | 1 << value);
    Ok(Bits { values, star })
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let named = bounds.names.iter().position(|name| name.eq_ignore_ascii_case(text));
    match named {
        Some(index) => Ok(bounds.min + index as u64),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, String> {
    match text.parse::<i64>() {
        Ok(number) if number >= 0 => Ok(number.unsigned_abs()),
        Ok(number) => Err(format!("negative number ({number}) not allowed: {text}")),
        Err(error) => {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            let fault = match error.kind() {
                PosOverflow | NegOverflow => "value out of range",
                _ => "invalid syntax",
            };
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {}: {fault}", quoted(text)))
        }
    }
}
