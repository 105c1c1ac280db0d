//! Runs as JUnit XML, which every CI system reads: a suite for each scenario, a case for each expectation.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::report::failure;
use crate::scenario::{Outcome, Run, Scenario, ScenarioError};

/// Where no expectation fails, a run may still stop early.
const CAME_TO_ITS_END: &str = "the run comes to its end";
/// A scenario that cannot be run.
const IS_VALID: &str = "the scenario is valid";

/// What came of several scenarios.
#[derive(Debug, Default)]
pub(super) struct Suites(Vec<Suite>);

#[derive(Debug)]
struct Suite {
    name: String,
    file: String,
    properties: Vec<(&'static str, String)>,
    cases: Vec<Case>,
}

#[derive(Debug)]
struct Case {
    name: String,
    problem: Option<Problem>,
}

#[derive(Debug)]
struct Problem {
    /// `failure` of an expectation, `error` of a run that could not be judged.
    element: &'static str,
    message: String,
    story: String,
}

impl Suites {
    pub(super) fn add(&mut self, file: &str, scenario: &Scenario, run: &Run) {
        let mut cases: Vec<Case> = run
            .verdicts
            .iter()
            .map(|verdict| {
                let problem = match &verdict.outcome {
                    Outcome::Held { .. } => None,
                    Outcome::Failed { why, .. } => Some(Problem {
                        element: "failure",
                        message: why.clone(),
                        story: format!("{}\n{}", verdict.expectation, failure(scenario, run, verdict)),
                    }),
                };
                Case { name: verdict.expectation.clone(), problem }
            })
            .collect();
        let stopped = run.stopped().map(|why| Problem { element: "error", message: why.clone(), story: why });
        cases.push(Case { name: CAME_TO_ITS_END.to_owned(), problem: stopped });
        let properties = vec![
            ("seed", scenario.seed.to_string()),
            ("virtualSeconds", run.simulation.now().as_secs_f64().to_string()),
            ("digest", run.simulation.recording().digest().to_string()),
        ];
        self.0.push(Suite { name: scenario.name.clone(), file: file.to_owned(), properties, cases });
    }

    /// A scenario that could not be run.
    pub(super) fn refused(&mut self, file: &str, error: &ScenarioError) {
        let story = error.to_string();
        let message = story.lines().next().unwrap_or_default().to_owned();
        let problem = Some(Problem { element: "error", message, story });
        let cases = vec![Case { name: IS_VALID.to_owned(), problem }];
        self.0.push(Suite { name: file.to_owned(), file: file.to_owned(), properties: Vec::new(), cases });
    }

    /// The document. It has no times: those of a simulation are virtual, and how long it took differs from run to run.
    pub(super) fn to_xml(&self) -> io::Result<String> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let cases = || self.0.iter().flat_map(|suite| &suite.cases);
        let counts = counts(cases());
        writer
            .create_element("testsuites")
            .with_attribute(("name", "seatrial"))
            .with_attributes(counts.iter().map(|(name, count)| (*name, count.as_str())))
            .write_inner_content(|writer| self.0.iter().try_for_each(|suite| suite.write(writer)))?;
        let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
        text.push('\n');
        Ok(text)
    }
}

impl Suite {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let counts = counts(self.cases.iter());
        writer
            .create_element("testsuite")
            .with_attribute(("name", &*legal(&self.name)))
            .with_attribute(("file", &*legal(&self.file)))
            .with_attributes(counts.iter().map(|(name, count)| (*name, count.as_str())))
            .write_inner_content(|writer| {
                if !self.properties.is_empty() {
                    writer.create_element("properties").write_inner_content(|writer| {
                        self.properties.iter().try_for_each(|(name, value)| {
                            let property = writer.create_element("property").with_attribute(("name", *name));
                            property.with_attribute(("value", value.as_str())).write_empty().map(drop)
                        })
                    })?;
                }
                self.cases.iter().try_for_each(|case| case.write(&self.name, writer))
            })
            .map(drop)
    }
}

impl Case {
    fn write(&self, suite: &str, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let element = writer.create_element("testcase");
        let element =
            element.with_attribute(("name", &*legal(&self.name))).with_attribute(("classname", &*legal(suite)));
        let Some(Problem { element: kind, message, story }) = &self.problem else {
            return element.write_empty().map(drop);
        };
        let write = |writer: &mut Writer<Vec<u8>>| {
            let problem = writer.create_element(*kind).with_attribute(("message", &*legal(message)));
            problem.write_text_content(BytesText::new(&legal(story))).map(drop)
        };
        element.write_inner_content(write).map(drop)
    }
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> [(&'static str, String); 3] {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match &case.problem {
            Some(problem) if problem.element == "failure" => failures += 1,
            Some(_) => errors += 1,
            None => {}
        }
    }
    [("tests", tests), ("failures", failures), ("errors", errors)]
        .map(|(name, count): (_, u64)| (name, count.to_string()))
}

/// XML 1.0 has no way to write most control characters.
fn legal(text: &str) -> String {
    let is_legal =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_legal(c) { c } else { '\u{fffd}' }).collect()
}
