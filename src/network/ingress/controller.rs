//! An ingress controller as pods of its own.

use super::matcher::bare_host;
use crate::api::View;
use crate::kernel::SimDuration;
use crate::objects::{INGRESS_CLASS_ANNOTATION, Ingress, Key, Pod, Resource as _, Selector, Service};

/// `spec.controller` of the classes of ingress-nginx.
const NGINX: &str = "k8s.io/ingress-nginx";
/// What ingress-nginx runs, and what its images are called.
const BINARY: &str = "/nginx-ingress-controller";
const IMAGES: [&str; 2] = ["ingress-nginx/controller", "nginx-ingress-controller"];

/// An ingress-nginx, as the arguments of its pods set it up. The default is one without arguments and pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Controller {
    /// Namespace of its pods.
    pub namespace: String,
    /// `--controller-class`: it takes care of classes whose `spec.controller` is this.
    pub controller_class: String,
    /// `--ingress-class`: the value of the old annotation that it takes.
    pub annotation: String,
    /// `--watch-ingress-without-class`.
    pub takes_unclassed: bool,
    /// `--watch-namespace`; empty = all.
    pub watches: String,
    /// `--default-backend-service`; nothing = it answers 404 itself.
    pub default_backend: Option<Key>,
    /// Syncs follow each other not faster than that (`--sync-rate-limit` 0.3 a second).
    pub sync_interval: SimDuration,
    /// How long it takes connections after SIGTERM (`--shutdown-grace-period`).
    pub shutdown_grace: SimDuration,
    /// Its pods, in the order of creation.
    pub pods: Vec<Key>,
    /// The Services of type `NodePort` or `LoadBalancer` that select its pods.
    pub services: Vec<Key>,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            controller_class: NGINX.to_owned(),
            annotation: "nginx".to_owned(),
            takes_unclassed: false,
            watches: String::new(),
            default_backend: None,
            sync_interval: SimDuration::from_millis(3_333),
            shutdown_grace: SimDuration::ZERO,
            pods: Vec::new(),
            services: Vec::new(),
        }
    }
}

/// Why a controller does not take care of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names no class, and there was no default class when it was made.
    NoClass,
    /// It names a class that does not exist.
    UnknownClass(String),
    /// It names a class of another controller, which is told.
    OtherController(String, String),
    /// Its annotation names a class that this controller does not go by.
    OtherAnnotation(String),
    /// The controller does not watch its namespace.
    OtherNamespace,
}

impl Controller {
    /// The controllers in a cluster: pods that run `/nginx-ingress-controller`, together if they have the same namespace and
    /// arguments.
    #[must_use]
    pub fn all(view: &View) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for pod in view.pods.iter().filter(|pod| pod.is_active() || pod.is_terminating()) {
            let Some((_, mut controller)) = Self::in_pod(pod) else { continue };
            let position = all.iter().position(|known| {
                controller.pods.clone_from(&known.pods);
                *known == controller
            });
            match position {
                Some(at) => all[at].pods.push(pod.key()),
                None => all.push(Self { pods: vec![pod.key()], ..controller }),
            }
        }
        for controller in &mut all {
            controller.services = services_of(view, &controller.pods);
        }
        all
    }

    /// The controller that a pod runs, and the place of its container among the regular ones; nothing = it runs none.
    #[must_use]
    pub fn in_pod(pod: &Pod) -> Option<(usize, Self)> {
        let (place, arguments) = arguments(pod)?;
        Some((place, Self::of(&pod.meta.namespace, &arguments)))
    }

    /// Whether it takes care of an Ingress with a rule for a host, by its name or a wildcard.
    #[must_use]
    pub fn serves_host(&self, view: &View, host: &str) -> bool {
        view.ingresses.iter().any(|ingress| names_host(ingress, host) && self.takes(view, ingress).is_ok())
    }

    fn of(namespace: &str, arguments: &[&str]) -> Self {
        let value = |name: &str| {
            let mut rest = arguments.iter().filter_map(|argument| argument.trim_start_matches('-').strip_prefix(name));
            rest.find_map(|rest| if rest.is_empty() { Some("") } else { rest.strip_prefix('=') }).map(str::to_owned)
        };
        let text = |name: &str, default: &str| value(name).unwrap_or_else(|| default.to_owned());
        let service = |name: &str| {
            let (namespace, name) = value(name)?.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
            Some(Key::new(namespace, name))
        };
        // A rate such as 0.3 a second, in thousandths.
        let interval = value("sync-rate-limit").and_then(|rate| {
            let (whole, part) = rate.split_once('.').unwrap_or((&rate, ""));
            let part: String = format!("{part}000").chars().take(3).collect();
            let thousandths = whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part.parse().ok()?)?;
            1_000_000u64.checked_div(thousandths).map(SimDuration::from_millis)
        });
        Self {
            namespace: namespace.to_owned(),
            controller_class: text("controller-class", NGINX),
            annotation: text("ingress-class", "nginx"),
            takes_unclassed: value("watch-ingress-without-class").is_some_and(|value| value != "false"),
            watches: text("watch-namespace", "").replace("$(POD_NAMESPACE)", namespace),
            default_backend: service("default-backend-service"),
            sync_interval: interval.unwrap_or_else(|| Self::default().sync_interval),
            shutdown_grace: SimDuration::from_secs(
                value("shutdown-grace-period").and_then(|seconds| seconds.parse::<u32>().ok()).unwrap_or(0).into(),
            ),
            ..Self::default()
        }
    }

    /// Whether it takes care of an Ingress: by the class that it names, else by the old annotation, else if it takes those
    /// without a class.
    ///
    /// # Errors
    /// Why it does not.
    pub fn takes(&self, view: &View, ingress: &Ingress) -> Result<(), Refusal> {
        if !(self.watches.is_empty() || self.watches == *ingress.meta.namespace) {
            return Err(Refusal::OtherNamespace);
        }
        if let Some(name) = ingress.spec.ingress_class_name.as_deref() {
            let Some(class) = view.ingress_classes.get(&Key::new("", name)) else {
                return Err(Refusal::UnknownClass(name.to_owned()));
            };
            let own = &*class.spec.controller;
            let is_ours = own == self.controller_class;
            return if is_ours { Ok(()) } else { Err(Refusal::OtherController(name.to_owned(), own.to_owned())) };
        }
        match ingress.meta.annotations.get(INGRESS_CLASS_ANNOTATION) {
            Some(name) if name.is_empty() || name == self.annotation => Ok(()),
            Some(name) => Err(Refusal::OtherAnnotation(name.to_owned())),
            None if self.takes_unclassed => Ok(()),
            None => Err(Refusal::NoClass),
        }
    }
}

/// Whether an Ingress has a rule for a host, by its name or a wildcard.
pub(in crate::network) fn names_host(ingress: &Ingress, host: &str) -> bool {
    let host = bare_host(host);
    let fits = |rule: &str| match rule.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, own)| own == rest),
        None => *rule == *host,
    };
    ingress.spec.rules.iter().any(|rule| fits(&rule.host))
}

/// The container of a pod that is a controller, and its arguments.
fn arguments(pod: &Pod) -> Option<(usize, Vec<&str>)> {
    let wires = pod.spec.wire().get("containers")?.as_array()?;
    wires.iter().enumerate().find_map(|(place, container)| {
        let list = |field: &str| {
            let words = container.get(field).and_then(serde_json::Value::as_array).into_iter().flatten();
            words.filter_map(serde_json::Value::as_str)
        };
        let words: Vec<&str> = list("command").chain(list("args")).collect();
        let image = container.get("image").and_then(serde_json::Value::as_str).unwrap_or("");
        let is_controller =
            words.iter().any(|word| word.ends_with(BINARY)) || IMAGES.iter().any(|name| image.contains(name));
        is_controller.then_some((place, words))
    })
}

fn services_of(view: &View, pods: &[Key]) -> Vec<Key> {
    let Some(first) = pods.iter().find_map(|key| view.pods.get(key)) else { return Vec::new() };
    let is_way_in = |service: &&std::sync::Arc<Service>| {
        let from_outside = service.spec.kind == "LoadBalancer" || service.spec.kind == "NodePort";
        let selector = service.spec.selector.as_ref().filter(|labels| !labels.is_empty());
        from_outside && selector.is_some_and(|labels| Selector::from_labels(labels).matches(&first.meta.labels))
    };
    let found = view.services.in_namespace(&first.meta.namespace).filter(is_way_in);
    found.map(|service| service.key()).collect()
}
