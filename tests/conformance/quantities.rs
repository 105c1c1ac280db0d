//! Parsing, printing, comparing, adding and rounding quantities.

use seatrial::objects::{Format, Quantity};
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let text = |field: &str| case.input[field].as_str().ok_or(format!("in.{field}: no text"));
    let quantity = |field: &str| -> Result<Quantity, String> {
        let text = text(field)?;
        text.parse().map_err(|error| format!("in.{field}: {text}: {error}"))
    };
    let got = match text("op")? {
        "parse" => parsed(text("s")?, case.output),
        "pair" => pair(quantity("a")?, quantity("b")?),
        "round" => {
            let scale = case.input["scale"].as_i64().and_then(|scale| i32::try_from(scale).ok());
            rounded(quantity("s")?, scale.ok_or("in.scale: no integer".to_owned())?)
        }
        op => return Err(format!("in.op: unknown operation {op}").into()),
    };
    compare(case.output, &got)
}

fn parsed(text: &str, expected: &Value) -> Value {
    let quantity: Quantity = match text.parse() {
        Ok(quantity) => quantity,
        Err(error) => return json!({"ok": false, "error": format!("{error}")}),
    };
    let mut got = json!({
        "ok": true,
        "canonical": quantity.to_string(),
        "format": match quantity.format() {
            Format::BinarySi => "BinarySI",
            Format::DecimalSi => "DecimalSI",
            Format::DecimalExponent => "DecimalExponent",
        },
        "value": quantity.value(),
        "milliValue": quantity.milli_value(),
        "sign": quantity.sign(),
        "float": float(quantity.as_approximate_f64(), &expected["float"]),
    });
    let recomputed = quantity.canonical().to_string();
    if recomputed != quantity.to_string() {
        got["recomputed"] = recomputed.into();
    }
    got
}

/// The expected text of a float if it denotes exactly this one, else Rust's.
fn float(value: f64, expected: &Value) -> Value {
    let same = expected.as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(|float| float == value);
    if same { expected.clone() } else { value.to_string().into() }
}

fn pair(a: Quantity, b: Quantity) -> Value {
    json!({
        "sum": (a + b).to_string(),
        "sumReverse": (b + a).to_string(),
        "difference": (a - b).to_string(),
        "cmp": a.cmp(&b) as i8,
    })
}

fn rounded(mut quantity: Quantity, scale: i32) -> Value {
    let exact = quantity.round_up(scale);
    json!({"result": quantity.to_string(), "exact": exact})
}
