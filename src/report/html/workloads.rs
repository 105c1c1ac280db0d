//! The pods of each workload over time, by version and state, against what was wanted and promised.

use std::fmt::Write as _;

use crate::kernel::SimTime;
use crate::objects::{Key, Kind};
use crate::report::lives::{Lives, PodLife, PodState, Spans, Wanted, closed};

use super::axis::Axis;
use super::escaped;
use super::marks::Marks;

/// Columns of a chart: steps in between are told by the worst of them.
const COLUMNS: usize = 600;
/// Height of a chart in its own units.
const HEIGHT: u64 = 1000;
/// Versions with a colour of their own: the newest ones.
const VERSIONS: usize = 4;
/// Most workloads.
const MOST: usize = 24;

/// What a pod counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// Ready; the newest version is 0.
    Ready(usize),
    Waiting(usize),
    Going,
}

const LAYERS: usize = 2 * VERSIONS + 1;

impl Layer {
    const fn place(self) -> usize {
        match self {
            Self::Ready(version) => version,
            Self::Waiting(version) => VERSIONS + version,
            Self::Going => 2 * VERSIONS,
        }
    }
}

/// A chart for each workload that had pods.
pub(super) fn section(page: &mut String, lives: &Lives, axis: &Axis, marks: &Marks) {
    let with_pods = lives.wanted.iter().filter(|(kind, key, _)| pods(lives, *kind, key).next().is_some());
    let mut shown = 0;
    for (kind, key, wanted) in with_pods {
        if shown == 0 {
            page.push_str("<h2>Pods over time</h2>\n");
        }
        shown += 1;
        if shown <= MOST {
            chart(page, lives, (*kind, key, wanted), axis, marks);
        }
    }
    if shown > MOST {
        let _ = writeln!(page, "<p class=\"faint\">… and {} more workloads</p>", shown - MOST);
    }
}

fn pods<'a>(lives: &'a Lives, kind: Kind, key: &'a Key) -> impl Iterator<Item = &'a PodLife> {
    lives.pods.iter().filter(move |pod| pod.workload.as_ref().is_some_and(|(k, of)| *k == kind && of == key))
}

fn chart(
    page: &mut String,
    lives: &Lives,
    (kind, key, wanted): (Kind, &Key, &Spans<Wanted>),
    axis: &Axis,
    marks: &Marks,
) {
    let mut versions: Vec<u32> = pods(lives, kind, key).map(|pod| pod.version).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.reverse();
    let columns = columns(lives, kind, key, &versions, axis);
    let highest = columns.iter().map(|column| column.iter().sum::<u32>()).max().unwrap_or(0);
    let most_wanted = wanted.iter().map(|(_, wanted)| wanted.replicas).max().unwrap_or(0);
    let top = highest.max(most_wanted).max(1);
    let namespace = if &*key.namespace == "default" { String::new() } else { format!("{}/", key.namespace) };
    let title = format!("{namespace}{}/{}", kind.as_str().to_lowercase(), key.name);
    let _ = writeln!(page, "<h3>{}</h3>\n<p class=\"faint\">&nbsp;</p>", escaped(&title));
    let _ = write!(page, "<div class=\"chart\"><svg viewBox=\"0 0 {COLUMNS} {HEIGHT}\" preserveAspectRatio=\"none\">");
    for layer in 0..LAYERS {
        area(page, &columns, layer, top);
    }
    line(page, "wanted", wanted, axis, top, |wanted| Some(wanted.replicas));
    line(page, "floor", wanted, axis, top, |wanted| wanted.least_available);
    page.push_str("</svg>");
    for value in [0, top / 2, top] {
        if value == 0 || value == top || top >= 4 {
            let _ = write!(
                page,
                "<span class=\"y\" style=\"top:{}%\">{value}</span>",
                100 - u64::from(value) * 100 / u64::from(top)
            );
        }
    }
    marks.over(page, axis);
    page.push_str("</div>\n");
    axis.labels(page);
    legend(page, lives, &versions, wanted);
}

/// What there was in each column, at its instant with the fewest ready pods.
fn columns(lives: &Lives, kind: Kind, key: &Key, versions: &[u32], axis: &Axis) -> Vec<[u32; LAYERS]> {
    let mut changes: Vec<(SimTime, usize, i32)> = Vec::new();
    for pod in pods(lives, kind, key) {
        let age = versions.iter().position(|version| *version == pod.version).unwrap_or(0).min(VERSIONS - 1);
        let end = pod.gone.unwrap_or(SimTime::MAX);
        for (from, to, state) in closed(&pod.spans, end) {
            let layer = match state {
                PodState::Ready => Layer::Ready(age),
                PodState::Pending | PodState::Waiting => Layer::Waiting(age),
                PodState::Terminating => Layer::Going,
                PodState::Succeeded | PodState::Failed => continue,
            };
            changes.push((from, layer.place(), 1));
            changes.push((to, layer.place(), -1));
        }
    }
    changes.sort_by_key(|(at, ..)| *at);
    let mut columns = vec![[0u32; LAYERS]; COLUMNS];
    let (mut now, mut filled) = ([0u32; LAYERS], 0);
    let ready = |counts: &[u32; LAYERS]| counts[..VERSIONS].iter().sum::<u32>();
    let mut rest = changes.as_slice();
    while let Some((at, ..)) = rest.first().copied().filter(|(at, ..)| *at <= axis.end) {
        let same = rest.iter().take_while(|(other, ..)| *other == at).count();
        let column = axis.column(at, COLUMNS);
        columns[filled..=column].iter_mut().skip(usize::from(filled > 0)).for_each(|counts| *counts = now);
        for (_, layer, change) in &rest[..same] {
            now[*layer] = now[*layer].saturating_add_signed(*change);
        }
        // The column keeps its worst instant; the first column begins with what the start brings.
        if column == 0 || ready(&now) < ready(&columns[column]) {
            columns[column] = now;
        }
        filled = column;
        rest = &rest[same..];
    }
    columns[filled..].iter_mut().skip(1).for_each(|counts| *counts = now);
    columns
}

fn area(page: &mut String, columns: &[[u32; LAYERS]], layer: usize, top: u32) {
    if columns.iter().all(|counts| counts[layer] == 0) {
        return;
    }
    let height = |counts: &[u32; LAYERS], layers: usize| {
        HEIGHT - u64::from(counts[..layers].iter().sum::<u32>()) * HEIGHT / u64::from(top)
    };
    let edge = |path: &mut String, layers: usize, backwards: bool| {
        let mut last = None;
        let step = |path: &mut String, at: usize, y: u64, last: &mut Option<u64>| {
            if *last != Some(y) {
                let x = if backwards { at + 1 } else { at };
                let command = if path.is_empty() { 'M' } else { 'L' };
                if let Some(before) = *last {
                    let _ = write!(path, "L{x} {before}");
                }
                let _ = write!(path, "{command}{x} {y}");
                *last = Some(y);
            }
        };
        if backwards {
            for (at, counts) in columns.iter().enumerate().rev() {
                step(path, at, height(counts, layers), &mut last);
            }
            let _ = write!(path, "L0 {}Z", last.unwrap_or(HEIGHT));
        } else {
            for (at, counts) in columns.iter().enumerate() {
                step(path, at, height(counts, layers), &mut last);
            }
            let _ = write!(path, "L{} {}", columns.len(), last.unwrap_or(HEIGHT));
        }
    };
    let mut path = String::new();
    edge(&mut path, layer + 1, false);
    edge(&mut path, layer, true);
    let class = match layer {
        layer if layer < VERSIONS => format!("v{layer}"),
        layer if layer < 2 * VERSIONS => format!("v{} waiting", layer - VERSIONS),
        _ => "going".to_owned(),
    };
    let _ = write!(page, "<path class=\"{class}\" d=\"{path}\"/>");
}

fn line(
    page: &mut String,
    class: &str,
    wanted: &Spans<Wanted>,
    axis: &Axis,
    top: u32,
    value: impl Fn(Wanted) -> Option<u32>,
) {
    let mut path = String::new();
    for (from, to, state) in closed(wanted, axis.end) {
        let Some(value) = value(state) else { continue };
        let y = HEIGHT - u64::from(value.min(top)) * HEIGHT / u64::from(top);
        let command = if path.is_empty() { 'M' } else { 'L' };
        let (from, to) = (axis.column(from, COLUMNS), axis.column(to, COLUMNS) + 1);
        let _ = write!(path, "{command}{from} {y}L{to} {y}");
    }
    if !path.is_empty() {
        let _ = write!(page, "<path class=\"{class}\" d=\"{path}\"/>");
    }
}

fn legend(page: &mut String, lives: &Lives, versions: &[u32], wanted: &Spans<Wanted>) {
    page.push_str("<div class=\"legend\">");
    for (age, version) in versions.iter().enumerate().take(VERSIONS) {
        let Some(version) = lives.versions.get(*version as usize) else { continue };
        let older = if age == VERSIONS - 1 && versions.len() > VERSIONS { " and older" } else { "" };
        let _ = write!(
            page,
            "<span><i class=\"v{age}\"></i>{} ({}){older}</span>",
            escaped(&version.name),
            escaped(&version.images)
        );
    }
    page.push_str("<span><i class=\"v0 waiting\"></i>not ready</span><span><i class=\"going\"></i>terminating</span>");
    page.push_str("<span><i class=\"line\"></i>wanted</span>");
    if wanted.iter().any(|(_, wanted)| wanted.least_available.is_some()) {
        page.push_str("<span><i class=\"line floor\"></i>fewest that a rollout may leave available</span>");
    }
    page.push_str("</div>\n");
}
