//! Projected volumes: several sources in one directory.

use std::collections::BTreeSet;

use serde_json::Value;

use super::PodOptions;
use super::volumes::{validate_downward_file, validate_key_to_path, validate_mode};
use crate::objects::validation::checks::{self, required_texts};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const CONFLICT: &str = "conflicting duplicate paths";
const TOKEN_SECONDS_MIN: i64 = 10 * 60;
const TOKEN_SECONDS_MAX: i64 = 1 << 32;

/// `validateProjectedVolumeSource`. Trust bundles and pod certificates are behind features that are off, and dropped
/// before validation.
pub(super) fn validate_projected(volume: &Value, path: &Path<'_>, options: &PodOptions, errors: &mut Errors) {
    validate_mode(volume, "defaultMode", path, errors);
    let sources = path.child("sources");
    let mut files = BTreeSet::new();
    for (index, source) in volume.list("sources").iter().enumerate() {
        let source_path = sources.index(index);
        for kind in ["secret", "configMap"] {
            if let Some(named) = source.get_some(kind) {
                validate_keys(named, &source_path.child(kind), path, &mut files, errors);
            }
        }
        if let Some(api) = source.get_some("downwardAPI") {
            for file in api.list("items") {
                validate_downward_file(file, &source_path.child("downwardAPI"), errors);
                claim_file(file.text("path"), file.text("path"), path, &mut files, errors);
            }
        }
        if let Some(token) = source.get_some("serviceAccountToken") {
            validate_token(token, &source_path.child("serviceAccountToken"), path, options, errors);
        }
        let kinds = ["secret", "configMap", "downwardAPI", "serviceAccountToken"];
        if kinds.iter().filter(|kind| source.has(kind)).count() > 1 {
            errors.push(source_path.forbidden("may not specify more than 1 volume type per source"));
        }
    }
}

/// Two sources must not write one file; the conflict is reported at the volume, with `shown` as the value.
fn claim_file<'a>(file: &'a str, shown: &str, path: &Path<'_>, files: &mut BTreeSet<&'a str>, errors: &mut Errors) {
    if !file.is_empty() && !files.insert(file) {
        errors.push(path.invalid(shown, CONFLICT));
    }
}

fn validate_keys<'a>(
    named: &'a Value,
    at: &Path<'_>,
    volume: &Path<'_>,
    files: &mut BTreeSet<&'a str>,
    errors: &mut Errors,
) {
    required_texts(named, &["name"], at, errors);
    let items = at.child("items");
    for (index, item) in named.list("items").iter().enumerate() {
        validate_key_to_path(item, &items.index(index), errors);
        claim_file(item.text("path"), named.text("name"), volume, files, errors);
    }
}

fn validate_token(token: &Value, at: &Path<'_>, volume: &Path<'_>, options: &PodOptions, errors: &mut Errors) {
    let seconds = token.int("expirationSeconds");
    let expiration = at.child("expirationSeconds");
    if seconds < TOKEN_SECONDS_MIN {
        errors.push(expiration.invalid(seconds, "may not specify a duration less than 10 minutes"));
    }
    if seconds > TOKEN_SECONDS_MAX {
        errors.push(expiration.invalid(seconds, "may not specify a duration larger than 2^32 seconds"));
    }
    if token.text("path").is_empty() {
        errors.push(volume.child("path").required(""));
    } else if !options.allow_non_local_token_path {
        checks::local_non_reserved_path(token.text("path"), &volume.child("path"), errors);
    }
}
