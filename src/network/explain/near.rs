//! What somebody may have meant.

use crate::api::View;
use crate::objects::{Labels, Pod};

/// Names that are compared at most.
const MOST_NAMES: usize = 2_000;
/// Longest text that is compared, characters: comparing is quadratic.
const LONGEST: usize = 128;

/// The name that is closest to a misspelt one, if one is close.
pub(super) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (wanted.chars().count() / 3).clamp(1, 2);
    let close = |name: &&str| name.len() <= LONGEST && **name != *wanted;
    let distance = |name: &'n str| (strsim::damerau_levenshtein(wanted, name), name);
    if wanted.len() > LONGEST {
        return None;
    }
    let ranked = names.filter(close).take(MOST_NAMES).map(distance).filter(|(distance, _)| *distance <= allowed);
    ranked.min().map(|(_, name)| name)
}

/// A set of labels that a selector nearly matches, with how many pods have it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NearMiss {
    /// How many pods.
    pub(super) pods: usize,
    /// Which label is in the way: what the selector wants and what the pods have; nothing = they do not have it.
    pub(super) wanted: (String, String),
    pub(super) has: Option<(String, String)>,
    /// How far apart they are.
    distance: usize,
}

/// The pods of a namespace that lack just one label of a selector, or have it misspelt: the closest.
pub(super) fn near_miss(view: &View, namespace: &str, selector: &Labels) -> Option<NearMiss> {
    let mut best: Option<NearMiss> = None;
    for pod in view.pods.in_namespace(namespace).filter(|pod| pod.is_active()).take(MOST_NAMES) {
        let Some(miss) = miss_of(pod, selector) else { continue };
        match &mut best {
            Some(known) if known.wanted == miss.wanted && known.has == miss.has => known.pods += 1,
            Some(known) if known.distance <= miss.distance => {}
            _ => best = Some(miss),
        }
    }
    best
}

fn miss_of(pod: &Pod, selector: &Labels) -> Option<NearMiss> {
    let labels = &pod.meta.labels;
    let mut missing = selector.iter().filter(|(key, value)| labels.get(key) != Some(*value));
    let (key, value) = missing.next()?;
    if missing.next().is_some() {
        return None;
    }
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let distance = |other: &(String, String)| {
        let text = |key: &str, value: &str| format!("{key}={value}").chars().take(LONGEST).collect::<String>();
        strsim::damerau_levenshtein(&text(key, value), &text(&other.0, &other.1))
    };
    let same_key = labels.get(key).map(|own| pair(key, own));
    let close_key = labels.iter().find(|(own, other)| *other == value && nearest(key, std::iter::once(*own)).is_some());
    let has = same_key.or(close_key.map(|(key, value)| pair(key, value)));
    let distance = has.as_ref().map_or(usize::MAX, distance);
    // Pods that share nothing else with the selector and are far off are other applications.
    let is_close = distance <= (value.chars().count() / 3).max(1) || selector.len() > 1;
    is_close.then(|| NearMiss { pods: 1, wanted: pair(key, value), has, distance })
}

/// `1 pod`, `3 pods`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The first of some texts and how many more there are.
pub(super) fn first_few(texts: &[String]) -> String {
    const FEW: usize = 3;
    let shown = texts.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    if texts.len() > FEW { format!("{shown} and {} more", texts.len() - FEW) } else { shown }
}
