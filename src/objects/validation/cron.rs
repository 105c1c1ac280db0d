//! Whether a schedule is one, in the words of the parser that CronJobs use (`github.com/robfig/cron/v3`).

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

/// What is wrong with a schedule, if anything is.
pub(super) fn schedule_fault(schedule: &str) -> Option<String> {
    check_schedule(schedule).err()
}

fn check_schedule(schedule: &str) -> Result<(), String> {
    let rest = after_zone(schedule)?;
    if rest.starts_with('@') {
        return check_descriptor(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    fields.into_iter().zip(&FIELDS).try_for_each(|(field, bounds)| check_field(field, bounds))
}

/// The schedule without `TZ=…` or `CRON_TZ=…`, which validation refuses anyway in new objects.
fn after_zone(schedule: &str) -> Result<&str, String> {
    if !schedule.starts_with("TZ=") && !schedule.starts_with("CRON_TZ=") {
        return Ok(schedule);
    }
    match schedule.find(' ') {
        Some(space) => Ok(schedule[space..].trim()),
        None => {
            let zone = schedule.split_once('=').map_or("", |(_, zone)| zone);
            let length = schedule.len() - zone.len();
            Err(format!("invalid schedule format: runtime error: slice bounds out of range [{length}:-1]"))
        }
    }
}

fn check_descriptor(descriptor: &str) -> Result<(), String> {
    match descriptor {
        "@yearly" | "@annually" | "@monthly" | "@weekly" | "@daily" | "@midnight" | "@hourly" => Ok(()),
        _ => match descriptor.strip_prefix("@every ") {
            Some(duration) if is_go_duration(duration) => Ok(()),
            Some(duration) => {
                let quoted = crate::objects::names::quoted(duration);
                Err(format!("failed to parse duration {descriptor}: time: invalid duration {quoted}"))
            }
            None => Err(format!("unrecognized descriptor: {descriptor}")),
        },
    }
}

/// `time.ParseDuration`: numbers with units, such as `1h30m`; or zero.
fn is_go_duration(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return true;
    }
    let mut rest = unsigned;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let digits = &rest[..number];
        let units = rest[number..].trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.');
        let unit = &rest[number..rest.len() - units.len()];
        let numeric = digits.bytes().any(|byte| byte.is_ascii_digit()) && digits.matches('.').count() <= 1;
        if !numeric || !matches!(unit, "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h") {
            return false;
        }
        rest = units;
    }
    !unsigned.is_empty()
}

fn check_field(field: &str, bounds: &Bounds) -> Result<(), String> {
    field.split(',').filter(|range| !range.is_empty()).try_for_each(|range| check_range(range, bounds))
}

/// `*`, `N`, `N-M`, each with `/STEP`.
fn check_range(range: &str, bounds: &Bounds) -> Result<(), String> {
    let parts: Vec<&str> = range.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?", ..] => (bounds.min, bounds.max),
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
            number(step)?
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
    Ok(())
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
        Err(_) => {
            let quoted = crate::objects::names::quoted(text);
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {quoted}: invalid syntax"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::schedule_fault;

    #[test]
    fn schedules_are_refused_in_the_parsers_words() {
        for fine in
            ["* * * * *", "*/5 0-12/2 1,15 JAN-mar sun", "5/15 * ? * *", "@daily", "@every 1h30m", "0 0 * * 0,6"]
        {
            assert_eq!(schedule_fault(fine), None, "{fine}");
        }
        for (schedule, fault) in [
            ("", "expected exactly 5 fields, found 0: []"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("a * * * *", r#"failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax"#),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("*/2/3 * * * *", "too many slashes: */2/3"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("@often", "unrecognized descriptor: @often"),
            ("@every x", r#"failed to parse duration @every x: time: invalid duration "x""#),
        ] {
            assert_eq!(schedule_fault(schedule).as_deref(), Some(fault), "{schedule}");
        }
    }
}
