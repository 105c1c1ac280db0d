//! Sources of volumes that pods and persistent volumes share.

use serde_json::Value;

use super::checks::{
    self, Report, dns_label, dns_subdomain, is_absolute, no_backsteps, required_texts, supported_if_given,
};
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::wire::Wire;

const HOST_PATH_TYPES: [&str; 8] =
    ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const CSI_DRIVER_NAME_MAX: usize = 63;
const HOST_PORT_PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";

pub(super) fn host_path(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let directory = source.text("path");
    if directory.is_empty() {
        errors.push(path.child("path").required(""));
        return;
    }
    no_backsteps(directory, &path.child("path"), errors);
    supported_if_given(source, "type", &HOST_PATH_TYPES, path, errors);
}

pub(super) fn gce_disk(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["pdName"], path, errors);
    partition(source, path, errors);
}

pub(super) fn aws_disk(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["volumeID"], path, errors);
    partition(source, path, errors);
}

fn partition(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let number = source.int("partition");
    if !(0..=255).contains(&number) {
        errors.push(path.child("partition").invalid(number, "must be between 1 and 255, inclusive"));
    }
}

pub(super) fn nfs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["server", "path"], path, errors);
    if !is_absolute(source.text("path")) {
        errors.push(path.child("path").invalid(source.text("path"), "must be an absolute path"));
    }
}

/// `bad_prefix` is what pods and persistent volumes say differently.
pub(super) fn iscsi(source: &Value, bad_prefix: &'static str, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["targetPortal"], path, errors);
    let name = source.text("iqn");
    if name.is_empty() {
        errors.push(path.child("iqn").required(""));
    } else {
        iscsi_name(name, bad_prefix, &path.child("iqn"), errors);
    }
    let lun = source.int("lun");
    if !(0..=255).contains(&lun) {
        errors.push(path.child("lun").invalid(lun, "must be between 0 and 255, inclusive"));
    }
    let needs_secret = source.flag("chapAuthDiscovery") || source.flag("chapAuthSession");
    if needs_secret && !source.has("secretRef") {
        errors.push(path.child("secretRef").required(""));
    }
    if let Some(initiator) = source.text_some("initiatorName") {
        iscsi_name(initiator, bad_prefix, &path.child("initiatorname"), errors);
    }
}

fn iscsi_name(name: &str, bad_prefix: &'static str, path: &Path<'_>, errors: &mut Errors) {
    let valid = match name.get(..3) {
        Some("iqn") => is_iqn(name),
        Some("eui") => is_identifier_of(name, 16),
        Some("naa") => is_identifier_of(name, 32),
        _ => {
            errors.push(path.invalid(name, bad_prefix));
            return;
        }
    };
    if !valid {
        errors.push(path.invalid(name, "must be valid format"));
    }
}

/// `iqn.YYYY-MM.AUTHORITY:UNIQUE`
fn is_iqn(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parse = || {
        let rest = name.strip_prefix("iqn.")?;
        let (date, rest) = (rest.get(..7)?, rest.get(7..)?.strip_prefix('.')?);
        let (year, month) = date.split_once('-')?;
        let colon = rest.find(':')?;
        let (authority, unique) = (&rest[..colon], &rest[colon + 1..]);
        let valid_date = year.len() == 4 && digits(year) && digits(month);
        let authority = !authority.is_empty()
            && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        let unique =
            !unique.is_empty() && !unique.contains([',', ';', '*', '&', '$', '|', ' ', '\t', '\n', '\r', '\x0c']);
        Some(valid_date && authority && unique)
    };
    parse().unwrap_or(false)
}

/// A prefix of three letters, any character, and so many letters and digits.
fn is_identifier_of(name: &str, length: usize) -> bool {
    let mut characters = name.chars().skip(3);
    let separated = characters.next().is_some_and(|separator| separator != '\n');
    let rest: Vec<char> = characters.collect();
    separated && rest.len() == length && rest.iter().all(char::is_ascii_alphanumeric)
}

/// The volume's and the portal's name must fit together if an initiator is named. `shown` is the value in the error.
pub(super) fn iscsi_names_fit(source: &Value, volume: &str, path: &Path<'_>, shown: &str, errors: &mut Errors) {
    let length = volume.len() + 1 + source.text("targetPortal").len();
    if source.has("initiatorName") && length > 64 {
        errors.push(path.invalid(
            shown,
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
        ));
    }
}

pub(super) fn flocker(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (name, uuid) = (source.text("datasetName"), source.text("datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        errors.push(path.required("one of datasetName and datasetUUID is required"));
    }
    if !name.is_empty() && !uuid.is_empty() {
        errors.push(path.invalid("resource", "datasetName and datasetUUID can not be specified simultaneously"));
    }
    if name.contains('/') {
        errors.push(path.child("datasetName").invalid(name, "must not contain '/'"));
    }
}

pub(super) fn rbd(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    ceph_fs(source, path, errors);
    required_texts(source, &["image"], path, errors);
}

pub(super) fn ceph_fs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    if source.list("monitors").is_empty() {
        errors.push(path.child("monitors").required(""));
    }
}

/// `secret_fields` of the secret reference must be given.
pub(super) fn cinder(source: &Value, secret_fields: &[&str], path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["volumeID"], path, errors);
    secret_reference(source, secret_fields, path, errors);
}

fn secret_reference(source: &Value, fields: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if let Some(secret) = source.get_some("secretRef") {
        required_texts(secret, fields, &path.child("secretRef"), errors);
    }
}

pub(super) fn storage_os(source: &Value, secret_fields: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let (name, namespace) = (source.text("volumeName"), source.text("volumeNamespace"));
    if name.is_empty() {
        errors.push(path.child("volumeName").required(""));
    } else {
        dns_label(name, &path.child("volumeName"), errors);
    }
    if !namespace.is_empty() {
        dns_label(namespace, &path.child("volumeNamespace"), errors);
    }
    secret_reference(source, secret_fields, path, errors);
}

pub(super) fn quobyte(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let registry = source.text("registry");
    if registry.is_empty() {
        errors.push(path.child("registry").required(HOST_PORT_PAIRS));
    } else if source.text("tenant").len() >= 65 {
        errors.push(path.child("tenant").required("must be a UUID and may not exceed a length of 64 characters"));
    } else {
        for _ in registry.split(',').filter(|pair| !is_host_port(pair)) {
            errors.push(path.child("registry").invalid(registry, HOST_PORT_PAIRS));
        }
    }
    required_texts(source, &["volume"], path, errors);
}

/// `net.SplitHostPort`.
fn is_host_port(pair: &str) -> bool {
    match pair.rsplit_once(':') {
        Some((host, _)) if host.starts_with('[') => host.ends_with(']'),
        Some((host, port)) => !host.contains([':', '[', ']']) && !port.contains(['[', ']']),
        None => false,
    }
}

pub(super) fn fibre_channel(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (targets, wwids) = (source.texts("targetWWNs"), source.texts("wwids"));
    let targets_path = path.child("targetWWNs");
    if targets.is_empty() && wwids.is_empty() {
        errors.push(targets_path.required("must specify either targetWWNs or wwids, but not both"));
    }
    if !targets.is_empty() && !wwids.is_empty() {
        errors.push(targets_path.invalid(&targets, "targetWWNs and wwids can not be specified simultaneously"));
    }
    if targets.is_empty() {
        return;
    }
    let lun_path = path.child("lun");
    match source.int_some("lun") {
        None => errors.push(lun_path.required("lun is required if targetWWNs is specified")),
        Some(lun) if !(0..=255).contains(&lun) => {
            errors.push(lun_path.invalid(lun, "must be between 0 and 255, inclusive"));
        }
        Some(_) => {}
    }
}

pub(super) fn flex_volume(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["driver"], path, errors);
    let options = path.child("options");
    for (option, _) in source.entries("options") {
        let namespace = option.split_once('/').map_or(option, |(namespace, _)| namespace);
        let normalized = format!(".{}", namespace.to_lowercase());
        if normalized.ends_with(".kubernetes.io") || normalized.ends_with(".k8s.io") {
            errors.push(options.key(option).invalid(option, "kubernetes.io and k8s.io namespaces are reserved"));
        }
    }
}

pub(super) fn azure_disk(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_texts(source, &["diskName", "diskURI"], path, errors);
    supported_if_given(source, "cachingMode", &["None", "ReadOnly", "ReadWrite"], path, errors);
    supported_if_given(source, "kind", &["Dedicated", "Managed", "Shared"], path, errors);
    let (uri, uri_path) = (source.text("diskURI"), path.child("diskURI"));
    let managed = source.text("kind") == "Managed";
    if managed && !uri.starts_with("/subscriptions/") {
        let form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
        errors.push(uri_path.not_supported(uri, &[form]));
    }
    if source.has("kind") && !managed && !uri.starts_with("https://") {
        let form = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
        errors.push(uri_path.not_supported(uri, &[form]));
    }
}

/// `ValidateCSIDriverName`.
pub(super) fn csi_driver_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    if name.is_empty() {
        errors.push(path.required(""));
        return;
    }
    if name.len() > CSI_DRIVER_NAME_MAX {
        errors.push(path.too_long(CSI_DRIVER_NAME_MAX));
    }
    errors.complain(path, name, names::dns1123_subdomain(&name.to_lowercase()));
}

/// A secret named with its namespace.
pub(super) fn full_secret_reference(secret: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (name, namespace) = (secret.text("name"), secret.text("namespace"));
    if name.is_empty() {
        errors.push(path.child("name").required(""));
    } else {
        dns_subdomain(name, &path.child("name"), errors);
    }
    if namespace.is_empty() {
        errors.push(path.child("namespace").required(""));
    } else {
        checks::dns_label(namespace, &path.child("namespace"), errors);
    }
}
