//! The failure stories of `scenarios/stories`: the trouble breaks exactly the promises that it is told to break, the fix keeps
//! the same promises, and what their pages show is what the runs print.
//!
//! `UPDATE_PAGES=1 cargo test --test it pages` writes the runs' output and the difference of the two files into the pages.

use std::fs;
use std::path::Path;

use regex::Regex;
use seatrial::report::story;
use seatrial::scenario::{Outcome, Run, RunOptions, Scenario};
use seatrial::sim::RecordMode;

use crate::pages::{check, page, project, sections};

/// Each story, and the expectations that its trouble breaks.
const STORIES: &[(&str, &[&str])] = &[
    (
        "budget-blocks-every-drain",
        &["eventually: podsOn(node/worker-0) == 0 && !draining(node/worker-0) after 30s within 2m0s"],
    ),
    ("cron-runs-missed-after-downtime", &["eventually: jobs(cronjob/backup) == 1 within 3h0m0s"]),
    ("evictions-stop", &["eventually: endpoints(service/web) == 16 after 5m0s within 12m0s"]),
    (
        "liveness-under-load",
        &[
            "always: restarts(app=api) == 0",
            "always: podsReady(app=api) == 4 after 7m0s",
            "final: traffic(users).successRate >= 99%",
        ],
    ),
    ("node-flapping", &["always: endpoints(service/web) == 4 after 5m0s", "final: traffic(users).successRate >= 99%"]),
    ("preemption-cascade", &["always: podsReady(app=batch) == 8 after 30s"]),
    (
        "replicas-fight-the-autoscaler",
        &["always: available(deployment/web) >= 9 after 9m0s", "final: traffic(users).successRate >= 99.9%"],
    ),
    ("retry-storm", &["final: traffic(callers).succeeded >= 38000"]),
    ("rolling-update-drops-requests", &["final: traffic(users).lost == 0"]),
    (
        "selector-matches-another-team",
        &["always: endpoints(service/web) <= 3", "final: traffic(customers).answeredBy(reports) == 0"],
    ),
    ("spread-constraints-contradict", &["eventually: available(deployment/web) == 8 within 1m0s"]),
    (
        "stateful-set-stuck",
        &["eventually: rolloutComplete(statefulset/db) && ready(statefulset/db) == 3 after 2m1s within 2m0s"],
    ),
    ("sticky-sessions", &["final: traffic(shoppers).lost == 0", "final: traffic(shoppers).p99 <= 100ms"]),
    ("toleration-loop", &["never: podsRunning(app=model) > podsReady(app=model) after 3m0s"]),
];

/// The two files of a story.
const FILES: [&str; 2] = ["trouble", "fix"];
const FOLDER: &str = "scenarios/stories";

fn run(story: &str, file: &str) -> (Scenario, Run) {
    // As a user names it: the path is in what is told.
    let path = Path::new(FOLDER).join(story).join(format!("{file}.yaml"));
    let scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let options = RunOptions { record: RecordMode::Full, ..RunOptions::default() };
    let run = scenario.run(&options).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (scenario, run)
}

#[test]
fn every_story_is_told_and_tested() {
    let mut found: Vec<String> = fs::read_dir(project(FOLDER))
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    found.sort();
    assert_eq!(found, STORIES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    let index = page("scenarios/README.md");
    for name in found {
        assert!(index.contains(&format!("(stories/{name}/README.md)")), "{name} is not in scenarios/README.md");
    }
}

#[test]
fn a_trouble_breaks_what_it_should_and_its_fix_keeps_the_same_promises() {
    for (name, broken) in STORIES {
        let [trouble, fix] = FILES.map(|file| run(name, file).1);
        let promises = |run: &Run| run.verdicts.iter().map(|verdict| verdict.expectation.clone()).collect::<Vec<_>>();
        assert_eq!(promises(&trouble), promises(&fix), "{name}: both files promise the same");
        let failed = trouble.verdicts.iter().filter(|verdict| matches!(verdict.outcome, Outcome::Failed { .. }));
        assert_eq!(&failed.map(|verdict| verdict.expectation.as_str()).collect::<Vec<_>>(), broken, "{name}");
        assert!(trouble.stopped().is_none(), "{name}");
        assert!(fix.held(), "{name}: {:?}", fix.verdicts);
    }
}

#[test]
fn the_pages_show_what_the_runs_print() {
    let mark = Regex::new(r"^(difference|trouble|fix)(?:: (.*))?$").expect("a regex");
    for (name, _) in STORIES {
        let [trouble, fix] = FILES.map(|file| {
            let (scenario, run) = run(name, file);
            story(&scenario, &run)
        });
        let block = |text: &str| {
            let found = mark.captures(text)?;
            let wanted = found.get(2).map_or("", |sections| sections.as_str());
            Some(match &found[1] {
                "trouble" => ("text", sections(&trouble, wanted)),
                "fix" => ("text", sections(&fix, wanted)),
                _ => {
                    let [trouble, fix] = FILES.map(|file| page(&format!("{FOLDER}/{name}/{file}.yaml")));
                    ("diff", difference(&trouble, &fix))
                }
            })
        };
        check(&format!("{FOLDER}/{name}/README.md"), block);
    }
}

/// What is different in the second of two texts, comments at their beginning apart, with two lines around.
fn difference(old: &str, new: &str) -> String {
    let lines =
        |text: &'_ str| text.lines().skip_while(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(old), lines(new));
    // Lengths of the longest common subsequences of what is left of both.
    let mut common = vec![vec![0usize; new.len() + 1]; old.len() + 1];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            common[a][b] = match old[a] == new[b] {
                true => common[a + 1][b + 1] + 1,
                false => common[a + 1][b].max(common[a][b + 1]),
            };
        }
    }
    let (mut a, mut b, mut all) = (0, 0, Vec::new());
    while a < old.len() || b < new.len() {
        if a < old.len() && b < new.len() && old[a] == new[b] {
            all.push((' ', &old[a]));
            (a, b) = (a + 1, b + 1);
        } else if a < old.len() && (b == new.len() || common[a + 1][b] >= common[a][b + 1]) {
            all.push(('-', &old[a]));
            a += 1;
        } else {
            all.push(('+', &new[b]));
            b += 1;
        }
    }
    let changed: Vec<usize> = (0..all.len()).filter(|at| all[*at].0 != ' ').collect();
    let is_near = |at: usize| changed.iter().any(|changed| changed.abs_diff(at) <= 2);
    let near = all.iter().enumerate().filter(|(at, _)| is_near(*at));
    near.map(|(_, (sign, line))| format!("{sign}{line}\n")).collect()
}
