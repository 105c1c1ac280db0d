//! Affinity, tolerations, topology spread.

use std::collections::BTreeSet;

use serde_json::Value;

use super::PodOptions;
use crate::objects::names;
use crate::objects::validation::checks::{self, POSITIVE, Report, joined, qualified_name, supported};
use crate::objects::validation::labels::validate_selector;
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const WEIGHT_RANGE: &str = "must be in the range 1-100";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
pub(in crate::objects::validation) const TAINT_EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// `validateAffinity`.
pub(super) fn validate_affinity(affinity: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    if let Some(node) = affinity.get_some("nodeAffinity") {
        let path = path.child("nodeAffinity");
        if let Some(selector) = node.get_some(REQUIRED) {
            validate_node_selector(
                selector,
                options.allow_invalid_label_value_in_node_affinity,
                &path.child(REQUIRED),
                errors,
            );
        }
        let preferred = path.child(PREFERRED);
        for (index, term) in node.list(PREFERRED).iter().enumerate() {
            let path = preferred.index(index);
            validate_weight(term, &path, errors);
            validate_node_selector_term(term.at("preference"), true, &path.child("preference"), errors);
        }
    }
    for side in ["podAffinity", "podAntiAffinity"] {
        let path = path.child(side);
        let required = path.child(REQUIRED);
        for (index, term) in affinity.at(side).list(REQUIRED).iter().enumerate() {
            validate_pod_affinity_term(term, options, &required.index(index), errors);
        }
        let preferred = path.child(PREFERRED);
        for (index, term) in affinity.at(side).list(PREFERRED).iter().enumerate() {
            let path = preferred.index(index);
            validate_weight(term, &path, errors);
            validate_pod_affinity_term(term.at("podAffinityTerm"), options, &path.child("podAffinityTerm"), errors);
        }
    }
}

fn validate_weight(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    let weight = term.int("weight");
    if !(1..=100).contains(&weight) {
        errors.push(path.child("weight").invalid(weight, WEIGHT_RANGE));
    }
}

/// `ValidateNodeSelector`.
pub(in crate::objects::validation) fn validate_node_selector(
    selector: &Value,
    allow_invalid_values: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let terms_path = path.child("nodeSelectorTerms");
    let terms = selector.list("nodeSelectorTerms");
    if terms.is_empty() {
        errors.push(terms_path.required("must have at least one node selector term"));
    }
    for (index, term) in terms.iter().enumerate() {
        validate_node_selector_term(term, allow_invalid_values, &terms_path.index(index), errors);
    }
}

fn validate_node_selector_term(term: &Value, allow_invalid_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let expressions = path.child("matchExpressions");
    for (index, requirement) in term.list("matchExpressions").iter().enumerate() {
        validate_node_requirement(requirement, allow_invalid_values, &expressions.index(index), errors);
    }
    let fields = path.child("matchFields");
    for (index, requirement) in term.list("matchFields").iter().enumerate() {
        validate_node_field_requirement(requirement, &fields.index(index), errors);
    }
}

fn validate_node_requirement(requirement: &Value, allow_invalid_values: bool, path: &Path<'_>, errors: &mut Errors) {
    let values = path.child("values");
    let count = requirement.list("values").len();
    match (requirement.text("operator"), count) {
        ("In" | "NotIn", 0) => errors.push(values.required("must be specified when `operator` is 'In' or 'NotIn'")),
        ("Exists" | "DoesNotExist", 1..) => {
            errors.push(values.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        ("Gt" | "Lt", 0 | 2..) => {
            errors.push(values.required("must be specified single value when `operator` is 'Lt' or 'Gt'"));
        }
        ("In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt", _) => {}
        (operator, _) => errors.push(path.child("operator").invalid(operator, "not a valid selector operator")),
    }
    qualified_name(requirement.text("key"), &path.child("key"), errors);
    if !allow_invalid_values {
        for (index, value) in requirement.texts("values").into_iter().enumerate() {
            errors.complain(&values.index(index), value, names::label_value(value));
        }
    }
}

fn validate_node_field_requirement(requirement: &Value, path: &Path<'_>, errors: &mut Errors) {
    let values = path.child("values");
    match requirement.text("operator") {
        "In" | "NotIn" => {
            if requirement.list("values").len() != 1 {
                let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                errors.push(values.required(detail));
            }
        }
        operator => errors.push(path.child("operator").invalid(operator, "not a valid selector operator")),
    }
    let key = requirement.text("key");
    if key != "metadata.name" {
        errors.push(path.child("key").invalid(key, "not a valid field selector key"));
        return;
    }
    for (index, value) in requirement.texts("values").into_iter().enumerate() {
        errors.complain(&values.index(index), value, names::name_is_dns_subdomain(value, false));
    }
}

fn validate_pod_affinity_term(term: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    validate_term_selectors(term, options.allow_invalid_label_value_in_selector, path, errors);
    for namespace in term.texts("namespaces") {
        errors.complain(&path.child("namespace"), namespace, names::name_is_dns_label(namespace, false));
    }
    validate_label_keys(term, path, errors);
    let key = term.text("topologyKey");
    if key.is_empty() {
        errors.push(path.child("topologyKey").required("can not be empty"));
    }
    qualified_name(key, &path.child("topologyKey"), errors);
}

fn validate_term_selectors(term: &Value, allow_invalid_values: bool, path: &Path<'_>, errors: &mut Errors) {
    for field in ["labelSelector", "namespaceSelector"] {
        validate_selector(term.at(field), allow_invalid_values, &path.child(field), errors);
    }
}

/// Whether a stored pod has selectors that today's rules refuse (`hasInvalidLabelValueInAffinitySelector`).
pub(super) fn has_invalid_selectors(spec: &Value) -> bool {
    let mut faults = Errors::new();
    let path = Path::root("");
    for side in ["podAffinity", "podAntiAffinity"] {
        let side = spec.at("affinity").at(side);
        let weighted = side.list(PREFERRED).iter().map(|term| term.at("podAffinityTerm"));
        for term in side.list(REQUIRED).iter().chain(weighted) {
            validate_term_selectors(term, false, &path, &mut faults);
        }
    }
    !faults.is_empty()
}

/// `ValidateMatchLabelKeysAndMismatchLabelKeys`. An overlap with the selector's expressions is reported at the term.
fn validate_label_keys(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    let selector = term.at("labelSelector");
    for list in ["matchLabelKeys", "mismatchLabelKeys"] {
        validate_key_list(&term.texts(list), selector, &path.child(list), errors);
    }
    let (matched, mismatched) = (term.texts("matchLabelKeys"), term.texts("mismatchLabelKeys"));
    if selector.is_object() {
        let mut selected: BTreeSet<&str> = selector.entries("matchLabels").into_iter().map(|(key, _)| key).collect();
        for expression in selector.list("matchExpressions") {
            let key = expression.text("key");
            if let Some(index) = matched.iter().rposition(|matched| *matched == key).filter(|_| selected.contains(key))
            {
                errors.push(path.index(index).invalid(key, "exists in both matchLabelKeys and labelSelector"));
            }
            selected.insert(key);
        }
    }
    let list = path.child("matchLabelKeys");
    for (index, key) in matched.into_iter().enumerate() {
        if mismatched.contains(&key) {
            errors.push(list.index(index).invalid(key, "exists in both matchLabelKeys and mismatchLabelKeys"));
        }
    }
}

fn validate_key_list(keys: &[&str], selector: &Value, path: &Path<'_>, errors: &mut Errors) {
    if keys.is_empty() {
        return;
    }
    if !selector.is_object() {
        errors.push(path.forbidden("must not be specified when labelSelector is not set"));
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        qualified_name(key, &path.index(index), errors);
    }
}

/// `ValidateTolerations`.
pub(in crate::objects::validation) fn validate_tolerations(
    tolerations: &[Value],
    options: &PodOptions,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (index, toleration) in tolerations.iter().enumerate() {
        validate_toleration(toleration, options, &path.index(index), errors);
    }
}

fn validate_toleration(toleration: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let (key, operator, value) = (toleration.text("key"), toleration.text("operator"), toleration.text("value"));
    let effect = toleration.text("effect");
    let operator_path = path.child("operator");
    if !key.is_empty() {
        qualified_name(key, &path.child("key"), errors);
    }
    if key.is_empty() && operator != "Exists" {
        let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
        errors.push(operator_path.invalid(operator, detail));
    }
    if toleration.has("tolerationSeconds") && effect != "NoExecute" {
        errors.push(path.child("effect").invalid(effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    match operator {
        "Equal" | "" => {
            let complaints = names::label_value(value);
            if !complaints.is_empty() {
                errors.push(operator_path.invalid(value, joined(&complaints, ";")));
            }
        }
        "Exists" if !value.is_empty() => {
            errors.push(operator_path.invalid(value, "value must be empty when `operator` is 'Exists'"));
        }
        "Exists" => {}
        "Lt" | "Gt" if options.allow_comparing_tolerations => {}
        "Lt" | "Gt" => errors.push(operator_path.not_supported(operator, &["Equal", "Exists", "Lt", "Gt"])),
        _ => errors.push(operator_path.not_supported(operator, &["Equal", "Exists"])),
    }
    if !effect.is_empty() {
        supported(effect, &TAINT_EFFECTS, &path.child("effect"), errors);
    }
}

/// `validateTopologySpreadConstraints`.
pub(super) fn validate_spread(constraints: &[Value], options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    for (index, constraint) in constraints.iter().enumerate() {
        let path = path.index(index);
        checks::positive(constraint.int("maxSkew"), &path.child("maxSkew"), errors);
        let (key, action) = (constraint.text("topologyKey"), constraint.text("whenUnsatisfiable"));
        if key.is_empty() {
            errors.push(path.child("topologyKey").required("can not be empty"));
        }
        supported(action, &["DoNotSchedule", "ScheduleAnyway"], &path.child("whenUnsatisfiable"), errors);
        let repeated = |other: &Value| other.text("topologyKey") == key && other.text("whenUnsatisfiable") == action;
        if constraints[index + 1..].iter().any(repeated) {
            let pair = format!("{{{key}, {action}}}");
            errors.push(path.child("{topologyKey, whenUnsatisfiable}").duplicate(&pair));
        }
        validate_min_domains(constraint, action, &path.child("minDomains"), errors);
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            checks::supported_if_given(constraint, policy, &["Honor", "Ignore"], &path, errors);
        }
        if options.old_violates_match_label_keys {
            validate_match_label_keys_leniently(constraint, &path.child("matchLabelKeys"), errors);
        } else {
            validate_label_keys(constraint, &path, errors);
        }
        if !options.allow_invalid_spread_selector {
            validate_selector(constraint.at("labelSelector"), false, &path.child("labelSelector"), errors);
        }
    }
}

fn validate_min_domains(constraint: &Value, action: &str, path: &Path<'_>, errors: &mut Errors) {
    let Some(domains) = constraint.int_some("minDomains") else { return };
    if domains <= 0 {
        errors.push(path.invalid(domains, POSITIVE));
    }
    if action != "DoNotSchedule" {
        let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
        errors.push(path.invalid(domains, detail));
    }
}

/// `ValidateMatchLabelKeysInTopologySpread`.
fn validate_match_label_keys_leniently(constraint: &Value, path: &Path<'_>, errors: &mut Errors) {
    let selector = constraint.at("labelSelector");
    let keys = constraint.texts("matchLabelKeys");
    if !keys.is_empty() && !selector.is_object() {
        errors.push(path.forbidden("must not be specified when labelSelector is not set"));
    }
    let in_selector = |key: &str| {
        selector.at("matchLabels").has(key)
            || selector.list("matchExpressions").iter().any(|other| other.text("key") == key)
    };
    for (index, key) in keys.into_iter().enumerate() {
        let path = path.index(index);
        qualified_name(key, &path, errors);
        if in_selector(key) {
            errors.push(path.invalid(key, "exists in both matchLabelKeys and labelSelector"));
        }
    }
}

/// Whether a stored pod has spread constraints that today's rules refuse: in their selectors, in their label keys.
pub(super) fn invalid_spread(spec: &Value) -> (bool, bool) {
    let path = Path::root("");
    let (mut selectors, mut keys) = (Errors::new(), Errors::new());
    for constraint in spec.list("topologySpreadConstraints") {
        validate_selector(constraint.at("labelSelector"), false, &path, &mut selectors);
        validate_label_keys(constraint, &path, &mut keys);
    }
    (!selectors.is_empty(), !keys.is_empty())
}

/// Whether a stored pod requires nodes by values that are no label values.
pub(super) fn has_invalid_node_values(spec: &Value) -> bool {
    let terms = spec.at("affinity").at("nodeAffinity").at(REQUIRED).list("nodeSelectorTerms");
    let mut expressions = terms.iter().flat_map(|term| term.list("matchExpressions"));
    expressions.any(|expression| expression.texts("values").iter().any(|value| !names::label_value(value).is_empty()))
}
