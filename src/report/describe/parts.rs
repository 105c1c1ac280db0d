//! Parts that the descriptions of several kinds share (upstream `kubectl/pkg/describe`).

use serde_json::Value;

use super::tabs::TabWriter;
use crate::api::View;
use crate::objects::wire::Wire;
use crate::objects::{Annotations, Event, LabelSelector, Labels, ObjectMeta, PodPhase, Selector, Timestamp, WallTime};
use crate::report::events::interval;
use crate::report::table::age;
use crate::sim::LAST_APPLIED;

/// Longest annotation that is shown on its own line.
const ANNOTATION_LEN_MAX: usize = 140;

/// Labels, one on a line.
pub(super) fn labels(out: &mut TabWriter, title: &str, labels: &Labels) {
    list(out, title, labels.iter().map(|(key, value)| format!("{key}={value}")));
}

/// A title and one item on a line.
pub(super) fn list(out: &mut TabWriter, title: &str, items: impl IntoIterator<Item = String>) {
    let mut items = items.into_iter();
    out.field(0, title, items.next().as_deref().unwrap_or("<none>"));
    items.for_each(|item| out.line(0, format_args!("\t{item}")));
}

/// Annotations, without the one that `kubectl apply` keeps.
pub(super) fn annotations(out: &mut TabWriter, title: &str, annotations: &Annotations) {
    let (name, titled) = (title, format!("{title}:"));
    let mut title = &*titled;
    for (key, value) in annotations.iter().filter(|(key, _)| *key != LAST_APPLIED) {
        let value = value.strip_suffix('\n').unwrap_or(value);
        if value.len() + key.len() + 2 > ANNOTATION_LEN_MAX || value.contains('\n') {
            out.line(0, format_args!("{title}\t{key}:"));
            for line in value.split('\n') {
                out.line(0, format_args!("\t  {}", shorten(line, ANNOTATION_LEN_MAX - 2)));
            }
        } else {
            out.line(0, format_args!("{title}\t{key}: {value}"));
        }
        title = "";
    }
    if !title.is_empty() {
        out.field(0, name, "<none>");
    }
}

fn shorten(text: &str, len_max: usize) -> String {
    if text.len() <= len_max {
        return text.to_owned();
    }
    let end = (0..=len_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// Whether something is described for itself, or as part of a pod template, which stands further in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Of a pod.
    Pod,
    /// Of a template.
    Template,
}

impl Place {
    /// What stands in front of a title.
    pub(super) const fn title_indent(self) -> &'static str {
        match self {
            Self::Pod => "",
            Self::Template => "  ",
        }
    }

    /// What stands in front of the name of a container or volume, besides its level.
    pub(super) const fn name_indent(self) -> &'static str {
        match self {
            Self::Pod => "",
            Self::Template => " ",
        }
    }
}

/// Name and namespace, with which most descriptions begin.
pub(super) fn name_and_namespace(out: &mut TabWriter, meta: &ObjectMeta) {
    out.field(0, "Name", &meta.name);
    out.field(0, "Namespace", &meta.namespace);
}

/// Labels and annotations.
pub(super) fn labels_and_annotations(out: &mut TabWriter, meta: &ObjectMeta) {
    labels(out, "Labels", &meta.labels);
    annotations(out, "Annotations", &meta.annotations);
}

/// The status of an object that is being deleted.
pub(super) fn terminating(since: Timestamp, now: WallTime) -> String {
    format!("Terminating (lasts {})", age(Some(since), now))
}

/// A label selector (wire form) in one line (upstream `FormatLabelSelector`).
pub(super) fn selector(selector: &Value) -> String {
    let selector: Option<LabelSelector> = serde_json::from_value(selector.clone()).ok();
    let text = selector.and_then(|selector| selector.compile().ok()).map(|selector| selector.to_string());
    or_none(&text.unwrap_or_default()).to_owned()
}

/// A map of strings in one line (upstream `FormatLabels`).
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    or_none(&pairs.join(",")).to_owned()
}

/// A value that may be absent.
pub(super) fn or_unset(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "<unset>".to_owned(), |value| value.to_string())
}

/// A list as Go prints it.
pub(super) fn go_list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<T> = items.into_iter().collect();
    format!("[{}]", items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "))
}

/// Conditions (wire form) with their reasons, as workloads have them.
pub(super) fn conditions(out: &mut TabWriter, conditions: &[Value]) {
    if conditions.is_empty() {
        return;
    }
    out.line(0, "Conditions:\n  Type\tStatus\tReason");
    out.line(1, "----\t------\t------");
    for condition in conditions {
        let field = |name: &str| condition.text(name);
        out.line(1, format_args!("{} \t{}\t{}", field("type"), field("status"), field("reason")));
    }
}

/// How many pods of a controller are in which phase (upstream `getPodStatusForController`).
pub(super) fn pods_status(out: &mut TabWriter, view: &View, owner: &ObjectMeta, selector: &Selector) {
    let pods = view.pods.controlled_by(&owner.uid).filter(|pod| selector.matches(&pod.meta.labels));
    let mut phases = [0; 4];
    for pod in pods {
        let phase = match pod.status.phase {
            PodPhase::Running => 0,
            PodPhase::Pending => 1,
            PodPhase::Succeeded => 2,
            PodPhase::Failed => 3,
            PodPhase::Unknown => continue,
        };
        phases[phase] += 1;
    }
    let [running, waiting, succeeded, failed] = phases;
    let text = format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed");
    out.field(0, "Pods Status", text);
}

/// Tolerations by key.
pub(super) fn tolerations(out: &mut TabWriter, title: &str, tolerations: &[Value]) {
    let mut sorted: Vec<&Value> = tolerations.iter().collect();
    sorted.sort_by_key(|toleration| toleration.text("key"));
    list(out, title, sorted.into_iter().map(toleration));
}

/// Topology spread constraints of a pod's spec, by key.
pub(super) fn spread(out: &mut TabWriter, place: Place, spec: &Value) {
    let mut constraints: Vec<&Value> = spec.list("topologySpreadConstraints").iter().collect();
    constraints.sort_by_key(|constraint| constraint.text("topologyKey"));
    let line = |constraint: &Value| {
        let (key, policy) = (constraint.text("topologyKey"), constraint.text("whenUnsatisfiable"));
        let pods = constraint.get_some("labelSelector").map(|pods| format!(" for selector {}", selector(pods)));
        let skew = constraint.int("maxSkew");
        format!("{key}:{policy} when max skew {skew} is exceeded{}", pods.unwrap_or_default())
    };
    if !constraints.is_empty() {
        let title = format!("{}Topology Spread Constraints", place.title_indent());
        list(out, &title, constraints.into_iter().map(line));
    }
}

fn toleration(toleration: &Value) -> String {
    let mut text = toleration.text("key").to_owned();
    for (before, field) in [("=", "value"), (":", "effect")] {
        if let Some(value) = toleration.text_some(field).filter(|value| !value.is_empty()) {
            text.push_str(before);
            text.push_str(value);
        }
    }
    if toleration.text("operator") == "Exists" && toleration.text("value").is_empty() {
        text.push_str(if text.is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = toleration.int_some("tolerationSeconds") {
        text.push_str(&format!(" for {seconds}s"));
    }
    text
}

/// `Kind/name` of the controller.
pub(super) fn controlled_by(out: &mut TabWriter, meta: &ObjectMeta) {
    if let Some(owner) = meta.controller() {
        out.field(0, "Controlled By", format_args!("{}/{}", owner.kind, owner.name));
    }
}

/// Events about an object, in the order of their last time.
pub(super) fn events<'a>(out: &mut TabWriter, events: impl Iterator<Item = &'a Event>, now: WallTime) {
    let mut events: Vec<&Event> = events.collect();
    if events.is_empty() {
        return out.field(0, "Events", "<none>");
    }
    events.sort_by_key(|event| event.last_timestamp);
    out.flush();
    out.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
    out.line(1, "----\t------\t----\t----\t-------");
    for event in events {
        let interval = interval(event, now);
        let message = event.message.trim();
        let field = &event.involved_object.field_path;
        let part = if field.is_empty() { String::new() } else { format!("{field}: ") };
        let (kind, reason, component) = (&event.kind, &event.reason, &event.component);
        out.line(1, format_args!("{kind}\t{reason}\t{interval}\t{component}\t{part}{message}"));
    }
}

/// Go's zero time.
pub(super) const ZERO_TIME: &str = "Mon, 01 Jan 0001 00:00:00 +0000";

/// An instant of a document as Go's `RFC1123Z` has it; an absent one is Go's zero time.
pub(super) fn instant(at: &Value) -> String {
    let at = at.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    at.map_or_else(|| ZERO_TIME.to_owned(), rfc1123)
}

/// An instant as Go's `RFC1123Z` has it.
pub(super) fn rfc1123(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = at.wall().as_unix_nanos().div_euclid(86_400 * 1_000_000_000);
    let text = at.to_string();
    // 2026-01-02T03:04:05Z
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let weekday = usize::try_from(days.rem_euclid(7)).ok().and_then(|day| DAYS.get(day));
    let (weekday, month) = (weekday.unwrap_or(&""), month.unwrap_or(&""));
    format!("{weekday}, {} {month} {} {} +0000", part(8, 10), part(0, 4), part(11, 19))
}

/// `True` or `False`.
pub(super) const fn flag(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// The text, or `<none>`.
pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { "<none>" } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instants_are_written_as_go_writes_them() {
        let at = |secs| rfc1123(Timestamp::from_unix_secs(secs));
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(at(1_767_225_600), "Thu, 01 Jan 2026 00:00:00 +0000");
        assert_eq!(at(1_709_251_199), "Thu, 29 Feb 2024 23:59:59 +0000");
    }

    #[test]
    fn tolerations_read_as_in_kubectl() {
        for (wire, text) in [
            (json!({"operator": "Exists"}), "op=Exists"),
            (
                json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
                "a:NoExecute op=Exists for 300s",
            ),
            (json!({"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}), "gpu=yes:NoSchedule"),
        ] {
            assert_eq!(toleration(&wire), text);
        }
    }

    #[test]
    fn long_annotations_are_shortened() {
        let mut out = TabWriter::default();
        let long = "ä".repeat(100);
        let all: Annotations =
            [("a", "1"), ("b", "two\nlines\n"), ("c", long.as_str()), (LAST_APPLIED, "{}")].into_iter().collect();
        annotations(&mut out, "Annotations", &all);
        let text = out.finish();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines[..5],
            [
                "Annotations:  a: 1",
                "              b:",
                "                two",
                "                lines",
                "              c:"
            ]
        );
        assert!(lines[5].ends_with("ä...") && lines.len() == 6);
    }
}
