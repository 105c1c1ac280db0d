use proptest::prelude::*;

use super::civil::{Civil, seconds_of};
use super::{Schedule, Zone};
use crate::objects::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn fault(schedule: &str) -> Option<String> {
    schedule.parse::<Schedule>().err().map(|fault| fault.to_string())
}

/// The next times after one, as clocks of UTC show them.
fn times(schedule: &str, after: &str, count: usize) -> Vec<String> {
    let schedule: Schedule = schedule.parse().expect("a schedule");
    std::iter::successors(schedule.next(at(after)), |last| schedule.next(*last))
        .take(count)
        .map(|time| time.to_string())
        .collect()
}

#[test]
fn schedules_are_refused_in_the_parsers_words() {
    for fine in ["* * * * *", "*/5 0-12/2 1,15 JAN-mar sun", "5/15 * ? * *", "@daily", "@every 1h30m", "0 0 * * 0,6"] {
        assert_eq!(fault(fine), None, "{fine}");
    }
    for (schedule, expected) in [
        ("", "empty spec string"),
        (" ", "expected exactly 5 fields, found 0: []"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("a * * * *", r#"failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax"#),
        (
            "99999999999999999999 * * * *",
            "failed to parse int from 99999999999999999999: \
             strconv.Atoi: parsing \"99999999999999999999\": value out of range",
        ),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/2/3 * * * *", "too many slashes: */2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every x", r#"failed to parse duration @every x: time: invalid duration "x""#),
        ("@every 5", r#"failed to parse duration @every 5: time: missing unit in duration "5""#),
        ("@every 5d", r#"failed to parse duration @every 5d: time: unknown unit "d" in duration "5d""#),
        ("TZ=UTC", "invalid schedule format: runtime error: slice bounds out of range [:-1]"),
        ("TZ=europe/berlin * * * * *", "provided bad location europe/berlin: unknown time zone europe/berlin"),
        ("TZ=../x * * * * *", "provided bad location ../x: time: invalid location name"),
    ] {
        assert_eq!(fault(schedule).as_deref(), Some(expected), "{schedule}");
    }
}

#[test]
fn a_number_with_a_step_goes_on_to_the_greatest_value() {
    assert_eq!(
        times("5/15 * * * *", "2026-01-01T00:00:00Z", 5),
        [
            "2026-01-01T00:05:00Z",
            "2026-01-01T00:20:00Z",
            "2026-01-01T00:35:00Z",
            "2026-01-01T00:50:00Z",
            "2026-01-01T01:05:00Z"
        ]
    );
}

#[test]
fn of_two_restricted_fields_of_days_one_is_enough() {
    assert_eq!(
        times("0 0 13 * FRI", "2026-02-01T00:00:00Z", 3),
        ["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]
    );
    // A star with a step is a restriction, one with step 1 is none.
    assert_eq!(times("0 0 */1 * FRI", "2026-02-01T00:00:00Z", 1), ["2026-02-06T00:00:00Z"]);
    assert_eq!(times("0 0 */2 * FRI", "2026-02-01T00:00:00Z", 1), ["2026-02-03T00:00:00Z"]);
}

#[test]
fn every_counts_from_the_last_time_in_whole_seconds() {
    assert_eq!(times("@every 1m30.9s", "2026-01-01T00:00:07Z", 2), ["2026-01-01T00:01:37Z", "2026-01-01T00:03:07Z"]);
    assert_eq!(times("@every 1ms", "2026-01-01T00:00:00Z", 1), ["2026-01-01T00:00:01Z"]);
    assert_eq!(times("@every -5h", "2026-01-01T00:00:00Z", 1), ["2026-01-01T00:00:01Z"]);
}

#[test]
fn days_that_do_not_exist_are_given_up_after_five_years() {
    assert_eq!(times("0 0 30 2 *", "2026-01-01T00:00:00Z", 1), [""; 0]);
    assert_eq!(times("0 0 29 2 *", "2096-03-01T00:00:00Z", 1), [""; 0]);
    assert_eq!(times("0 0 29 2 *", "2024-03-01T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
}

#[test]
fn where_clocks_are_set_forward_a_time_is_left_out_and_where_back_it_may_come_twice() {
    let berlin = "CRON_TZ=Europe/Berlin 30 2 * * *";
    assert_eq!(times(berlin, "2026-03-28T00:00:00Z", 2), ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]);
    assert_eq!(
        times(berlin, "2026-10-24T12:00:00Z", 3),
        ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"]
    );
}

#[test]
fn a_zone_without_a_day_does_not_hang_the_search() {
    // Samoa left out December 30, 2011.
    assert_eq!(times("TZ=Pacific/Apia 0 0 31 12 *", "2011-12-01T00:00:00Z", 1), [""; 0]);
}

#[test]
fn zones_are_found_by_their_exact_names() {
    for name in ["UTC", "", "Local", "Europe/Berlin", "US/Eastern", "Etc/GMT+12", "EST"] {
        assert!(Zone::named(name).is_some(), "{name}");
    }
    for name in ["utc", "europe/berlin", "Mars/Base", "Etc/Unknown", "+02:00"] {
        assert!(Zone::named(name).is_none(), "{name}");
    }
}

#[test]
fn times_are_written_with_the_offset_of_their_zone() {
    let format = |zone: &str| Zone::named(zone).expect("a zone").format(at("2024-05-01T01:00:00Z"));
    assert_eq!(format("Europe/Berlin"), "2024-05-01T03:00:00+02:00");
    assert_eq!(format("America/St_Johns"), "2024-04-30T22:30:00-02:30");
    assert_eq!(format("UTC"), "2024-05-01T01:00:00Z");
}

proptest! {
    #[test]
    fn dates_and_seconds_are_two_ways_to_say_the_same(unix in -60_000_000_000_i64..250_000_000_000) {
        let civil = Civil::of(unix);
        let of_day = i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        prop_assert_eq!(seconds_of(civil.year, civil.month.into(), civil.day.into(), of_day), unix);
        let known = jiff::Timestamp::from_second(unix).expect("in range").to_zoned(jiff::tz::TimeZone::UTC);
        prop_assert_eq!(civil.weekday, u32::from(known.weekday().to_sunday_zero_offset().unsigned_abs()));
        prop_assert_eq!((civil.month, civil.day), (known.month() as u32, known.day() as u32));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,20}", spaced in "[-0-9*/,?@A-Z =]{0,24}") {
        let _ = text.parse::<Schedule>();
        let _ = spaced.parse::<Schedule>();
        let _ = format!("@every {text}").parse::<Schedule>();
    }

    #[test]
    fn the_next_time_is_later_and_is_the_first_one(
        minute in 0_i64..60, hour in 0_i64..24, day in 1_i64..29, from in 1_700_000_000_i64..1_900_000_000,
    ) {
        let schedule: Schedule = format!("{minute} {hour} {day} * *").parse().expect("a schedule");
        let after = Timestamp::from_unix_secs(from);
        let next = schedule.next(after).expect("every month has such a day");
        prop_assert!(next > after && next.as_unix_secs() - from <= 31 * 86_400);
        let shown = Civil::of(next.as_unix_secs());
        prop_assert_eq!((i64::from(shown.minute), i64::from(shown.hour), i64::from(shown.day)), (minute, hour, day));
        let one_before = Timestamp::from_unix_secs(next.as_unix_secs() - 1);
        prop_assert_eq!(schedule.next(one_before), Some(next));
    }
}
