//! Limits of single pods and claims (admission plugin `LimitRanger`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::ApiServer;
use super::strategy::stored;
use crate::api::View;
use crate::objects::pod_resources::{ResourceAmounts, ResourceOptions, listed, pod_limits, pod_requests};
use crate::objects::storage::ResourceList;
use crate::objects::wire::{Wire, WireMut};
use crate::objects::{LimitRange, LimitRangeItem, PersistentVolumeClaim, Quantity};

/// Annotation of a pod that says what was filled in.
pub(super) const ANNOTATION: &str = "kubernetes.io/limit-ranger";
/// Largest value that is compared in thousandths (`resource.MaxMilliValue`).
const MAX_MILLI_VALUE: i64 = i64::MAX / 1000;

stored!(LimitRange, [], {
    fn on_write(server: &mut ApiServer, _old: Option<&Self>, _new: Option<&Self>) {
        server.forget_admitted();
    }
});

/// Whether a namespace has limits.
pub(super) fn applies(view: &View, namespace: &str) -> bool {
    view.limit_ranges.in_namespace(namespace).next().is_some()
}

/// Gives the containers of a new pod what they do not ask for themselves, and checks what the pod asks for then. Returns the
/// text of the annotation, if something was filled in. Several LimitRanges come in the order of their names.
///
/// # Errors
/// Why the pod is forbidden.
pub(super) fn admit_pod(view: &View, namespace: &str, spec: &mut Map<String, Value>) -> Result<Option<String>, String> {
    let ranges = sorted(view, namespace);
    let mut filled = None;
    let mut spec_value = Value::Object(std::mem::take(spec));
    for range in &ranges {
        // A later LimitRange writes the annotation anew, as upstream.
        filled = fill(&mut spec_value, &range.spec.limits).or(filled);
    }
    let checked = ranges.iter().try_for_each(|range| check_pod(&spec_value, &range.spec.limits));
    if let Value::Object(completed) = spec_value {
        *spec = completed;
    }
    checked.map(|()| filled)
}

/// Checks the size that a claim asks for.
///
/// # Errors
/// Why the claim is forbidden.
pub(super) fn check_claim(view: &View, claim: &PersistentVolumeClaim) -> Result<(), String> {
    let requests: ResourceAmounts =
        claim.spec.resources.requests.iter().map(|(name, amount)| (name.to_string(), *amount)).collect();
    sorted(view, &claim.meta.namespace).iter().try_for_each(|range| {
        let mut errors = Vec::new();
        for item in range.spec.limits.iter().filter(|item| item.kind == *"PersistentVolumeClaim") {
            let asked = Asked { of: &item.kind, requests: &requests, limits: &BTreeMap::new() };
            errors.extend(item.min.iter().filter_map(|(name, bound)| asked.below(name, *bound)));
            errors.extend(item.max.iter().filter_map(|(name, bound)| asked.request_above(name, *bound)));
        }
        aggregate(errors)
    })
}

fn sorted<'a>(view: &'a View, namespace: &str) -> Vec<&'a Arc<LimitRange>> {
    let mut ranges: Vec<&Arc<LimitRange>> = view.limit_ranges.in_namespace(namespace).collect();
    ranges.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
    ranges
}

/// Fills in defaults; says which.
fn fill(spec: &mut Value, limits: &[LimitRangeItem]) -> Option<String> {
    let (mut requests, mut maxima) = (ResourceList::new(), ResourceList::new());
    for item in limits.iter().filter(|item| item.kind == *"Container") {
        requests.extend(item.default_request.iter().map(|(name, amount)| (name.clone(), *amount)));
        maxima.extend(item.default.iter().map(|(name, amount)| (name.clone(), *amount)));
    }
    let mut told = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        for container in spec.list_mut(list) {
            let name = container.text("name").to_owned();
            let Some(resources) = container.ensure_object("resources") else { continue };
            let limits = complete(resources, "limits", &maxima);
            for (names, field) in [(complete(resources, "requests", &requests), "request"), (limits, "limit")] {
                if !names.is_empty() {
                    told.push(format!("{} {field} for {what} {name}", names.join(", ")));
                }
            }
        }
    }
    (!told.is_empty()).then(|| format!("LimitRanger plugin set: {}", told.join("; ")))
}

/// Adds the defaults that are missing to a list of resources; their names.
fn complete(resources: &mut Value, list: &str, defaults: &ResourceList) -> Vec<String> {
    let missing: Vec<_> = defaults.iter().filter(|(name, _)| !resources.at(list).has(name)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    if let Some(amounts) = resources.ensure_object(list) {
        missing.iter().for_each(|(name, amount)| amounts.set(name, amount.to_string()));
    }
    missing.into_iter().map(|(name, _)| name.to_string()).collect()
}

fn check_pod(spec: &Value, limits: &[LimitRangeItem]) -> Result<(), String> {
    let mut errors = Vec::new();
    for item in limits {
        let mut check = |requests: &ResourceAmounts, limits: &ResourceAmounts| {
            let asked = Asked { of: &item.kind, requests, limits };
            errors.extend(item.min.iter().filter_map(|(name, bound)| asked.below(name, *bound)));
            errors.extend(item.max.iter().filter_map(|(name, bound)| asked.above(name, *bound)));
            let ratios = item.max_limit_request_ratio.iter();
            errors.extend(ratios.filter_map(|(name, bound)| asked.ratio_above(name, *bound)));
        };
        match &*item.kind {
            "Container" => {
                for container in spec.list("containers").iter().chain(spec.list("initContainers")) {
                    let resources = container.at("resources");
                    check(&listed(resources.at("requests")), &listed(resources.at("limits")));
                }
            }
            "Pod" => {
                let options = ResourceOptions { without_overhead: true, ..ResourceOptions::default() };
                check(&pod_requests(spec, options), &pod_limits(spec, options));
            }
            _ => {}
        }
    }
    aggregate(errors)
}

/// What is asked for, and by whom.
struct Asked<'a> {
    of: &'a str,
    requests: &'a ResourceAmounts,
    limits: &'a ResourceAmounts,
}

impl Asked<'_> {
    fn below(&self, name: &str, bound: Quantity) -> Option<String> {
        let refused = |why: String| Some(format!("minimum {name} usage per {} is {bound}{why}", self.of));
        let (request, limit) = (self.requests.get(name), self.limits.get(name));
        let [requested, limited, least] = comparable([request, limit, Some(&bound)]);
        match (request, limit) {
            (None, _) => refused(".  No request is specified".to_owned()),
            (Some(request), _) if requested < least => refused(format!(", but request is {request}")),
            (_, Some(limit)) if limited < least => refused(format!(", but limit is {limit}")),
            _ => None,
        }
    }

    fn above(&self, name: &str, bound: Quantity) -> Option<String> {
        let refused = |why: String| Some(format!("maximum {name} usage per {} is {bound}{why}", self.of));
        let (request, limit) = (self.requests.get(name), self.limits.get(name));
        let [requested, limited, most] = comparable([request, limit, Some(&bound)]);
        match (limit, request) {
            (None, _) => refused(".  No limit is specified".to_owned()),
            (Some(limit), _) if limited > most => refused(format!(", but limit is {limit}")),
            (_, Some(request)) if requested > most => refused(format!(", but request is {request}")),
            _ => None,
        }
    }

    fn request_above(&self, name: &str, bound: Quantity) -> Option<String> {
        let refused = |why: String| Some(format!("maximum {name} usage per {} is {bound}{why}", self.of));
        let request = self.requests.get(name);
        let [requested, _, most] = comparable([request, None, Some(&bound)]);
        match request {
            None => refused(".  No request is specified".to_owned()),
            Some(request) if requested > most => refused(format!(", but request is {request}")),
            Some(_) => None,
        }
    }

    fn ratio_above(&self, name: &str, bound: Quantity) -> Option<String> {
        let refused =
            |why: &str| Some(format!("{name} max limit to request ratio per {} is {bound}, but {why}", self.of));
        let [request, limit, _] = comparable([self.requests.get(name), self.limits.get(name), Some(&bound)]);
        if request == 0 {
            return refused("no request is specified or request is 0");
        }
        if limit == 0 {
            return refused("no limit is specified or limit is 0");
        }
        // limit / request > bound, in whole numbers: a decision must not hang on a rounding.
        let is_above = i128::from(limit) * 1000 > i128::from(request) * i128::from(bound.milli_value());
        if is_above { refused(&format!("provided ratio is {:.6}", limit as f64 / request as f64)) } else { None }
    }
}

/// The amounts as numbers of one scale: thousandths, unless one is too large for that.
fn comparable(amounts: [Option<&Quantity>; 3]) -> [i64; 3] {
    let is_small = amounts.iter().flatten().all(|amount| amount.value() <= MAX_MILLI_VALUE);
    amounts.map(|amount| amount.map_or(0, |amount| if is_small { amount.milli_value() } else { amount.value() }))
}

/// Several errors as `utilerrors.NewAggregate` tells them.
fn aggregate(mut errors: Vec<String>) -> Result<(), String> {
    let mut told: Vec<String> = Vec::new();
    errors.retain(|error| {
        let is_new = !told.contains(error);
        told.push(error.clone());
        is_new
    });
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        _ => Err(format!("[{}]", errors.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limits(items: Value) -> Vec<LimitRangeItem> {
        serde_json::from_value(items).expect("limits")
    }

    fn pod(containers: &[Value], init: &[Value]) -> Value {
        let named = |list: &[Value]| -> Value {
            list.iter()
                .enumerate()
                .map(|(n, resources)| json!({"name": format!("c{n}"), "resources": resources}))
                .collect()
        };
        json!({"containers": named(containers), "initContainers": named(init)})
    }

    fn refusal(item: Value, containers: &[Value], init: &[Value]) -> String {
        check_pod(&pod(containers, init), &limits(json!([item]))).err().unwrap_or_default()
    }

    #[test]
    fn what_is_not_asked_for_is_filled_in_and_told() {
        let limits = limits(
            json!([{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "500m", "memory": "1Gi"}}]),
        );
        let mut spec = pod(&[json!({}), json!({"requests": {"cpu": "2"}, "limits": {"cpu": "3"}})], &[json!({})]);
        assert_eq!(
            fill(&mut spec, &limits).as_deref(),
            Some(
                "LimitRanger plugin set: cpu, memory request for container c0; cpu limit for container c0; memory request \
                 for container c1; cpu, memory request for init container c0; cpu limit for init container c0"
            )
        );
        assert_eq!(
            spec["containers"][0]["resources"],
            json!({"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1"}})
        );
        assert_eq!(fill(&mut spec, &limits), None, "nothing is left to fill in");
    }

    #[test]
    fn containers_are_held_between_minimum_and_maximum() {
        let min = json!({"type": "Container", "min": {"cpu": "50m"}});
        assert_eq!(
            refusal(min.clone(), &[json!({"requests": {"cpu": "40m"}})], &[]),
            "minimum cpu usage per Container is 50m, but request is 40m"
        );
        assert_eq!(refusal(min, &[json!({})], &[]), "minimum cpu usage per Container is 50m.  No request is specified");
        let max = json!({"type": "Container", "max": {"cpu": "2"}});
        assert_eq!(
            refusal(max.clone(), &[json!({"limits": {"cpu": "2500m"}})], &[]),
            "maximum cpu usage per Container is 2, but limit is 2500m"
        );
        assert_eq!(refusal(max, &[json!({})], &[]), "maximum cpu usage per Container is 2.  No limit is specified");
    }

    #[test]
    fn a_limit_may_be_so_many_times_the_request() {
        let ratio = |most: &str| json!({"type": "Container", "maxLimitRequestRatio": {"cpu": most}});
        let asked = json!({"requests": {"cpu": "500m"}, "limits": {"cpu": "750m"}});
        assert_eq!(refusal(ratio("1.5"), std::slice::from_ref(&asked), &[]), "");
        assert_eq!(
            refusal(ratio("1"), &[asked], &[]),
            "cpu max limit to request ratio per Container is 1, but provided ratio is 1.500000"
        );
    }

    #[test]
    fn a_pod_counts_the_larger_of_what_starts_and_what_runs() {
        let max = json!({"type": "Pod", "max": {"cpu": "2", "memory": "1Gi"}});
        let limit = |cpu: &str, memory: &str| json!({"limits": {"cpu": cpu, "memory": memory}});
        let two = [limit("1", "500Mi"), limit("1", "100Mi")];
        assert_eq!(refusal(max.clone(), &two, &[limit("2", "1Gi"), limit("1", "1Gi")]), "");
        assert_eq!(
            refusal(max, &[limit("1", "500Mi")], &[limit("1", "1536Mi")]),
            "maximum memory usage per Pod is 1Gi, but limit is 1536Mi"
        );
    }
}
