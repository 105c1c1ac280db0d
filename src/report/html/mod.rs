//! A run as one page that needs nothing else: no network, no script. Charts are drawn here, so that the same run gives the same
//! bytes; colours follow the reader's dark or light setting.

mod axis;
mod gantt;
mod marks;
mod traffic;
mod workloads;

use std::fmt::Write as _;

use crate::scenario::{Outcome, Run, Scenario, Verdict};

use super::failure::failure;
use super::happened::happened;
use super::lives::Lives;
use super::story::verdict;
use super::table::{moment, rounded};
use axis::Axis;
use marks::Marks;

const STYLE: &str = include_str!("page.css");

/// The report of a run that was recorded in full.
///
/// ```
/// use seatrial::report::html;
/// use seatrial::scenario::{RunOptions, Scenario};
/// use seatrial::sim::RecordMode;
///
/// let text = "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: calm}\nspec:\n  duration: 1m\n  nodes: [{name: worker}]\n";
/// let scenario = Scenario::read("calm.yaml", text)?;
/// let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() })?;
/// let page = html(&scenario, &run);
/// assert!(page.starts_with("<!doctype html>") && page.contains("<h1>calm</h1>"));
/// # Ok::<(), seatrial::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn html(scenario: &Scenario, run: &Run) -> String {
    let lives = Lives::of(&run.simulation);
    let axis = Axis::until(run.simulation.now());
    let marks = Marks::of(run);
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        name = escaped(&scenario.name)
    );
    head(&mut page, scenario, run);
    promises(&mut page, scenario, run);
    marks.list(&mut page);
    workloads::section(&mut page, &lives, &axis, &marks);
    if let Some(report) = run.simulation.traffic() {
        traffic::section(&mut page, &report, &axis, &marks);
    }
    gantt::nodes(&mut page, &lives, &axis, &marks);
    gantt::pods(&mut page, &lives, &axis, &marks);
    let told = happened(run.simulation.recording());
    if !told.is_empty() {
        let _ = write!(page, "<h2>What happened</h2>\n<pre>{}</pre>\n", escaped(&told));
    }
    let _ = write!(
        page,
        "<footer>seatrial {} · Kubernetes 1.36 · digest {}</footer>\n</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        run.simulation.recording().digest()
    );
    page
}

fn head(page: &mut String, scenario: &Scenario, run: &Run) {
    let (sim, class) = (&run.simulation, if run.verdicts.is_empty() { "none" } else { good(run.held()) });
    let _ = write!(page, "<h1>{}</h1>\n<p class=\"faint\">", escaped(&scenario.name));
    let _ = write!(page, "{} of virtual time · {} changes · seed {}", moment(sim.now()), sim.changes(), scenario.seed);
    for (name, value) in scenario.parameters.iter() {
        let _ = write!(page, " · {}={}", escaped(name), escaped(value));
    }
    let _ = write!(page, "</p>\n<p><span class=\"badge {class}\">{}</span></p>\n", escaped(&verdict(run)));
    if let Some(why) = run.stopped() {
        let _ = writeln!(page, "<p>The run did not come to its end: {}.</p>", escaped(&why));
    }
    for notice in &run.notices {
        let _ = writeln!(page, "<p class=\"faint\">Note: {}</p>", escaped(notice));
    }
}

const fn good(held: bool) -> &'static str {
    if held { "good" } else { "bad" }
}

fn promises(page: &mut String, scenario: &Scenario, run: &Run) {
    if run.verdicts.is_empty() {
        return;
    }
    page.push_str("<h2>Promises</h2>\n<ul class=\"promises\">\n");
    for verdict in &run.verdicts {
        let Verdict { expectation, outcome, .. } = verdict;
        let _ = write!(page, "<li class=\"{}\"><code>{}</code>", good(verdict.held()), escaped(expectation));
        let _ = match outcome {
            Outcome::Held { at: Some(at) } => write!(page, "<small>held at {}</small>", rounded(*at)),
            Outcome::Held { at: None } => write!(page, "<small>held</small>"),
            Outcome::Failed { .. } => {
                let story = failure(scenario, run, verdict);
                let (place, story) = story.split_once('\n').unwrap_or((&story, ""));
                write!(page, "<small>broken {}</small><pre>{}</pre>", escaped(place), escaped(story))
            }
        };
        page.push_str("</li>\n");
    }
    page.push_str("</ul>\n");
}

/// Text as it may stand in a page, also inside of attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_cannot_break_the_page() {
        assert_eq!(escaped("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;'");
    }
}
