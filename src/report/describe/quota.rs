//! `describe resourcequota` (upstream `describeQuota`, `DescribeResourceQuotas`).

use super::parts::name_and_namespace;
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{Quantity, Resource, ResourceQuota};

/// What kubectl tells of a scope.
const SCOPES: [(&str, &str); 4] = [
    (
        "Terminating",
        "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before being \
         actively terminated by the system.",
    ),
    (
        "NotTerminating",
        "Matches all pods that do not have an active deadline. These pods usually include long running pods whose \
         container command is not expected to terminate.",
    ),
    (
        "BestEffort",
        "Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
    ),
    (
        "NotBestEffort",
        "Matches all pods that have at least one resource requirement set. These pods have a burstable or guaranteed \
         quality of service.",
    ),
];

pub(super) fn describe(out: &mut TabWriter, quota: &ResourceQuota) {
    name_and_namespace(out, &quota.meta);
    scopes(out, 0, " *", quota);
    out.line(0, "Resource\tUsed\tHard");
    out.line(0, "--------\t----\t----");
    for (name, hard) in &quota.status.hard {
        let used = quota.status.used.get(name).copied().unwrap_or_default();
        // What is used is told in the unit of the bound.
        let used =
            if used.format() == hard.format() { used } else { Quantity::from_value(used.value(), hard.format()) };
        out.line(0, format_args!("{name}\t{used}\t{hard}"));
    }
}

/// A quota as part of its namespace.
pub(super) fn quota_section(out: &mut TabWriter, quota: &ResourceQuota) {
    out.field(1, "Name", &quota.meta.name);
    scopes(out, 1, "*", quota);
    out.line(1, "Resource\tUsed\tHard");
    out.line(1, "--------\t---\t---");
    for (name, hard) in &quota.status.hard {
        let used = quota.status.used.get(name).copied().unwrap_or_default();
        out.line(1, format_args!("{name}\t{used}\t{hard}"));
    }
}

fn scopes(out: &mut TabWriter, level: usize, bullet: &str, quota: &ResourceQuota) {
    let wire = quota.to_wire();
    let mut scopes = wire.at("spec").texts("scopes");
    scopes.sort_unstable();
    if !scopes.is_empty() {
        out.field(level, "Scopes", scopes.join(", "));
    }
    for scope in scopes {
        if let Some((_, help)) = SCOPES.iter().find(|(name, _)| *name == scope) {
            out.line(level, format_args!("{bullet} {help}"));
        }
    }
}
