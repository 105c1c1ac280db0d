//! Quantities: what is read prints as something that reads as the same value, and reads without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatrial::objects::Quantity;

fuzz_target!(|text: &str| {
    let Ok(quantity) = Quantity::parse(text) else { return };
    let _ = (quantity.value(), quantity.milli_value(), quantity.as_approximate_f64());
    let printed = quantity.to_string();
    let again = Quantity::parse(&printed).unwrap_or_else(|error| panic!("{text:?} prints as {printed:?}: {error}"));
    // Upstream has no suffix above E and drops the rest, and so do we.
    if quantity.as_approximate_f64().abs() < 1e21 {
        assert_eq!(again, quantity, "{text:?} prints as {printed:?}");
        assert_eq!(again.cmp(&quantity), std::cmp::Ordering::Equal);
    }
});
