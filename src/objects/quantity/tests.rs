use proptest::prelude::*;

use super::*;

fn q(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_quantity_is_half_a_cache_line() {
    assert_eq!(size_of::<Quantity>(), 32);
    assert_eq!(size_of::<Option<Quantity>>(), 32);
}

#[test]
fn texts_that_upstream_keeps_are_kept_until_the_number_changes() {
    for text in ["+1", "010", "1.", "1.Gi", "27.619M", "1e+06", "1E-3", "1e00", "1e-0", "-007.500", "+1m", "1500e3"] {
        assert_eq!(q(text).to_string(), text);
    }
    for (text, sum) in [("+1", "1"), ("010", "10"), ("27.619M", "27619k"), ("1e+06", "1e6"), ("1.Gi", "1Gi")] {
        assert_eq!((q(text) + Quantity::ZERO).to_string(), sum);
    }
}

#[test]
fn an_exponent_beyond_32_bits_wraps_as_upstream() {
    assert_eq!(q("1e4294967296").to_string(), "1");
    assert_eq!("1e99999999999999999999".parse::<Quantity>(), Err(QuantityError::Suffix));
}

#[test]
fn a_suffix_needs_digits_only_where_the_slow_path_reads_it() {
    assert_eq!(q("Ti"), Quantity::ZERO);
    assert_eq!("Ei".parse::<Quantity>(), Err(QuantityError::Numeric));
    assert_eq!("+.Pi".parse::<Quantity>(), Err(QuantityError::Numeric));
    assert_eq!(q("+").to_string(), "0");
}

#[test]
fn a_value_without_a_suffix_is_written_without_one() {
    assert_eq!(q("1000E").to_string(), "1");
    assert_eq!((q("500E") + q("500E")).to_string(), "1");
}

#[test]
fn long_fractions_round_up_exactly() {
    let zeros = "0".repeat(80);
    assert_eq!(q(&format!("1.{zeros}1")).to_string(), "1000000001n");
    assert_eq!(q(&format!("1.{zeros}")).to_string(), "1");
    assert_eq!(q(&format!("1.{zeros}1Ki")).to_string(), "1024000000001n");
    assert_eq!(q(&format!("-1.{zeros}1")).to_string(), "-1000000001n");
    assert_eq!(q(&format!("0.{zeros}1Gi")).format(), Format::DecimalSi);
}

#[test]
fn huge_exponents_compare_and_add_without_growing() {
    let huge = q("1e2147483647");
    assert!(huge > q("9e1000000") && -huge < q("-9e1000000"));
    assert!(q("1e-2147483648") == q("1n"));
    assert_eq!((huge + q("1n")).sign(), 1);
    assert_eq!((huge - huge).sign(), 0);
    assert_eq!((q("1n") + huge - huge).sign(), 1, "what does not fit is rounded away from zero");
    assert_eq!(q("1234567890123456789e1000000").value(), 0);
}

#[test]
fn numbers_in_json_are_read_as_their_text() {
    let read = |json: &str| serde_json::from_str::<Quantity>(json).map(|quantity| quantity.to_string());
    assert_eq!(read("2").ok().as_deref(), Some("2"));
    assert_eq!(read("0.5").ok().as_deref(), Some("500m"));
    assert_eq!(read("-3").ok().as_deref(), Some("-3"));
    assert_eq!(read("1e21").ok().as_deref(), Some("1e+21"));
    assert_eq!(read("\" 5Gi\\n\"").ok().as_deref(), Some("5Gi"));
    assert_eq!(read("null").ok().as_deref(), Some("0"));
    assert!(read("true").is_err() && read("\"\"").is_err());
    assert_eq!(serde_json::to_string(&q("1.5Gi")).ok().as_deref(), Some("\"1536Mi\""));
}

/// Texts as users write them, and somewhat beyond.
fn texts() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[+-]?0{0,2}[0-9]{1,12}(\\.[0-9]{0,10})?([KMGTPE]i|[numkMGTP]|[eE][+-]?0?[0-9])?")
        .expect("a regular expression")
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        if let Ok(quantity) = text.parse::<Quantity>() {
            let _ = (quantity.to_string(), quantity.value(), quantity.milli_value(), quantity.as_approximate_f64());
        }
    }

    #[test]
    fn near_quantities_never_panic(
        a in "[+-]?[0-9.]{0,50}([eE][+-]?[0-9]{0,10}|[numkMGTPE]|[KMGTPE]i)?",
        b in "[+-]?[0-9.]{0,50}([eE][+-]?[0-9]{0,10}|[numkMGTPE]|[KMGTPE]i)?",
        scale in -12..12,
    ) {
        if let (Ok(mut a), Ok(b)) = (a.parse::<Quantity>(), b.parse::<Quantity>()) {
            let (sum, difference) = (a + b, a - b);
            let _ = (sum.to_string(), difference.to_string(), sum.value(), difference.milli_value(), a.cmp(&b));
            a.round_up(scale);
            let _ = a.to_string();
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_value(text in texts()) {
        let quantity = q(&text);
        prop_assert_eq!(q(&quantity.to_string()), quantity);
        let canonical = quantity.canonical().to_string();
        prop_assert_eq!(q(&canonical), quantity);
        prop_assert_eq!(q(&canonical).canonical().to_string(), canonical);
    }

    #[test]
    fn kept_texts_are_the_text_itself(text in texts()) {
        let quantity = q(&text);
        if quantity.spelling.is_kept() {
            prop_assert_eq!(quantity.to_string(), text);
        }
    }

    #[test]
    fn order_agrees_with_addition(a in texts(), b in texts(), c in texts()) {
        let (a, b, c) = (q(&a), q(&b), q(&c));
        prop_assert_eq!(a.cmp(&b), (a + c).cmp(&(b + c)));
        prop_assert_eq!(a.cmp(&b), (a - b).cmp(&Quantity::ZERO));
        prop_assert_eq!(a + b, b + a);
        prop_assert_eq!((a + b) - b, a);
    }
}
