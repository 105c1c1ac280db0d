//! What no cluster has: paths under `/seatrial` by which time passes and things happen to machines.

use serde_json::{Value, json};

use crate::kernel::SimDuration;
use crate::sim::Simulation;

use super::answer::Answer;
use super::endpoint::Endpoint;
use super::request::HttpRequest;

/// Most virtual time that one request lets pass.
const ADVANCE_MAX: SimDuration = SimDuration::from_hours(24 * 366);

pub(super) fn answer(endpoint: &mut Endpoint<'_>, parts: &[&str], request: &HttpRequest) -> Result<Answer, Answer> {
    match (&*request.method, parts) {
        ("GET", [] | ["status"]) => {}
        ("POST", ["advance"]) => endpoint.advance(asked_time(request)?),
        ("POST", ["nodes", node, verb @ ("up" | "down")]) => {
            let sim = endpoint.session_mut().simulation_mut();
            let done = if *verb == "up" { sim.node_up(node) } else { sim.node_down(node) };
            done.map_err(|error| Answer::failure(404, "NotFound", error.to_string()))?;
        }
        (_, ["status" | "advance"] | ["nodes", _, "up" | "down"]) => return Err(Answer::not_allowed()),
        _ => return Err(Answer::nowhere()),
    }
    Ok(Answer::json(200, &status(endpoint.simulation())))
}

fn asked_time(request: &HttpRequest) -> Result<SimDuration, Answer> {
    let bad = |why: String| Answer::failure(400, "BadRequest", why);
    let by = request.value("by").ok_or_else(|| bad("by: Required value, such as by=30s".to_owned()))?;
    let by: SimDuration = by.parse().map_err(|error| bad(format!("by: {error}")))?;
    if by > ADVANCE_MAX { Err(bad(format!("by: at most {ADVANCE_MAX} at once"))) } else { Ok(by) }
}

/// Where the simulation is.
fn status(sim: &Simulation) -> Value {
    json!({
        "now": sim.now().to_string(), "wall": sim.wall().timestamp().to_string(), "events": sim.events(),
        "quiescent": sim.is_quiescent(), "stopped": sim.livelock().is_some() || sim.is_exhausted(),
    })
}
