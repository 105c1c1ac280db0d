//! Scalars as kubectl's YAML reader takes them: YAML 1.1 as go-yaml v2 reads it, then JSON.
//!
//! Upstream: `go.yaml.in/yaml/v2/resolve.go`, `sigs.k8s.io/yaml/yaml.go` (keys), `encoding/json` (floats).

use std::borrow::Cow;

/// The value of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'t> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Str(Cow<'t, str>),
}

impl Scalar<'_> {
    /// The YAML tag that the value resolves to, in short form.
    fn tag(&self) -> &'static str {
        match self {
            Scalar::Null => "!!null",
            Scalar::Bool(_) => "!!bool",
            Scalar::Int(_) | Scalar::UInt(_) => "!!int",
            Scalar::Float(_) => "!!float",
            Scalar::Str(_) => "!!str",
        }
    }

    /// The value as JSON carries it: floats without a fraction become integers, as Go prints them.
    pub(super) fn into_json(self) -> Self {
        match self {
            Scalar::Float(number) => integral(number).unwrap_or(Scalar::Float(number)),
            other => other,
        }
    }
}

/// A float without a fraction as an integer, when one of 64 bits holds it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
fn integral(number: f64) -> Option<Scalar<'static>> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if number.trunc() != number {
        return None;
    }
    if (-TWO_63..TWO_63).contains(&number) {
        return Some(Scalar::Int(number as i64));
    }
    (0.0..2.0 * TWO_63).contains(&number).then_some(Scalar::UInt(number as u64))
}

/// The value of an unquoted scalar without a tag.
pub(super) fn resolve_plain(text: Cow<'_, str>) -> Scalar<'_> {
    match resolve_special(&text) {
        Some(scalar) => scalar,
        None => Scalar::Str(text),
    }
}

/// The value of a plain text that is not a string.
fn resolve_special(text: &str) -> Option<Scalar<'static>> {
    match text.as_bytes().first() {
        None => Some(Scalar::Null),
        Some(b'0'..=b'9' | b'+' | b'-') => signed_word(text).or_else(|| number(text)),
        Some(b'.') => dotted(text),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => word(text),
        Some(_) => None,
    }
}

/// Whether everybody reads an unquoted text as that text: it is no number, boolean, time or key of a merge.
pub(in crate::objects) fn is_plain_string(text: &str) -> bool {
    resolve_special(text).is_none() && text != "<<" && !is_time(text) && !is_sexagesimal(text)
}

/// What looks like a date, perhaps with a time of day.
fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let is_number = |part: &str, most| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let year = parts.next().is_some_and(|year| year.len() == 4 && is_number(year, 4));
    let month = parts.next().is_some_and(|month| is_number(month, 2));
    let day = parts.next().and_then(|rest| rest.split([' ', 'T', 't']).next()).is_some_and(|day| is_number(day, 2));
    year && month && day
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: a number to the base of 60 in YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits.split_once('.').map_or(digits, |(whole, _)| whole);
    let mut parts = whole.split(':');
    let of_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let first = parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()) && of_digits(part));
    first && whole.contains(':') && parts.all(|part| (1..=2).contains(&part.len()) && of_digits(part))
}

fn word(text: &str) -> Option<Scalar<'static>> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(Scalar::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Scalar::Bool(false))
        }
        "~" | "null" | "Null" | "NULL" => Some(Scalar::Null),
        _ => None,
    }
}

fn signed_word(text: &str) -> Option<Scalar<'static>> {
    match text {
        "+.inf" | "+.Inf" | "+.INF" => Some(Scalar::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => Some(Scalar::Float(f64::NEG_INFINITY)),
        _ => None,
    }
}

fn dotted(text: &str) -> Option<Scalar<'static>> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(Scalar::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" => Some(Scalar::Float(f64::INFINITY)),
        _ => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Scalar::Float),
    }
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let plain: Cow<'_, str> = if text.contains('_') { text.replace('_', "").into() } else { text.into() };
    integer(&plain).or_else(|| {
        let number = is_decimal_float(&plain).then(|| plain.parse::<f64>().ok())??;
        number.is_finite().then_some(Scalar::Float(number))
    })
}

/// An integer with Go's prefixes: `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match i64::try_from(magnitude) {
        Ok(value) => Some(Scalar::Int(if negative { -value } else { value })),
        Err(_) if negative => 0_i64.checked_sub_unsigned(magnitude).map(Scalar::Int),
        Err(_) if signed => None,
        Err(_) => Some(Scalar::UInt(magnitude)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal_float(text: &str) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.as_bytes();
    if let [b'+' | b'-', tail @ ..] = rest {
        rest = tail;
    }
    let whole = digits(rest);
    rest = &rest[whole..];
    if let [b'.', tail @ ..] = rest {
        let fraction = digits(tail);
        if whole == 0 && fraction == 0 {
            return false;
        }
        rest = &tail[fraction..];
    } else if whole == 0 {
        return false;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let tail = if let [b'+' | b'-', tail @ ..] = tail { tail } else { tail };
        let exponent = digits(tail);
        return exponent > 0 && exponent == tail.len();
    }
    rest.is_empty()
}

/// The value of a scalar with a tag of YAML's own namespace (`!!int`, given as `int`).
///
/// # Errors
/// The text does not fit the tag; the error is upstream's message.
pub(super) fn resolve_tagged<'t>(tag: &str, text: Cow<'t, str>) -> Result<Scalar<'t>, String> {
    if tag == "binary" {
        let bytes = decode_base64(&text).map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
        return Ok(Scalar::Str(String::from_utf8_lossy(&bytes).into_owned().into()));
    }
    if !matches!(tag, "bool" | "int" | "float" | "null") {
        return Ok(Scalar::Str(text));
    }
    match (tag, resolve_special(&text)) {
        ("float", Some(Scalar::Int(value))) => Ok(Scalar::Float(value as f64)),
        ("float", Some(Scalar::UInt(value))) => Ok(Scalar::Float(value as f64)),
        (_, Some(scalar)) if scalar.tag()[2..] == *tag => Ok(scalar),
        (_, other) => {
            let found = other.map_or("!!str", |scalar| scalar.tag());
            Err(format!("cannot decode {found} `{text}` as a !!{tag}"))
        }
    }
}

/// A scalar as the key of a JSON object; `None` for null, which cannot be one.
pub(super) fn key_text(scalar: Scalar<'_>) -> Option<Cow<'_, str>> {
    match scalar {
        Scalar::Null => None,
        Scalar::Bool(value) => Some(if value { "true" } else { "false" }.into()),
        Scalar::Int(value) => Some(value.to_string().into()),
        Scalar::UInt(value) => Some(value.to_string().into()),
        Scalar::Float(value) => Some(float_key(value).into()),
        Scalar::Str(text) => Some(text),
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)` with YAML's names for what is not finite.
#[expect(clippy::cast_possible_truncation, reason = "upstream prints keys with 32 bits")]
fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go's 'g' with the shortest precision switches to an exponent after six digits.
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    value.to_string()
}

/// Standard base64 with padding; line breaks are skipped.
///
/// # Errors
/// The offset of the first bad byte, as Go counts it.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut filled, mut padding) = (0_u32, 0_u32, 0_u32);
    for (at, byte) in text.bytes().enumerate() {
        let digit = match byte {
            b'\r' | b'\n' => continue,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if filled >= 2 && padding < 4 - filled => {
                padding += 1;
                continue;
            }
            _ => return Err(at),
        };
        if padding > 0 {
            return Err(at);
        }
        group = group << 6 | u32::from(digit);
        filled += 1;
        if filled == 4 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, filled) = (0, 0);
        }
    }
    match (filled, padding) {
        (0, 0) => {}
        (2, 2) => bytes.push((group >> 4) as u8),
        (3, 1) => bytes.extend_from_slice(&((group >> 2) as u16).to_be_bytes()),
        _ => return Err(text.len()),
    }
    Ok(bytes)
}
