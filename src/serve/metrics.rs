//! `metrics.k8s.io`: what `kubectl top` asks for.

use serde_json::{Value, json};

use crate::objects::{Key, Selector};
use crate::sim::Simulation;

use super::answer::Answer;
use super::path::ResourcePath;
use super::reads::selectors;
use super::request::HttpRequest;

pub(super) const GROUP_VERSION: [&str; 2] = ["metrics.k8s.io", "v1beta1"];
const API_VERSION: &str = "metrics.k8s.io/v1beta1";

pub(super) fn resources() -> [Value; 2] {
    [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)].map(|(name, kind, namespaced)| {
        json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]})
    })
}

pub(super) fn answer(sim: &Simulation, path: &ResourcePath<'_>, request: &HttpRequest) -> Result<Answer, Answer> {
    if request.method != "GET" {
        return Err(Answer::not_allowed());
    }
    let (labels, _) = selectors(request)?;
    let (kind, mut found) = match path.resource {
        "nodes" => ("NodeMetrics", nodes(sim, path.name, &labels)),
        "pods" => ("PodMetrics", pods(sim, path, &labels)),
        _ => return Err(Answer::nowhere()),
    };
    for item in &mut found {
        item["kind"] = kind.into();
        item["apiVersion"] = API_VERSION.into();
    }
    match path.name {
        None => {
            let document =
                json!({"kind": format!("{kind}List"), "apiVersion": API_VERSION, "metadata": {}, "items": found});
            Ok(Answer::json(200, &document))
        }
        Some(name) => match found.first() {
            Some(one) => Ok(Answer::json(200, one)),
            None => {
                let message = format!("{kind}.metrics.k8s.io {name:?} not found");
                Err(Answer::failure(404, "NotFound", message))
            }
        },
    }
}

fn nodes(sim: &Simulation, name: Option<&str>, labels: &Selector) -> Vec<Value> {
    let is_wanted = |node: &str| {
        let object = sim.view().nodes.get(&Key::new("", node));
        name.is_none_or(|name| name == node) && object.is_some_and(|object| labels.matches(&object.meta.labels))
    };
    sim.node_usage().iter().filter(|usage| is_wanted(&usage.name)).map(|usage| usage.to_wire()).collect()
}

fn pods(sim: &Simulation, path: &ResourcePath<'_>, labels: &Selector) -> Vec<Value> {
    let wanted = sim.pod_usage().iter().filter(|usage| {
        path.namespace.is_none_or(|namespace| *usage.key.namespace == *namespace)
            && path.name.is_none_or(|name| *usage.key.name == *name)
            && labels.matches(&usage.labels)
    });
    wanted.map(|usage| usage.to_wire()).collect()
}
