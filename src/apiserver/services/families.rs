//! IP families of Services (`initIPFamilyFields`).

use serde_json::Value;

use super::pool::Family;
use crate::objects::validation::{Errors, Path, cluster_ip_faults};
use crate::objects::wire::{Wire, WireMut};

/// Completes families and their policy, for a cluster that has these families, the default one first.
pub(super) fn complete(spec: &mut Value, old: Option<&Value>, cluster: &[Family]) -> Result<(), Errors> {
    let Some(default) = cluster.first().copied() else { return Ok(()) };
    if spec.text("type") == "ExternalName" || old.is_some_and(|old| is_unchanged_preference(spec, old)) {
        return Ok(());
    }
    choose_policy(spec, old);
    let faults = cluster_ip_faults(spec, old);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut errors = Errors::new();
    if let Some(old) = old {
        release(spec, old, &mut errors);
    }
    check_single(spec, &mut errors);
    infer(spec, cluster, &mut errors);
    refuse_if_any(errors)?;
    if is_free_of_the_cluster(spec) {
        let first = spec.texts("ipFamilies").first().map(|family| read(family));
        add_second(spec, first.unwrap_or(default), first.is_none());
        return Ok(());
    }
    refuse_if_any(check_cluster(spec, cluster))?;
    let first = spec.texts("ipFamilies").first().map(|family| read(family));
    if first.is_none() {
        spec.set("ipFamilies", vec![default.as_str()]);
    }
    if cluster.len() == 2 {
        add_second(spec, first.unwrap_or(default), false);
    }
    Ok(())
}

fn refuse_if_any(errors: Errors) -> Result<(), Errors> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn read(family: &str) -> Family {
    if family == Family::V6.as_str() { Family::V6 } else { Family::V4 }
}

/// A Service that prefers two families is changed only on demand when its cluster has others than before.
fn is_unchanged_preference(spec: &Value, old: &Value) -> bool {
    let has_address = matches!(spec.text("type"), "ClusterIP" | "NodePort" | "LoadBalancer");
    spec.text("type") == old.text("type")
        && has_address
        && spec.text("ipFamilyPolicy") == "PreferDualStack"
        && matches!(old.text_some("ipFamilyPolicy"), None | Some("PreferDualStack"))
        && spec.texts("clusterIPs") == old.texts("clusterIPs")
        && spec.texts("ipFamilies") == old.texts("ipFamilies")
}

fn choose_policy(spec: &mut Value, old: Option<&Value>) {
    if spec.has("ipFamilyPolicy") {
        return;
    }
    let before = old.and_then(|old| old.text_some("ipFamilyPolicy"));
    let policy = match before {
        Some(policy) => policy,
        None if is_free_of_the_cluster(spec) => "RequireDualStack",
        None => "SingleStack",
    };
    spec.set("ipFamilyPolicy", policy);
}

/// Headless Services without a selector may have any families: nobody knows what their endpoints are.
fn is_free_of_the_cluster(spec: &Value) -> bool {
    spec.text("clusterIP") == "None" && spec.at("selector").as_object().is_none_or(serde_json::Map::is_empty)
}

fn is_single(spec: &Value) -> bool {
    spec.text("ipFamilyPolicy") == "SingleStack"
}

/// Lets the second family go if the update says so, and complains of one that goes without a word.
fn release(spec: &mut Value, old: &Value, errors: &mut Errors) {
    for (field, what) in [("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")] {
        let (now, before) = (spec.texts(field), old.texts(field));
        if is_single(spec) {
            if now == before && now.len() > 1 {
                let first = now[0].to_owned();
                spec.set(field, vec![first]);
            }
        } else if !now.is_empty() && now.len() < before.len() {
            let detail = format!("must be 'SingleStack' to release the secondary {what}");
            errors.push(Path::root("spec.ipFamilyPolicy").invalid(spec.text("ipFamilyPolicy"), detail));
        }
    }
}

fn check_single(spec: &Value, errors: &mut Errors) {
    for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if is_single(spec) && spec.list(field).len() == 2 {
            let detail = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified");
            errors.push(Path::root("spec.ipFamilyPolicy").invalid(spec.text("ipFamilyPolicy"), detail));
        }
    }
}

/// The families of addresses that were asked for.
fn infer(spec: &mut Value, cluster: &[Family], errors: &mut Errors) {
    let ips: Vec<String> = spec.texts("clusterIPs").into_iter().map(str::to_owned).collect();
    let mut families: Vec<String> = spec.texts("ipFamilies").into_iter().map(str::to_owned).collect();
    let known = families.len();
    for (index, ip) in ips.iter().enumerate().take_while(|(_, ip)| **ip != "None").skip(known) {
        let family = Family::of(ip);
        if cluster.contains(&family) {
            families.push(family.as_str().to_owned());
        } else {
            let detail = format!("{} is not configured on this cluster", family.as_str());
            let shown: Vec<&str> = ips.iter().map(String::as_str).collect();
            errors.push(Path::root("spec").child("clusterIPs").index(index).invalid(&shown, detail));
        }
    }
    if families.len() > known {
        spec.set("ipFamilies", families);
    }
}

fn check_cluster(spec: &Value, cluster: &[Family]) -> Errors {
    let mut errors = Errors::new();
    let path = Path::root("spec");
    if spec.text("ipFamilyPolicy") == "RequireDualStack" && cluster.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(path.child("ipFamilyPolicy").invalid("RequireDualStack", detail));
    }
    let families = path.child("ipFamilies");
    for (index, family) in spec.texts("ipFamilies").into_iter().enumerate() {
        if !cluster.iter().any(|known| known.as_str() == family) {
            errors.push(families.index(index).invalid(family, "not configured on this cluster"));
        }
    }
    errors
}

/// Adds the other family, if the policy wants it and there is only one; `is_new` = not even that.
fn add_second(spec: &mut Value, first: Family, is_new: bool) {
    if is_new {
        spec.set("ipFamilies", vec![first.as_str()]);
    }
    if !is_single(spec) && spec.list("ipFamilies").len() < 2 {
        spec.set("ipFamilies", vec![first.as_str(), first.other().as_str()]);
    }
}
