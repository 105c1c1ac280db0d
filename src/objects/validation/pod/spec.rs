//! The pod spec as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::containers::{self, ContainerContext};
use super::scheduling::{validate_affinity, validate_spread, validate_tolerations};
use super::{MIRROR, PodOptions, all_containers, security, validate_name, volumes, windows};
use crate::objects::names;
use crate::objects::pod_resources;
use crate::objects::validation::checks::{
    self, Report, dns_label, dns_subdomain, legacy_ip, qualified_name, quantities, required_enum,
};
use crate::objects::validation::error::Verbatim;
use crate::objects::validation::labels::validate_labels;
use crate::objects::validation::resources::{RequirementOptions, is_huge_pages, validate_requirements};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARACTERS_MAX: usize = 2048;
const HOSTNAME_OVERRIDE_MAX: usize = 64;
const NO_USER_NAMESPACE: &str = "when `hostUsers` is false";

/// `ValidatePodSpec`. Templates have no metadata of a pod.
pub(super) fn validate_spec(
    spec: &Value,
    metadata: Option<&Value>,
    options: &PodOptions,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let grace = spec.int_some("terminationGracePeriodSeconds");
    if grace.is_none() {
        errors.push(path.child("terminationGracePeriodSeconds").required(""));
    }
    let pod_name = metadata.map_or("", |metadata| metadata.text("name"));
    let volumes = volumes::validate_volumes(spec.list("volumes"), pod_name, options, &path.child("volumes"), errors);
    let claims: BTreeSet<&str> =
        spec.list("resourceClaims").iter().map(|claim| claim.text("name")).filter(|name| !name.is_empty()).collect();
    validate_resource_claims(spec, metadata, &path.child("resourceClaims"), errors);
    let host_users = spec.flag_some("hostUsers").unwrap_or(true);
    let context = ContainerContext { spec, volumes, claims, grace, host_users, options };
    containers::validate_containers(&context, &path.child("containers"), errors);
    containers::validate_init_containers(&context, &path.child("initContainers"), errors);
    containers::validate_ephemeral_containers(&context, &path.child("ephemeralContainers"), errors);
    validate_pod_level_resources(spec, &context, path, errors);
    validate_host_network_ports(spec, options, path, errors);
    validate_policies(spec, path, errors);
    security::validate_pod_security(spec, options, &path.child("securityContext"), errors);
    validate_affinity(spec.at("affinity"), options, &path.child("affinity"), errors);
    validate_dns_config(spec, &path.child("dnsConfig"), errors);
    validate_gates(spec, path, errors);
    validate_spread(spec.list("topologySpreadConstraints"), options, &path.child("topologySpreadConstraints"), errors);
    windows::validate_host_process(spec, path, errors);
    validate_host_users(spec, options, path, errors);
    validate_hostname_override(spec, path, errors);
    validate_references(spec, options, path, errors);
    if spec.has("overhead") {
        validate_overhead(spec, &context, &path.child("overhead"), errors);
    }
    windows::validate_os(spec, path, errors);
    validate_file_keys(spec, path, errors);
}

fn validate_policies(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_enum(spec.text("restartPolicy"), &["Always", "OnFailure", "Never"], &path.child("restartPolicy"), errors);
    let dns_policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    required_enum(spec.text("dnsPolicy"), &dns_policies, &path.child("dnsPolicy"), errors);
    validate_labels(spec.at("nodeSelector"), &path.child("nodeSelector"), errors);
}

/// Names, numbers and lists that only need a look at themselves, in upstream's order.
fn validate_references(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    validate_name(
        spec.text("serviceAccountName"),
        names::name_is_dns_subdomain,
        &path.child("serviceAccountName"),
        errors,
    );
    validate_name(spec.text("nodeName"), names::name_is_dns_subdomain, &path.child("nodeName"), errors);
    if let Some(seconds) = spec.int_some("activeDeadlineSeconds")
        && !(1..=i64::from(i32::MAX)).contains(&seconds)
    {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(path.child("activeDeadlineSeconds").invalid(seconds, detail));
    }
    for field in ["hostname", "subdomain"] {
        if !spec.text(field).is_empty() {
            dns_label(spec.text(field), &path.child(field), errors);
        }
    }
    validate_tolerations(spec.list("tolerations"), options, &path.child("tolerations"), errors);
    validate_host_aliases(spec.list("hostAliases"), &path.child("hostAliases"), errors);
    validate_name(
        spec.text("priorityClassName"),
        names::name_is_dns_subdomain,
        &path.child("priorityClassName"),
        errors,
    );
    if let Some(class) = spec.text_some("runtimeClassName") {
        dns_subdomain(class, &path.child("runtimeClassName"), errors);
    }
    if let Some(policy) = spec.text_some("preemptionPolicy") {
        required_enum(policy, &["PreemptLowerPriority", "Never"], &path.child("preemptionPolicy"), errors);
    }
}

fn validate_overhead(spec: &Value, context: &ContainerContext<'_>, path: &Path<'_>, errors: &mut Errors) {
    let limits = serde_json::json!({"limits": spec.at("overhead")});
    let none = BTreeSet::new();
    let allow_broken_pages = context.options.allow_indivisible_huge_pages;
    let options = RequirementOptions { pod_level: false, allow_broken_pages, claims: &none };
    validate_requirements(&limits, options, path, errors);
}

fn validate_resource_claims(spec: &Value, metadata: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, claim) in spec.list("resourceClaims").iter().enumerate() {
        if metadata.is_some_and(|metadata| metadata.at("annotations").has(MIRROR)) {
            errors.push(Path::root("").forbidden("static pods do not support resource claims"));
            continue;
        }
        let path = path.index(index);
        let name = claim.text("name");
        if name.is_empty() {
            errors.push(path.child("name").required(""));
        } else if !seen.insert(name) {
            errors.push(path.child("name").duplicate(name));
        } else {
            dns_label(name, &path.child("name"), errors);
        }
        let sources = ["resourceClaimName", "resourceClaimTemplateName"];
        let shown = || {
            let part = |field: &str| claim.text_some(field).map_or("null".to_owned(), names::quoted);
            let [direct, template] = sources.map(part);
            Verbatim(format!(
                r#"{{"Name":{},"ResourceClaimName":{direct},"ResourceClaimTemplateName":{template}}}"#,
                names::quoted(name)
            ))
        };
        match sources.map(|field| claim.has(field)) {
            [true, true] => {
                let detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                errors.push(path.invalid(shown(), detail));
            }
            [false, false] => {
                let detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                errors.push(path.invalid(shown(), detail));
            }
            _ => {}
        }
        for field in sources {
            if let Some(name) = claim.text_some(field) {
                dns_subdomain(name, &path.child(field), errors);
            }
        }
    }
}

/// `validatePodResources`.
fn validate_pod_level_resources(spec: &Value, context: &ContainerContext<'_>, path: &Path<'_>, errors: &mut Errors) {
    let Some(resources) = spec.get_some("resources") else { return };
    let path = path.child("resources");
    if spec.at("os").text("name") == "windows" {
        errors.push(path.forbidden("may not be set for a windows pod"));
        return;
    }
    if resources.has("claims") {
        errors.push(path.child("claims").forbidden("claims may not be set for Resources at pod-level"));
    }
    let options = RequirementOptions {
        pod_level: true,
        allow_broken_pages: context.options.allow_indivisible_huge_pages,
        claims: &context.claims,
    };
    validate_requirements(resources, options, &path, errors);
    validate_pod_level_covers_containers(spec, resources, &path, errors);
}

/// `validatePodResourceConsistency`.
fn validate_pod_level_covers_containers(spec: &Value, resources: &Value, path: &Path<'_>, errors: &mut Errors) {
    let requests: BTreeMap<&str, _> = quantities(resources, "requests").into_iter().collect();
    let limits: BTreeMap<&str, _> = quantities(resources, "limits").into_iter().collect();
    let requests_path = path.child("requests");
    for (name, needed) in pod_resources::container_requests(spec) {
        if let Some(request) = requests.get(name.as_str()).filter(|request| needed > **request) {
            let detail = format!("must be greater than or equal to aggregate container requests of {needed}");
            errors.push(requests_path.key(&name).invalid(request, detail));
        }
    }
    let limits_path = path.child("limits");
    for (name, needed) in pod_resources::container_limits(spec).into_iter().filter(|(name, _)| is_huge_pages(name)) {
        if let Some(limit) = limits.get(name.as_str()).filter(|limit| needed > **limit) {
            let detail = format!("must be greater than or equal to aggregate container limits of {needed}");
            errors.push(limits_path.key(&name).invalid(limit, detail));
        }
    }
    let containers = path.child("containers");
    for (index, container) in spec.list("containers").iter().enumerate() {
        let container_path = containers.index(index);
        for (name, own) in quantities(container.at("resources"), "limits") {
            if let Some(limit) = limits.get(name).filter(|limit| own > **limit) {
                let keyed = container_path.key(name);
                let detail = format!("must be less than or equal to pod limits of {limit}");
                errors.push(keyed.child("limits").invalid(own, detail));
            }
        }
    }
}

fn validate_host_network_ports(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    if !spec.flag("hostNetwork") {
        return;
    }
    let list = path.child("containers");
    for (index, container) in spec.list("containers").iter().enumerate() {
        let container_path = list.index(index);
        let ports = container_path.child("ports");
        for (index, port) in container.list("ports").iter().enumerate() {
            let (host, own) = (port.int("hostPort"), port.int("containerPort"));
            if (options.is_pod || host != 0) && host != own {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                let at = ports.index(index);
                errors.push(at.child("hostPort").invalid(host, detail));
            }
        }
    }
}

fn validate_dns_config(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let config = spec.at("dnsConfig");
    let nameservers = config.texts("nameservers");
    if spec.text("dnsPolicy") == "None" {
        if !config.is_object() {
            errors.push(path.required("must provide `dnsConfig` when `dnsPolicy` is None"));
            return;
        }
        if nameservers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(path.child("nameservers").required(detail));
            return;
        }
    }
    let nameservers_path = path.child("nameservers");
    if nameservers.len() > NAMESERVERS_MAX {
        errors.push(nameservers_path.invalid(&nameservers, "must not have more than 3 nameservers"));
    }
    for (index, nameserver) in nameservers.into_iter().enumerate() {
        legacy_ip(nameserver, &[], &nameservers_path.index(index), errors);
    }
    validate_searches(&config.texts("searches"), &path.child("searches"), errors);
    let options = path.child("options");
    for (index, option) in config.list("options").iter().enumerate() {
        if option.text("name").is_empty() {
            errors.push(options.index(index).required("must not be empty"));
        }
    }
}

fn validate_searches(searches: &Vec<&str>, path: &Path<'_>, errors: &mut Errors) {
    if searches.len() > SEARCHES_MAX {
        errors.push(path.invalid(searches, "must not have more than 32 search paths"));
    }
    let characters = searches.iter().map(|search| search.len() + 1).sum::<usize>().saturating_sub(1);
    if characters > SEARCH_CHARACTERS_MAX {
        let detail = "must not have more than 2048 characters (including spaces) in the search list";
        errors.push(path.invalid(searches, detail));
    }
    for (index, search) in searches.iter().enumerate().filter(|(_, search)| **search != ".") {
        let name = search.strip_suffix('.').unwrap_or(search);
        errors.complain(&path.index(index), name, names::dns1123_subdomain_with_underscore(name));
    }
}

fn validate_gates(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("readinessGates");
    for (index, gate) in spec.list("readinessGates").iter().enumerate() {
        let at = list.index(index);
        qualified_name(gate.text("conditionType"), &at.child("conditionType"), errors);
    }
    let mut seen = BTreeSet::new();
    let list = path.child("schedulingGates");
    for (index, gate) in spec.list("schedulingGates").iter().enumerate() {
        let name = gate.text("name");
        qualified_name(name, &list.index(index), errors);
        if !seen.insert(name) {
            errors.push(list.index(index).duplicate(name));
        }
    }
}

fn validate_host_users(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    if spec.flag_some("hostUsers").unwrap_or(true) {
        return;
    }
    if spec.flag("hostNetwork") && !options.allow_user_namespaces_with_host_network {
        errors.push(path.child("hostNetwork").forbidden(NO_USER_NAMESPACE));
    }
    for (field, shown) in [("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec.flag(field) {
            errors.push(path.child(shown).forbidden(NO_USER_NAMESPACE));
        }
    }
    if options.allow_user_namespaces_with_devices {
        return;
    }
    for (list, index, container) in all_containers(spec) {
        if !container.list("volumeDevices").is_empty() {
            let list = path.child(list);
            let at = list.index(index);
            errors.push(at.child("volumeDevices").forbidden(NO_USER_NAMESPACE));
        }
    }
}

fn validate_hostname_override(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(hostname) = spec.text_some("hostnameOverride") else { return };
    let path = path.child("hostnameOverride");
    if spec.flag("setHostnameAsFQDN") {
        errors.push(path.forbidden("may not be specified when setHostnameAsFQDN is true"));
    }
    if spec.flag("hostNetwork") {
        errors.push(path.forbidden("may not be specified when hostNetwork is true"));
    }
    if hostname.len() > HOSTNAME_OVERRIDE_MAX {
        errors.push(path.too_long(HOSTNAME_OVERRIDE_MAX));
    }
    dns_subdomain(hostname, &path, errors);
}

fn validate_host_aliases(aliases: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, alias) in aliases.iter().enumerate() {
        let path = path.index(index);
        legacy_ip(alias.text("ip"), &[], &path.child("ip"), errors);
        let names = path.child("hostnames");
        for (index, hostname) in alias.texts("hostnames").into_iter().enumerate() {
            checks::dns_subdomain(hostname, &names.index(index), errors);
        }
    }
}

/// Variables from files need an emptyDir that holds the file.
fn validate_file_keys(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let volumes: BTreeMap<&str, &Value> =
        spec.list("volumes").iter().map(|volume| (volume.text("name"), volume)).collect();
    for (list, index, container) in all_containers(spec) {
        let list = path.child(list);
        let at = list.index(index);
        let env = at.child("env");
        for (index, variable) in container.list("env").iter().enumerate() {
            let Some(key) = variable.at("valueFrom").get_some("fileKeyRef") else { continue };
            let name = key.text("volumeName");
            let variable_path = env.index(index);
            let path = variable_path.child("valueFrom.fileKeyRef.volumeName");
            match volumes.get(name) {
                None => errors.push(path.not_found(name)),
                Some(volume) if !volume.has("emptyDir") => {
                    errors.push(path.invalid(name, "referenced volume must be of type emptyDir"));
                }
                Some(_) => {}
            }
        }
    }
}
