//! One round of an autoscaler.

use seatrial::api::{ApiError, Change, ChangeType, EventSpec, MetricsQuery, Reason, Response, View};
use seatrial::controllers::horizontal_pod_autoscaler::{
    Memory, Next, Recommendation, Round, Scale, ScaleError, ScaleEvent, Selectors,
};
use seatrial::objects::{
    HorizontalPodAutoscaler, Key, Kind, Object, OpaqueObject, Resource, Selector, Timestamp, WallTime, defaults,
};
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let input = case.input;
    let now = time(&input["now"])?;
    let view = view(input)?;
    let autoscaler = autoscaler(&input["hpa"])?;
    let key = autoscaler.key();
    let mut memory = memory(input)?;
    let mut selectors = selectors(input, &key)?;

    let mut round = Round::new(&autoscaler, Default::default());
    let mut next = round.begin(&view, now, scale(input, &autoscaler)?, &mut memory, &mut selectors);
    let (mut scaled_to, mut status, mut events) = (Value::Null, Value::Null, Vec::new());
    loop {
        events.extend(round.take_events().iter().map(line));
        let late: Vec<Value> = round.take_late_events().iter().map(line).collect();
        let answers = match &next {
            Next::Measure(queries) => queries.iter().map(|query| answer(input, query)).collect(),
            Next::Scale(_, replicas) => {
                scaled_to = (*replicas).into();
                vec![Ok(Object::from(autoscaler.clone()))]
            }
            Next::Write(written) => {
                status = without_times(written.to_wire()["status"].take());
                vec![Ok(Object::from(autoscaler.clone()))]
            }
            Next::Done => Vec::new(),
        };
        events.extend(late);
        if matches!(next, Next::Done) {
            break;
        }
        next = round.go_on(&view, now, answers, &mut memory);
    }

    let mut got = json!({
        "scaledTo": scaled_to, "status": status, "events": events,
        "recommendations": memory.recommendations.iter().flatten().map(recommendation).collect::<Vec<_>>(),
        "scaleUpEvents": memory.scale_up_events.iter().map(scale_event).collect::<Vec<_>>(),
        "scaleDownEvents": memory.scale_down_events.iter().map(scale_event).collect::<Vec<_>>(),
    });
    if let Some(error) = round.error() {
        got["error"] = error.into();
    }
    compare(case.output, &got)
}

fn time(value: &Value) -> Result<WallTime, String> {
    let at: Timestamp = value.as_str().unwrap_or_default().parse().map_err(|error| format!("{value}: {error}"))?;
    Ok(at.wall())
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn view(input: &Value) -> Result<View, String> {
    let mut view = View::default();
    for wire in items(&input["pods"]) {
        let mut wire = wire.clone();
        wire["apiVersion"] = "v1".into();
        wire["kind"] = "Pod".into();
        defaults::apply("Pod", "v1", &mut wire);
        let object = Object::from_wire(wire).map_err(|error| format!("in.pods: {error}"))?;
        view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
    }
    Ok(view)
}

fn autoscaler(wire: &Value) -> Result<HorizontalPodAutoscaler, String> {
    let mut wire = wire.clone();
    defaults::apply("HorizontalPodAutoscaler", "autoscaling/v2", &mut wire);
    HorizontalPodAutoscaler::from_wire(wire).map_err(|error| format!("in.hpa: {error}"))
}

fn memory(input: &Value) -> Result<Memory, String> {
    let mut memory = Memory::default();
    if input["recommendations"].is_array() {
        let known = items(&input["recommendations"]).iter();
        let known: Result<Vec<_>, String> = known
            .map(|entry| Ok(Recommendation { replicas: number(&entry["replicas"]), at: time(&entry["time"])? }))
            .collect();
        memory.recommendations = Some(known?);
    }
    for (list, events) in
        [("scaleUpEvents", &mut memory.scale_up_events), ("scaleDownEvents", &mut memory.scale_down_events)]
    {
        for entry in items(&input[list]) {
            events.push(ScaleEvent { change: number(&entry["change"]), at: time(&entry["time"])?, outdated: false });
        }
    }
    Ok(memory)
}

fn selectors(input: &Value, key: &Key) -> Result<Selectors, String> {
    let mut selectors = Selectors::default();
    selectors.register(key.clone());
    for (at, text) in items(&input["otherSelectors"]).iter().enumerate() {
        let other = Key::new(key.namespace.clone(), format!("other{at}"));
        let selector: Selector =
            text.as_str().unwrap_or_default().parse().map_err(|error| format!("in.otherSelectors: {error}"))?;
        selectors.register(other.clone());
        selectors.put(&other, &selector);
    }
    Ok(selectors)
}

/// The scale of the case; what is wrong with the reference is found before it would be asked for.
fn scale(input: &Value, autoscaler: &HorizontalPodAutoscaler) -> Result<Result<Scale, ScaleError>, String> {
    let found = seatrial::controllers::horizontal_pod_autoscaler::scale_of(&View::default(), autoscaler);
    if let Err(error @ (ScaleError::ApiVersion(_) | ScaleError::NoSuchKind(_))) = found {
        return Ok(Err(error));
    }
    let scale = &input["scale"];
    if let Some(error) = scale["error"].as_str() {
        return Ok(Err(ScaleError::Query(error.to_owned())));
    }
    Ok(Ok(Scale {
        kind: Kind::Deployment,
        key: Key::new(autoscaler.meta.namespace.clone(), autoscaler.spec.scale_target_ref.name.clone()),
        spec_replicas: number(&scale["specReplicas"]),
        status_replicas: number(&scale["statusReplicas"]),
        selector: scale["selector"].as_str().unwrap_or_default().into(),
    }))
}

fn number(value: &Value) -> i32 {
    value.as_i64().and_then(|number| i32::try_from(number).ok()).unwrap_or_default()
}

/// What the metrics APIs of the case answer.
fn answer(input: &Value, query: &MetricsQuery) -> Response {
    match query {
        MetricsQuery::PodUsage { selector, .. } => {
            let Some(all) = input["podMetrics"].as_array() else { return refusal("no metrics api".to_owned()) };
            let of_target = |item: &&Value| {
                let labels = serde_json::from_value(item["metadata"]["labels"].clone()).unwrap_or_default();
                selector.matches(&labels)
            };
            list(all.iter().filter(of_target).cloned().collect())
        }
        MetricsQuery::Pods { metric, .. } => match input["customPods"][&*metric.name].as_object() {
            None => refusal(format!("no custom metric {}", metric.name)),
            Some(pods) => {
                let value = |(pod, value): (&String, &Value)| json!({"describedObject": {"name": pod}, "timestamp": input["now"], "value": value});
                list(pods.iter().map(value).collect())
            }
        },
        MetricsQuery::Object { metric, .. } => match &input["customObject"][&*metric.name] {
            Value::Null => refusal(format!("no object metric {}", metric.name)),
            value => list(vec![json!({"value": value})]),
        },
        MetricsQuery::External { metric, .. } => match input["external"][&*metric.name].as_array() {
            None => refusal(format!("no external metric {}", metric.name)),
            Some(series) => list(series.iter().map(|value| json!({"value": value})).collect()),
        },
    }
}

fn refusal(message: String) -> Response {
    Err(ApiError::new(Reason::ServiceUnavailable, message))
}

fn list(items: Vec<Value>) -> Response {
    let list = OpaqueObject::from_wire(json!({"items": items}))
        .map_err(|error| ApiError::new(Reason::InternalError, error.to_string()))?;
    Ok(Object::Opaque(list.into()))
}

fn line(event: &EventSpec) -> Value {
    format!("{} {} {}", event.kind.as_str(), event.reason, event.message).into()
}

fn without_times(mut status: Value) -> Value {
    status.as_object_mut().map(|fields| fields.remove("lastScaleTime"));
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition.as_object_mut().map(|fields| fields.remove("lastTransitionTime"));
    }
    status
}

fn recommendation(known: &Recommendation) -> Value {
    json!({"replicas": known.replicas, "time": known.at.timestamp().to_string()})
}

fn scale_event(event: &ScaleEvent) -> Value {
    json!({"change": event.change, "time": event.at.timestamp().to_string()})
}
