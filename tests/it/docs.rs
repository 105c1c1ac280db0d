//! The pages that people read name all there is.

use std::fs;
use std::path::Path;

use seatrial::scenario::{Expression, RunOptions, Scenario};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/README.md")).expect("the page")
}

/// What a message lists after these words.
fn listed(text: &str, after: &str) -> Vec<String> {
    let (_, list) = text.split_once(after).unwrap_or_else(|| panic!("{after:?} is not in {text:?}"));
    let list = list.lines().next().unwrap_or_default();
    list.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_scenario_is_explained() {
    let page = page();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let names = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.file_name());
    for name in names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".yaml")) {
        assert!(page.contains(&format!("({name})")), "{name} is not among the lessons");
    }
}

#[test]
fn every_function_is_explained() {
    let error = "zzzz(web)".parse::<Expression>().map(drop).expect_err("no such function");
    let functions = listed(&error.help.expect("a list"), "the functions are ");
    assert!(functions.len() > 30);
    let page = page();
    for name in functions {
        assert!(
            page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}()`")),
            "{name} is not explained"
        );
    }
}

#[test]
fn every_verb_is_explained() {
    let text = "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: none}\nspec: {duration: 1m, steps: [{at: 1s}]}\n";
    let told = match Scenario::read("none.yaml", text).and_then(|scenario| scenario.run(&RunOptions::default())) {
        Ok(_) => panic!("a step without a verb"),
        Err(error) => format!("{error} {error:?}"),
    };
    let verbs = listed(&told.replace('"', "\n"), "one of apply, ");
    assert!(verbs.len() > 15, "{verbs:?}");
    let page = page();
    verbs.iter().for_each(|verb| assert!(page.contains(&format!("`{verb}`")), "{verb} is not explained"));
}
