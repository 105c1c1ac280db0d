//! Ingresses to servers and locations (ingress-nginx `internal/ingress/controller/{controller,location}.go`).

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::api::View;
use crate::objects::{HttpIngressPath, Ingress, IngressServiceBackend, Key, PathType, Resource as _};

use super::canary::REGEX_BYTES;
use super::controller::Controller;
use super::matcher::{BackendPort, Certificate, Group, GroupId, Location, LocationMatch, Matcher, Notice, Server};
use super::settings::Settings;

/// The server of hosts that have none of their own.
const CATCH_ALL: &str = "_";

struct Compiler<'v> {
    view: &'v View,
    controller: &'v Controller,
    /// Oldest first.
    ingresses: Vec<(Arc<Ingress>, Arc<Settings>)>,
    servers: Vec<Draft>,
    by_host: FxHashMap<Arc<str>, usize>,
    groups: Vec<Group>,
    by_backend: FxHashMap<(Key, String), GroupId>,
    notices: Vec<Notice>,
}

/// A server to be, with the paths as they were written.
struct Draft {
    server: Server,
    paths: Vec<DraftPath>,
}

struct DraftPath {
    location: Location,
    path_type: PathType,
}

impl Matcher {
    /// Compiles all Ingresses that a controller takes care of: the oldest first, whose rules win over equal ones of newer ones;
    /// rules for one host are merged.
    #[must_use]
    pub fn compile(view: &View, controller: &Controller) -> Self {
        let mut compiler = Compiler {
            view,
            controller,
            ingresses: Vec::new(),
            servers: Vec::new(),
            by_host: FxHashMap::default(),
            groups: Vec::new(),
            by_backend: FxHashMap::default(),
            notices: Vec::new(),
        };
        compiler.collect();
        compiler.make_groups();
        compiler.make_servers();
        compiler.add_paths();
        compiler.merge_canaries();
        compiler.finish()
    }
}

impl Compiler<'_> {
    fn collect(&mut self) {
        for ingress in self.view.ingresses.iter().filter(|ingress| self.controller.takes(self.view, ingress).is_ok()) {
            let (settings, notices) = Settings::read(&ingress.meta.annotations);
            self.notices.extend(notices.into_iter().map(|text| Notice { ingress: ingress.key(), text }));
            self.ingresses.push((ingress.clone(), Arc::new(settings)));
        }
        // Of equally old ones the last by name comes first.
        self.ingresses.sort_by(|(a, _), (b, _)| {
            let age = a.meta.creation_timestamp.cmp(&b.meta.creation_timestamp);
            age.then_with(|| b.key().to_string().cmp(&a.key().to_string()))
        });
    }

    fn notice(&mut self, ingress: &Ingress, text: String) {
        self.notices.push(Notice { ingress: ingress.key(), text });
    }

    fn make_groups(&mut self) {
        let service = self.controller.default_backend.clone();
        let port = self.port_of_default(service.as_ref());
        self.groups.push(Group { service, port, ..Group::default() });
        for (ingress, settings) in self.ingresses.clone() {
            let default = ingress.spec.default_backend.iter().filter_map(|backend| backend.service.as_ref());
            let paths = paths_of(&ingress).filter_map(|(_, path)| path.backend.service.as_ref());
            for backend in default.chain(paths) {
                self.group(&ingress, backend, &settings);
            }
            if let Some(name) = &settings.default_backend {
                let key = Key::new(ingress.meta.namespace.clone(), name.as_str());
                let port = self.port_of_default(Some(&key));
                self.insert_group(key, port, &Settings::default());
            }
        }
    }

    /// A default backend is a Service by its first port.
    fn port_of_default(&self, service: Option<&Key>) -> BackendPort {
        let service = service.and_then(|key| self.view.services.get(key));
        let number = service.and_then(|service| service.spec.ports.first()).map_or(80, |port| port.port);
        BackendPort { number, ..BackendPort::default() }
    }

    fn group(&mut self, ingress: &Ingress, backend: &IngressServiceBackend, settings: &Settings) -> GroupId {
        let key = Key::new(ingress.meta.namespace.clone(), &*backend.name);
        let port = BackendPort { name: backend.port.name.clone(), number: backend.port.number };
        self.insert_group(key, port, settings)
    }

    fn insert_group(&mut self, key: Key, port: BackendPort, settings: &Settings) -> GroupId {
        let known = (key.clone(), port.to_string());
        if let Some(id) = self.by_backend.get(&known) {
            return *id;
        }
        let id = GroupId(self.groups.len() as u32);
        self.groups.push(Group {
            service: Some(key),
            port,
            is_service_upstream: settings.service_upstream,
            load_balance: settings.load_balance,
            is_canary: settings.canary.is_some(),
            ..Group::default()
        });
        self.by_backend.insert(known, id);
        id
    }

    fn make_servers(&mut self) {
        self.add_server(CATCH_ALL, GroupId::DEFAULT_BACKEND, None, &Arc::new(Settings::default()));
        for (ingress, settings) in self.ingresses.clone() {
            if settings.canary.is_some() {
                continue;
            }
            let backend = ingress.spec.default_backend.as_ref().and_then(|backend| backend.service.as_ref());
            let own = backend.map(|backend| self.group(&ingress, backend, &settings));
            if let Some(group) = own
                && ingress.spec.rules.is_empty()
                && let Some(root) = self.servers[0].paths.first_mut().filter(|root| root.location.is_default)
            {
                // A backend without rules is for all hosts.
                let kept = Settings {
                    rewrite_target: None,
                    use_regex: false,
                    app_root: None,
                    redirect: None,
                    ..(*settings).clone()
                };
                root.location.group = group;
                root.location.is_default = false;
                root.location.ingress = Some(ingress.key());
                root.location.settings = Arc::new(kept);
            }
            for rule in &ingress.spec.rules {
                let group = own.unwrap_or(GroupId::DEFAULT_BACKEND);
                self.add_server(host_of(&rule.host), group, Some(ingress.key()), &settings);
            }
        }
        self.add_certificates();
        self.add_aliases();
    }

    fn add_server(&mut self, host: &str, group: GroupId, ingress: Option<Key>, settings: &Arc<Settings>) {
        if self.by_host.contains_key(host) {
            return;
        }
        let host: Arc<str> = host.to_ascii_lowercase().into();
        let root = Location {
            path: "/".into(),
            kind: LocationMatch::Prefix,
            written: "/".into(),
            path_type: PathType::Prefix,
            group,
            fallback: None,
            ingress,
            settings: settings.clone(),
            is_default: true,
        };
        let server = Server { host: host.clone(), locations: Vec::new(), certificate: None, uses_regex: false };
        self.by_host.insert(host, self.servers.len());
        self.servers.push(Draft { server, paths: vec![DraftPath { location: root, path_type: PathType::Prefix }] });
    }

    fn add_certificates(&mut self) {
        let fake = |why: &str| Certificate::Fake(why.to_owned());
        self.servers[0].server.certificate = Some(fake("no host was named"));
        for (ingress, settings) in self.ingresses.clone() {
            if settings.canary.is_some() || ingress.spec.tls.is_empty() {
                continue;
            }
            for rule in &ingress.spec.rules {
                let host = host_of(&rule.host);
                let Some(draft) = self.by_host.get(host).map(|at| &mut self.servers[*at]) else { continue };
                if draft.server.certificate.is_some() {
                    continue;
                }
                let entry = ingress.spec.tls.iter().find(|tls| tls.hosts.iter().any(|own| *own == *host));
                draft.server.certificate = Some(match entry {
                    None => fake("no tls entry of its Ingress names the host"),
                    Some(tls) if tls.secret_name.is_empty() => fake("its tls entry names no Secret"),
                    Some(tls) => certificate(self.view, &ingress.meta.namespace, &tls.secret_name),
                });
            }
        }
    }

    fn add_aliases(&mut self) {
        for (ingress, settings) in self.ingresses.clone() {
            for (alias, rule) in
                settings.aliases.iter().flat_map(|alias| ingress.spec.rules.iter().map(move |rule| (alias, rule)))
            {
                if let (Some(at), false) =
                    (self.by_host.get(host_of(&rule.host)), self.by_host.contains_key(alias.as_str()))
                {
                    self.by_host.insert(alias.as_str().into(), *at);
                }
            }
        }
    }

    fn add_paths(&mut self) {
        for (ingress, settings) in self.ingresses.clone() {
            for (host, path) in paths_of(&ingress) {
                let Some(backend) = &path.backend.service else {
                    self.notice(
                        &ingress,
                        format!("the backend of path {:?} is no Service: it has no effect", &*path.path),
                    );
                    continue;
                };
                let group = self.group(&ingress, backend, &settings);
                if self.groups[group.0 as usize].is_canary {
                    continue;
                }
                self.add_path(&ingress, &settings, host, path, group);
                let affinity = &mut self.groups[group.0 as usize].affinity;
                if affinity.is_none() {
                    affinity.clone_from(&settings.affinity);
                }
            }
        }
    }

    fn add_path(
        &mut self,
        ingress: &Ingress,
        settings: &Arc<Settings>,
        host: &str,
        path: &HttpIngressPath,
        group: GroupId,
    ) {
        let Some(at) = self.by_host.get(host).copied() else { return };
        let written: Arc<str> = if path.path.is_empty() { "/".into() } else { (*path.path).into() };
        let path_type = effective(path.path_type);
        if path_type != PathType::ImplementationSpecific
            && path.path_type != PathType::ImplementationSpecific
            && !is_plain(&written)
        {
            let kind = path.path_type.as_str();
            self.notice(
                ingress,
                format!(
                    "its admission webhook would refuse path {written:?}: pathType {kind} takes no regular expression"
                ),
            );
        }
        let fallback = settings.default_backend.as_ref().and_then(|name| {
            let key = Key::new(ingress.meta.namespace.clone(), name.as_str());
            let port = self.port_of_default(Some(&key)).to_string();
            self.by_backend.get(&(key, port)).copied()
        });
        let location = Location {
            path: written.clone(),
            kind: LocationMatch::Prefix,
            written: written.clone(),
            path_type: path.path_type,
            group,
            fallback,
            ingress: Some(ingress.key()),
            settings: settings.clone(),
            is_default: false,
        };
        let paths = &mut self.servers[at].paths;
        match paths.iter_mut().find(|known| *known.location.path == *written && known.path_type == path_type) {
            None => paths.push(DraftPath { location, path_type }),
            Some(known) if known.location.is_default => known.location = location,
            Some(known) => {
                let owner = known.location.ingress.as_ref().map(ToString::to_string).unwrap_or_default();
                let text = format!(
                    "host {host:?} and path {written:?} is already defined in ingress {owner}, which is older: the rule has no effect"
                );
                self.notice(ingress, text);
            }
        }
    }

    fn merge_canaries(&mut self) {
        let all = self.ingresses.clone();
        for (ingress, settings) in &all {
            let Some(shaping) = &settings.canary else { continue };
            let mut found = false;
            if let Some(backend) = ingress.spec.default_backend.as_ref().and_then(|backend| backend.service.as_ref()) {
                let alternative = self.group(ingress, backend, settings);
                let mains: Vec<GroupId> = self.servers[0].paths.iter().map(|path| path.location.group).collect();
                for main in mains {
                    found |= self.merge(main, alternative, shaping, settings);
                }
            }
            for (host, path) in paths_of(ingress) {
                let (Some(backend), Some(at)) = (&path.backend.service, self.by_host.get(host).copied()) else {
                    continue;
                };
                let alternative = self.group(ingress, backend, settings);
                let written = if path.path.is_empty() { "/" } else { &*path.path };
                let is_same = |known: &&DraftPath| {
                    *known.location.path == *written && known.path_type == effective(path.path_type)
                };
                let main = self.servers[at].paths.iter().find(is_same).map(|known| known.location.group);
                found |= main.is_some_and(|main| self.merge(main, alternative, shaping, settings));
            }
            if !found {
                self.notice(ingress, "no other Ingress has its host and path: the canary has no effect".to_owned());
            }
        }
    }

    /// Makes a group the canary of another one, unless that has one: only the first counts.
    fn merge(&mut self, main: GroupId, alternative: GroupId, shaping: &super::Shaping, settings: &Settings) -> bool {
        let group = &self.groups[main.0 as usize];
        if main == alternative || main == GroupId::DEFAULT_BACKEND || group.is_canary {
            return false;
        }
        if group.canary.is_none() {
            let sticks = settings.affinity.as_ref().is_none_or(|affinity| affinity.sticks_to_canary);
            let affinity = group.affinity.clone().filter(|_| sticks);
            self.groups[main.0 as usize].canary = Some((alternative, shaping.clone()));
            self.groups[alternative.0 as usize].affinity = affinity;
        }
        true
    }

    fn finish(mut self) -> Matcher {
        let mut servers = Vec::new();
        let mut notices = std::mem::take(&mut self.notices);
        for draft in self.servers {
            let (server, rejected) = finish_server(draft);
            servers.push(server);
            notices.extend(rejected);
        }
        let (mut hosts, mut wildcards) = (FxHashMap::default(), FxHashMap::default());
        for (number, server) in servers.iter().enumerate() {
            add_host(&mut hosts, &mut wildcards, &server.host, number as u32);
        }
        for (ingress, settings) in &self.ingresses {
            for (alias, rule) in settings.aliases.iter().zip(ingress.spec.rules.first()) {
                if let Some(at) = self.by_host.get(host_of(&rule.host)) {
                    add_host(&mut hosts, &mut wildcards, alias, *at as u32);
                }
            }
        }
        Matcher { servers, groups: self.groups, notices, hosts, wildcards }
    }
}

fn add_host(exact: &mut FxHashMap<Arc<str>, u32>, wildcards: &mut FxHashMap<Arc<str>, u32>, host: &str, at: u32) {
    match host.strip_prefix("*.") {
        Some(rest) => wildcards.entry(rest.into()).or_insert(at),
        None => exact.entry(host.into()).or_insert(at),
    };
}

fn finish_server(draft: Draft) -> (Server, Vec<Notice>) {
    let Draft { mut server, mut paths } = draft;
    paths.sort_by(|a, b| {
        let (a, b) = (&a.location.path, &b.location.path);
        b.len().cmp(&a.len()).then_with(|| b.cmp(a))
    });
    server.uses_regex = paths.iter().any(|path| path.location.settings.makes_regex(&path.location.written));
    let exact: Vec<Arc<str>> =
        paths.iter().filter(|path| path.path_type == PathType::Exact).map(|path| path.location.path.clone()).collect();
    let mut notices = Vec::new();
    for DraftPath { location, path_type } in paths {
        for mut location in spread(location, path_type, &exact) {
            if server.uses_regex {
                match compiled(&location.path) {
                    Ok(regex) => location.kind = LocationMatch::Regex(regex),
                    Err(error) => {
                        let ingress = location.ingress.clone().unwrap_or_default();
                        let text = format!(
                            "path {:?} is no regular expression that is understood here: {error}",
                            &*location.written
                        );
                        notices.push(Notice { ingress, text });
                        continue;
                    }
                }
            }
            server.locations.push(location);
        }
    }
    (server, notices)
}

/// A path of type `Prefix` as nginx' locations: equal, and below it.
fn spread(mut location: Location, path_type: PathType, exact: &[Arc<str>]) -> Vec<Location> {
    if path_type == PathType::Exact {
        location.kind = LocationMatch::Exact;
        return vec![location];
    }
    if *location.path == *"/" || location.settings.makes_regex(&location.written) {
        return vec![location];
    }
    let equal = Location { kind: LocationMatch::Exact, ..location.clone() };
    let has_equal = exact.contains(&location.path);
    if !location.path.ends_with('/') {
        location.path = format!("{}/", location.path).into();
    }
    if has_equal { vec![location] } else { vec![location, equal] }
}

fn compiled(path: &str) -> Result<Regex, String> {
    let pattern = RegexBuilder::new(&format!("^{path}")).case_insensitive(true).size_limit(REGEX_BYTES).build();
    pattern.map_err(|error| error.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned())
}

/// ingress-nginx treats `ImplementationSpecific` as `Prefix` (`internal/k8s/main.go`).
const fn effective(path_type: PathType) -> PathType {
    match path_type {
        PathType::Exact => PathType::Exact,
        PathType::Prefix | PathType::ImplementationSpecific => PathType::Prefix,
    }
}

/// Whether a path is none of a regular expression (`strict-validate-path-type`).
fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}

fn host_of(host: &str) -> &str {
    if host.is_empty() { CATCH_ALL } else { host }
}

fn paths_of(ingress: &Ingress) -> impl Iterator<Item = (&str, &HttpIngressPath)> {
    ingress.spec.rules.iter().flat_map(|rule| {
        let paths = rule.http.iter().flat_map(|http| http.paths.iter());
        paths.map(|path| (host_of(&rule.host), path))
    })
}

fn certificate(view: &View, namespace: &str, secret: &str) -> Certificate {
    let key = Key::new(namespace, secret);
    let Some(found) = view.opaque.get(&Key::new(namespace, format!("Secret/{secret}"))) else {
        return Certificate::Fake(format!("there is no Secret {key}"));
    };
    let has = |field: &str| {
        let holds = |data: &str| {
            found.rest.get(data).and_then(|data| data.get(field)).is_some_and(|value| *value != Value::Null)
        };
        holds("data") || holds("stringData")
    };
    match ["tls.crt", "tls.key"].into_iter().find(|field| !has(field)) {
        Some(missing) => Certificate::Fake(format!("Secret {key} has no {missing}")),
        None => Certificate::Secret(key),
    }
}
