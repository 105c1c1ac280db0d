//! Parsing and printing selectors, and what they match.

use std::collections::BTreeMap;

use seatrial::objects::{FieldSelector, LabelSelector, Labels, Selector};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

/// What `labels: "common"` stands for where no case of the file spells it out.
const COMMON_LABELS: &str = r#"[{}, {"app": "web"}, {"app": "web", "tier": "a"}, {"app": "db", "tier": "b"},
    {"tier": ""}, {"app": ""}, {"n": "5"}, {"n": "10"}, {"n": "-3"}, {"n": "abc"}, {"n": "5.5"}, {"x/y": "1"},
    {"app": "web", "env": "prod", "n": "7"}, {"in": "notin"}, {"App": "web"}, {"app": "Web"}, {"n": "007"},
    {"n": "+5"}, {"n": "9223372036854775808"}]"#;

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let got = match case.input["op"].as_str() {
        Some("string") => {
            let text = case.input["selector"].as_str().ok_or("in.selector: no text".to_owned())?;
            labels_result(text.parse(), case)?
        }
        Some("object") => {
            let object = Option::<LabelSelector>::deserialize(&case.input["selector"]);
            let object = object.map_err(|error| format!("in.selector: {error}"))?;
            labels_result(object.map_or_else(|| Ok(Selector::nothing()), |object| object.compile()), case)?
        }
        Some("field") => fields_result(case)?,
        op => return Err(format!("in.op: unknown operation {op:?}").into()),
    };
    compare(case.output, &got)
}

fn labels_result<E: ToString>(selector: Result<Selector, E>, case: &Case<'_>) -> Result<Value, String> {
    let selector = match selector {
        Ok(selector) => selector,
        Err(error) => return Ok(json!({"error": error.to_string()})),
    };
    let matches: Vec<bool> = common_labels(case)?.iter().map(|labels| selector.matches(labels)).collect();
    Ok(json!({"canonical": selector.to_string(), "empty": selector.is_empty(), "matches": matches}))
}

fn common_labels(case: &Case<'_>) -> Result<Vec<Labels>, String> {
    let own = std::iter::once(case.input).chain(case.siblings.iter().map(|sibling| &sibling["in"]));
    let spelled_out = own.map(|input| &input["labels"]).find(|labels| labels.is_array());
    let list = match spelled_out {
        Some(list) => Vec::deserialize(list),
        None => serde_json::from_str(COMMON_LABELS),
    };
    list.map_err(|error| format!("in.labels: {error}"))
}

fn fields_result(case: &Case<'_>) -> Result<Value, String> {
    let text = case.input["selector"].as_str().ok_or("in.selector: no text")?;
    let selector: FieldSelector = match text.parse() {
        Ok(selector) => selector,
        Err(error) => return Ok(json!({"error": format!("{error}")})),
    };
    let fields = Vec::<BTreeMap<String, String>>::deserialize(&case.input["fields"]);
    let fields = fields.map_err(|error| format!("in.fields: {error}"))?;
    let value = |of: &BTreeMap<String, String>, name: &str| of.get(name).cloned().unwrap_or_default();
    let matches: Vec<bool> = fields.iter().map(|of| selector.matches(|name| value(of, name))).collect();
    Ok(json!({"canonical": selector.to_string(), "empty": selector.is_empty(), "matches": matches}))
}
