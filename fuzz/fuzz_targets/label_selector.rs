//! Label selectors: what is read prints as a selector that means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatrial::objects::Selector;

fuzz_target!(|text: &str| {
    let Ok(selector) = text.parse::<Selector>() else { return };
    let printed = selector.to_string();
    let again: Selector = printed.parse().unwrap_or_else(|error| panic!("{text:?} prints as {printed:?}: {error}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
});
