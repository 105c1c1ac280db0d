//! Resource names and amounts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::{NOT_NEGATIVE, dns_label, qualified_name, quantities};
use super::{Errors, Path};
use crate::objects::Quantity;
use crate::objects::names;
use crate::objects::pod_resources::is_pod_level_resource;
use crate::objects::wire::Wire;

const STANDARD: [&str; 20] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// Resources that are counted, not measured.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

pub(super) fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_quota_huge_pages(name: &str) -> bool {
    is_huge_pages(name) || name.starts_with("requests.hugepages-")
}

/// A resource that Kubernetes itself defines.
pub(super) fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && names::label_key(&format!("requests.{name}")).is_empty()
}

/// Whether limits may be higher than requests.
pub(super) fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

/// What a quota can limit (`IsStandardQuotaResourceName`).
pub(super) fn is_standard_quota_resource(name: &str) -> bool {
    (name != "storage" && STANDARD.contains(&name)) || is_quota_huge_pages(name)
}

/// `validateResourceName`.
pub(super) fn resource_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    let before = errors.len();
    qualified_name(name, path, errors);
    if errors.len() == before && !name.contains('/') && !STANDARD.contains(&name) && !is_quota_huge_pages(name) {
        errors.push(path.invalid(name, "must be a standard resource type or fully qualified"));
    }
}

/// `validateContainerResourceName`.
pub(super) fn container_resource_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    resource_name(name, path, errors);
    if !name.contains('/') {
        if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !is_huge_pages(name) {
            errors.push(path.invalid(name, "must be a standard resource for containers"));
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.push(path.invalid(name, "doesn't follow extended resource name standard"));
    }
}

fn pod_resource_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    let before = errors.len();
    resource_name(name, path, errors);
    if errors.len() == before && !is_pod_level_resource(name) {
        errors.push(path.not_supported(name, &["cpu", "hugepages-", "memory"]));
    }
}

/// `ValidateResourceQuotaResourceName`.
pub(super) fn quota_resource_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    resource_name(name, path, errors);
    if !name.contains('/') && !is_standard_quota_resource(name) {
        errors.push(path.invalid(name, "must be a standard resource for quota"));
    }
}

/// `ValidateResourceQuantityValue`.
pub(super) fn resource_quantity(name: &str, amount: Quantity, path: &Path<'_>, errors: &mut Errors) {
    if amount < Quantity::default() {
        errors.push(path.invalid(amount, NOT_NEGATIVE));
    }
    if (COUNTED.contains(&name) || is_extended(name)) && amount.milli_value() % 1000 != 0 {
        errors.push(path.invalid(amount, "must be an integer"));
    }
}

/// Whether huge pages are whole pages.
pub(super) fn is_whole_pages(name: &str, amount: Quantity) -> bool {
    let page = name.strip_prefix("hugepages-").and_then(|size| size.parse::<Quantity>().ok());
    page.is_some_and(|page| page.milli_value() % 1000 == 0 && page.value() > 0 && amount.value() % page.value() == 0)
}

/// What the checks of requests and limits depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequirementOptions<'a> {
    /// For a whole pod instead of a container.
    pub(super) pod_level: bool,
    /// An old object already has broken huge pages.
    pub(super) allow_broken_pages: bool,
    /// The resource claims that the pod declares.
    pub(super) claims: &'a BTreeSet<&'a str>,
}

/// `validateResourceRequirements`.
pub(super) fn validate_requirements(
    requirements: &Value,
    options: RequirementOptions<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let limits_path = path.child("limits");
    let requests_path = path.child("requests");
    let limits = quantities(requirements, "limits");
    let requests = quantities(requirements, "requests");
    for (name, amount) in &limits {
        validate_amount(name, *amount, options, &limits_path.key(name), errors);
        validate_pages(name, *amount, options, &limits_path.key(name), errors);
    }
    for (name, amount) in &requests {
        validate_amount(name, *amount, options, &requests_path.key(name), errors);
        let limit = limits.iter().find(|(limited, _)| limited == name).map(|(_, limit)| *limit);
        match limit {
            Some(limit) if *amount != limit && !is_overcommit_allowed(name) => {
                errors.push(requests_path.invalid(amount, format!("must be equal to {name} limit of {limit}")));
            }
            Some(limit) if *amount > limit => {
                errors.push(
                    requests_path.invalid(amount, format!("must be less than or equal to {name} limit of {limit}")),
                );
            }
            None if !is_overcommit_allowed(name) => {
                errors.push(limits_path.required("Limit must be set for non overcommitable resources"));
            }
            _ => {}
        }
        validate_pages(name, *amount, options, &requests_path.key(name), errors);
    }
    let mut names = limits.iter().chain(&requests).map(|(name, _)| *name);
    let computes = names.clone().any(|name| matches!(name, "cpu" | "memory"));
    if names.any(is_huge_pages) && !computes {
        errors.push(path.forbidden("HugePages require cpu or memory"));
    }
    validate_claims(requirements.list("claims"), options.claims, &path.child("claims"), errors);
}

fn validate_amount(
    name: &str,
    amount: Quantity,
    options: RequirementOptions<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if options.pod_level {
        pod_resource_name(name, path, errors);
    } else {
        container_resource_name(name, path, errors);
    }
    resource_quantity(name, amount, path, errors);
}

fn validate_pages(name: &str, amount: Quantity, options: RequirementOptions<'_>, path: &Path<'_>, errors: &mut Errors) {
    if is_huge_pages(name) && !options.allow_broken_pages && !is_whole_pages(name, amount) {
        errors.push(path.invalid(amount, format!("{amount} is not positive integer multiple of {name}")));
    }
}

/// `validateResourceClaimNames`.
fn validate_claims(claims: &[Value], declared: &BTreeSet<&str>, path: &Path<'_>, errors: &mut Errors) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let path = path.index(index);
        let (name, request) = (claim.text("name"), claim.text("request"));
        if name.is_empty() {
            errors.push(path.required(""));
            continue;
        }
        if seen.contains(name) {
            errors.push(path.duplicate(name));
        } else {
            let key = if request.is_empty() {
                name.to_owned()
            } else {
                dns_label(request, &path.child("request"), errors);
                format!("{name}/{request}")
            };
            if seen.contains(&key) {
                errors.push(path.duplicate(&key));
            } else if request.is_empty() {
                let whole = seen.iter().filter(|other| other.split_once('/').is_some_and(|(claim, _)| claim == name));
                errors.extend(whole.map(|_| path.duplicate(name)));
            }
            seen.insert(key);
        }
        if !declared.contains(name) {
            let known: Vec<&str> = declared.iter().copied().collect();
            let known = if known.is_empty() { " which is empty".to_owned() } else { format!(": {}", known.join(", ")) };
            let detail = format!("must be one of the names in pod.spec.resourceClaims{known}");
            errors.push(path.not_found(name).with_detail(detail));
        }
    }
}
