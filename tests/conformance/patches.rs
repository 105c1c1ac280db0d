//! Strategic, merge and JSON patches, and the patch that `kubectl apply` computes.

use seatrial::objects::patch::{self, PatchError};
use seatrial::objects::schema::{self, TypeRef};
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let input = case.input;
    let document = |field: &str| input[field].clone();
    let got = match input["op"].as_str() {
        Some("strategic") => {
            result(patch::strategic_merge(document("original"), document("patch"), ty(&input["kind"])?))
        }
        Some("merge") => result(patch::json_merge(document("original"), document("patch"))),
        Some("json") => result(patch::json_patch(document("original"), &input["patch"])),
        Some("apply") => apply(input, ty(&input["kind"])?),
        op => return Err(format!("in.op: unknown operation {op:?}").into()),
    };
    let got = got.unwrap_or_else(|error| json!({"error": error.to_string()}));
    if is_runtime_error(case.output) && is_runtime_error(&got) {
        return Ok(());
    }
    compare(case.output, &got)
}

/// Which runtime error it is depends on Go's internals.
fn is_runtime_error(out: &Value) -> bool {
    out["error"].as_str().is_some_and(|error| error.contains("runtime error"))
}

fn result(patched: Result<Value, PatchError>) -> Result<Value, PatchError> {
    patched.map(|document| json!({"result": document}))
}

fn apply(input: &Value, ty: TypeRef) -> Result<Value, PatchError> {
    let patch = patch::three_way_merge(&input["lastApplied"], &input["new"], &input["current"], ty)?;
    let result = patch::strategic_merge(input["current"].clone(), patch.clone(), ty)?;
    Ok(json!({"patch": patch, "result": result}))
}

fn ty(kind: &Value) -> Result<TypeRef, String> {
    let text = kind.as_str().ok_or("in.kind: no text")?;
    let (api_version, name) = text.rsplit_once('/').ok_or_else(|| format!("in.kind: {text}"))?;
    schema::lookup(api_version, name).ok_or_else(|| format!("in.kind: no schema for {text}"))
}
