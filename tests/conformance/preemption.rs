//! One failed scheduling attempt with preemption: which nodes could take the pod, who would have to leave, which node is
//! chosen, and what is said.

use seatrial::scheduler::{Candidate, Explanation, Verdict};
use serde_json::{Map, Value, json};

use crate::case::{Case, Outcome, compare};
use crate::scheduling;

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let explanation = scheduling::explain(case.input)?;
    let got = outcome(&explanation);
    let Some(seen) = case.output["oneOf"].as_array() else { return compare(case.output, &got) };
    let mut answers = seen.iter().map(|expected| compare(expected, &got));
    let first = answers.next().unwrap_or(Ok(()));
    if answers.any(|answer| answer.is_ok()) { Ok(()) } else { first }
}

fn names(candidate: &Candidate) -> Value {
    candidate.victims.iter().map(|pod| format!("{}/{}", pod.meta.namespace, pod.meta.name)).collect()
}

fn outcome(explanation: &Explanation) -> Value {
    let fits = explanation.nodes.iter().any(|(_, verdict)| matches!(verdict, Verdict::Feasible { .. }));
    if fits {
        return json!({"fits": true});
    }
    let mut told = json!({"fits": false, "message": explanation.message, "nominatedNode": ""});
    if let Some(chosen) = &explanation.nominated {
        told["nominatedNode"] = (*chosen.node).into();
        told["victims"] = names(chosen);
    }
    let candidates = explanation.candidates.iter().map(|candidate| {
        let cost = json!({"pdbViolations": candidate.pdb_violations, "victims": names(candidate)});
        (candidate.node.to_string(), cost)
    });
    told["candidates"] = candidates.collect::<Map<String, Value>>().into();
    told
}
