//! What the API has, for clients that ask before they speak: `/api`, `/apis`, `/version`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::View;

use super::path::api_version;
use super::resources::ApiResource;
use super::{metrics, reviews};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

pub(super) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": concat!("v1.36.0+seatrial-", env!("CARGO_PKG_VERSION")),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none",
        "compiler": "rustc", "platform": "simulated",
    })
}

pub(super) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`.
pub(super) fn groups(view: &View) -> Value {
    let groups: Vec<Value> = versions(view).iter().map(|(group, versions)| group_of(group, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`.
pub(super) fn group(view: &View, name: &str) -> Option<Value> {
    let versions = versions(view);
    let mut group = group_of(name, versions.get(name)?);
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    Some(group)
}

/// Versions of every named group.
fn versions(view: &View) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let resources = ApiResource::all(view).into_iter().map(|resource| (resource.group, resource.version));
    let own =
        [metrics::GROUP_VERSION, reviews::GROUP_VERSION].map(|[group, version]| (group.to_owned(), version.to_owned()));
    for (group, version) in resources.chain(own).filter(|(group, _)| !group.is_empty()) {
        let versions = groups.entry(group).or_default();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    groups.values_mut().for_each(|versions| versions.sort_by(|a, b| Maturity::of(b).cmp(&Maturity::of(a))));
    groups
}

/// What makes a version preferred (apimachinery `CompareKubeAwareVersionStrings`): that it is stable, else beta; then its
/// numbers. Names of another shape come last, in the order of the alphabet.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Maturity<'a> {
    Unknown(Reverse<&'a str>),
    Alpha(u64, u64),
    Beta(u64, u64),
    Stable(u64),
}

impl<'a> Maturity<'a> {
    fn of(version: &'a str) -> Self {
        let read = || {
            let numbers = version.strip_prefix('v')?;
            let parsed = |major: &str, minor: &str| Some((major.parse().ok()?, minor.parse().ok()?));
            if let Some((major, minor)) = numbers.split_once("beta") {
                return parsed(major, minor).map(|(major, minor)| Self::Beta(major, minor));
            }
            if let Some((major, minor)) = numbers.split_once("alpha") {
                return parsed(major, minor).map(|(major, minor)| Self::Alpha(major, minor));
            }
            numbers.parse().ok().map(Self::Stable)
        };
        read().unwrap_or(Self::Unknown(Reverse(version)))
    }
}

fn group_of(name: &str, versions: &[String]) -> Value {
    let version = |version: &String| json!({"groupVersion": api_version(name, version), "version": version});
    let all: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": name, "versions": all, "preferredVersion": all.first()})
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
pub(super) fn resources(view: &View, group: &str, version: &str) -> Option<Value> {
    let all = ApiResource::all(view);
    let here = all.iter().filter(|resource| (&*resource.group, &*resource.version) == (group, version));
    let mut list: Vec<Value> = here.flat_map(entries).collect();
    if [group, version] == metrics::GROUP_VERSION {
        list.extend(metrics::resources());
    }
    if [group, version] == reviews::GROUP_VERSION {
        list.extend(reviews::resources());
    }
    let group_version = api_version(group, version);
    let document =
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list});
    (!list.is_empty()).then_some(document)
}

/// A resource, and its subresources.
fn entries(resource: &ApiResource) -> Vec<Value> {
    let mut entry = json!({
        "name": resource.plural, "singularName": resource.kind.to_lowercase(), "namespaced": resource.is_namespaced,
        "kind": resource.kind, "verbs": VERBS,
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = resource.short_names.clone().into();
    }
    if resource.resource.is_in_all() {
        entry["categories"] = json!(["all"]);
    }
    let part = |part: super::resources::Subresource| {
        let [group, version, kind] = part.takes().unwrap_or([&resource.group, &resource.version, &resource.kind]);
        let mut entry = json!({
            "name": format!("{}/{}", resource.plural, part.name()), "singularName": "",
            "namespaced": resource.is_namespaced, "kind": kind, "verbs": part.verbs(),
        });
        if part.takes().is_some() {
            entry["group"] = group.into();
            entry["version"] = version.into();
        }
        entry
    };
    let parts: Vec<Value> = resource.subresources().into_iter().map(part).collect();
    std::iter::once(entry).chain(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_are_preferred_then_beta_then_higher_numbers() {
        let mut versions =
            ["foo10", "v1alpha1", "v1", "foo1", "v11beta2", "v12alpha1", "v10", "v3beta1", "v2", "v11alpha2"];
        versions.sort_by(|a, b| Maturity::of(b).cmp(&Maturity::of(a)));
        let expected =
            ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v11alpha2", "v1alpha1", "foo1", "foo10"];
        assert_eq!(versions, expected);
    }
}
