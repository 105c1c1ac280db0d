//! What annotations of an Ingress ask of ingress-nginx.

use crate::kernel::SimDuration;
use crate::network::Cidr;
use crate::objects::Annotations;

use super::affinity::Affinity;
use super::canary::Shaping;
use super::retry::NextUpstream;

/// What the annotations of ingress-nginx begin with.
const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// Body of a request at most, bytes.
const BODY_BYTES: u64 = 1 << 20;

/// Annotations about what is not simulated at all (contents of headers and bodies, logs, ciphers): requests fare the same with them.
const WITHOUT_EFFECT: [&str; 16] = [
    "client-body-buffer-size",
    "connection-proxy-header",
    "enable-access-log",
    "enable-cors",
    "enable-opentelemetry",
    "enable-rewrite-log",
    "http2-push-preload",
    "proxy-cookie-domain",
    "proxy-cookie-path",
    "proxy-http-version",
    "proxy-max-temp-file-size",
    "proxy-redirect-from",
    "proxy-redirect-to",
    "ssl-ciphers",
    "ssl-prefer-server-ciphers",
    "x-forwarded-prefix",
];

/// How a peer is chosen for a request that no cookie decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBalance {
    /// In turn, each worker process by itself.
    #[default]
    RoundRobin,
    /// The less loaded of two random ones, by the moving average of their latencies (decay 10 s).
    Ewma,
}

/// What the annotations of an Ingress ask for; without annotations, the defaults of ingress-nginx.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the path becomes on the way to the pod; `$1` to `$9` stand for groups of the path.
    pub rewrite_target: Option<String>,
    /// Whether paths are regular expressions.
    pub use_regex: bool,
    /// Where `/` is redirected to.
    pub app_root: Option<String>,
    /// Whether plain HTTP is redirected if the host has a certificate.
    pub ssl_redirect: bool,
    /// Whether it is redirected even without.
    pub force_ssl_redirect: bool,
    /// Where everything is redirected to, and by which status.
    pub redirect: Option<(String, u16)>,
    /// Whether and how this Ingress takes a part of the requests of another one.
    pub canary: Option<Shaping>,
    /// Whether a cookie keeps a client at its pod.
    pub affinity: Option<Affinity>,
    /// Whether requests go to the Service's address and not to its endpoints.
    pub service_upstream: bool,
    /// Service of the namespace that answers if the backend has no endpoints.
    pub default_backend: Option<String>,
    /// Body of a request at most, bytes; 0 = any.
    pub body_bytes: u64,
    /// When another peer is tried.
    pub next_upstream: NextUpstream,
    /// Time for a connection to a pod.
    pub connect_timeout: SimDuration,
    /// Time between two reads of an answer.
    pub read_timeout: SimDuration,
    /// How a peer is chosen.
    pub load_balance: LoadBalance,
    /// Clients that are let through; none = all.
    pub allow: Vec<Cidr>,
    /// Clients that are not.
    pub deny: Vec<Cidr>,
    /// Further names of the hosts.
    pub aliases: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rewrite_target: None,
            use_regex: false,
            app_root: None,
            ssl_redirect: true,
            force_ssl_redirect: false,
            redirect: None,
            canary: None,
            affinity: None,
            service_upstream: false,
            default_backend: None,
            body_bytes: BODY_BYTES,
            next_upstream: NextUpstream::default(),
            connect_timeout: SimDuration::from_secs(5),
            read_timeout: SimDuration::from_secs(60),
            load_balance: LoadBalance::default(),
            allow: Vec::new(),
            deny: Vec::new(),
            aliases: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether only some clients are let through.
    #[must_use]
    pub fn has_lists(&self) -> bool {
        !self.allow.is_empty() || !self.deny.is_empty()
    }

    /// Whether clients are let through whose addresses are in that range, wherever in it.
    #[must_use]
    pub fn lets_in(&self, range: &Cidr) -> bool {
        let is_in = |list: &[Cidr]| list.iter().any(|listed| listed.covers(range));
        !is_in(&self.deny) && (self.allow.is_empty() || is_in(&self.allow))
    }

    /// Reads annotations. What cannot be read counts as absent, as it does in ingress-nginx; that, and what is not simulated, is
    /// said in notices.
    #[must_use]
    pub fn read(annotations: &Annotations) -> (Self, Vec<String>) {
        let mut settings = Self::default();
        let mut notices = Vec::new();
        let mut canary = (false, Shaping::default());
        let mut affinity = (false, Affinity::default());
        for (name, value) in annotations.iter() {
            let Some(name) = name.strip_prefix(PREFIX) else { continue };
            if WITHOUT_EFFECT.contains(&name) || name.starts_with("cors-") {
                continue;
            }
            let understood = if let Some(field) = name.strip_prefix("canary") {
                read_canary(&mut canary, field, value)
            } else if name.starts_with("affinity") || name.starts_with("session-cookie-") {
                read_affinity(&mut affinity, name, value)
            } else if name.starts_with("proxy-") {
                settings.read_proxy(name, value)
            } else {
                settings.read_routing(name, value)
            };
            match understood {
                Some(true) => {}
                Some(false) => {
                    notices.push(format!("annotation {PREFIX}{name}: {value:?} is not valid and has no effect"))
                }
                None => {
                    notices.push(format!("annotation {PREFIX}{name} is not simulated: requests fare as without it"))
                }
            }
        }
        let asks_without = canary.1 != Shaping::default() && !canary.0;
        if asks_without {
            notices.push(format!("annotations of a canary have no effect without {PREFIX}canary: \"true\""));
        }
        settings.canary = canary.0.then_some(canary.1);
        settings.affinity = affinity.0.then_some(affinity.1);
        (settings, notices)
    }

    /// Whether a path of this Ingress is a regular expression: because it says so or because it is rewritten.
    #[must_use]
    pub fn makes_regex(&self, path: &str) -> bool {
        self.use_regex || self.rewrites(path)
    }

    /// Whether a path of this Ingress becomes another one.
    #[must_use]
    pub fn rewrites(&self, path: &str) -> bool {
        self.rewrite_target.as_deref().is_some_and(|target| !target.is_empty() && target != path)
    }

    fn read_routing(&mut self, name: &str, value: &str) -> Option<bool> {
        let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
        Some(match name {
            "rewrite-target" => put(&mut self.rewrite_target, Some(text())),
            "use-regex" => put(&mut self.use_regex, boolean(value)),
            "app-root" => put(&mut self.app_root, value.starts_with('/').then(text)),
            "ssl-redirect" => put(&mut self.ssl_redirect, boolean(value)),
            "force-ssl-redirect" => put(&mut self.force_ssl_redirect, boolean(value)),
            "permanent-redirect" => self.redirect_to(value, 301),
            "permanent-redirect-code" | "temporal-redirect-code" => self.redirect_by(value),
            "temporal-redirect" => self.redirect_to(value, 302),
            "service-upstream" => put(&mut self.service_upstream, boolean(value)),
            "default-backend" => put(&mut self.default_backend, Some(text())),
            "load-balance" => put(
                &mut self.load_balance,
                match value {
                    "round_robin" => Some(LoadBalance::RoundRobin),
                    "ewma" => Some(LoadBalance::Ewma),
                    _ => None,
                },
            ),
            "whitelist-source-range" | "allowlist-source-range" => put(&mut self.allow, ranges(value)),
            "denylist-source-range" => put(&mut self.deny, ranges(value)),
            "server-alias" => {
                let names = value.split(',').map(|name| name.trim().to_ascii_lowercase());
                put(&mut self.aliases, Some(names.filter(|name| !name.is_empty()).collect()))
            }
            // They change nothing that is simulated.
            "backend-protocol" => value.eq_ignore_ascii_case("HTTP") || value.eq_ignore_ascii_case("AUTO_HTTP"),
            _ => return None,
        })
    }

    fn redirect_to(&mut self, url: &str, status: u16) -> bool {
        let status = match &self.redirect {
            // A code that stood before it.
            Some((known, code)) if known.is_empty() => *code,
            // The temporary one wins.
            Some((_, 302)) => return true,
            _ => status,
        };
        self.redirect = Some((url.to_owned(), status));
        !url.is_empty()
    }

    fn redirect_by(&mut self, code: &str) -> bool {
        let Some(code) = code.parse().ok().filter(|code| (300..=308).contains(code)) else { return false };
        self.redirect = Some((self.redirect.take().map(|(url, _)| url).unwrap_or_default(), code));
        true
    }

    fn read_proxy(&mut self, name: &str, value: &str) -> Option<bool> {
        let next = &mut self.next_upstream;
        Some(match name {
            "proxy-body-size" => put(&mut self.body_bytes, bytes(value)),
            "proxy-connect-timeout" => put(&mut self.connect_timeout, seconds(value)),
            "proxy-read-timeout" => put(&mut self.read_timeout, seconds(value)),
            "proxy-send-timeout" => seconds(value).is_some(),
            "proxy-next-upstream" => next.read_conditions(value),
            "proxy-next-upstream-tries" => put(&mut next.tries, value.parse().ok()),
            "proxy-next-upstream-timeout" => put(&mut next.timeout, seconds(value)),
            "proxy-buffering" | "proxy-buffer-size" | "proxy-buffers-number" | "proxy-request-buffering" => true,
            _ => return None,
        })
    }
}

fn read_canary((enabled, shaping): &mut (bool, Shaping), field: &str, value: &str) -> Option<bool> {
    let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
    Some(match field {
        "" => put(enabled, boolean(value)),
        "-weight" => put(&mut shaping.weight, value.parse().ok()),
        "-weight-total" => put(&mut shaping.weight_total, value.parse().ok()),
        "-by-header" => put(&mut shaping.header, Some(text())),
        "-by-header-value" => put(&mut shaping.header_value, Some(text())),
        "-by-header-pattern" => shaping.set_pattern(value),
        "-by-cookie" => put(&mut shaping.cookie, Some(text())),
        _ => return None,
    })
}

fn read_affinity((enabled, affinity): &mut (bool, Affinity), name: &str, value: &str) -> Option<bool> {
    Some(match name {
        "affinity" => {
            *enabled = value == "cookie";
            *enabled
        }
        "affinity-mode" => put(
            &mut affinity.is_persistent,
            match value {
                "persistent" => Some(true),
                "balanced" => Some(false),
                _ => None,
            },
        ),
        "affinity-canary-behavior" => put(
            &mut affinity.sticks_to_canary,
            match value {
                "sticky" => Some(true),
                "legacy" => Some(false),
                _ => None,
            },
        ),
        "session-cookie-name" => put(&mut affinity.cookie, Some(value.to_owned()).filter(|name| !name.is_empty())),
        "session-cookie-change-on-failure" => put(&mut affinity.changes_on_failure, boolean(value)),
        "session-cookie-max-age" | "session-cookie-expires" => put(&mut affinity.lifetime, seconds(value).map(Some)),
        "session-cookie-path" | "session-cookie-domain" | "session-cookie-samesite" | "session-cookie-secure" => true,
        _ => return None,
    })
}

fn put<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}

fn boolean(value: &str) -> Option<bool> {
    value.parse().ok()
}

fn seconds(value: &str) -> Option<SimDuration> {
    value.strip_suffix('s').unwrap_or(value).parse().ok().map(SimDuration::from_secs)
}

/// A size as nginx takes it: `8m`, `512k`, `0`.
fn bytes(value: &str) -> Option<u64> {
    let (digits, factor) = match value.as_bytes().last()? {
        b'k' | b'K' => (&value[..value.len() - 1], 1 << 10),
        b'm' | b'M' => (&value[..value.len() - 1], 1 << 20),
        b'g' | b'G' => (&value[..value.len() - 1], 1 << 30),
        _ => (value, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

fn ranges(value: &str) -> Option<Vec<Cidr>> {
    let host = |text: &str| text.parse().ok().map(Cidr::host);
    value.split(',').map(str::trim).map(|text| Cidr::parse(text).or_else(|| host(text))).collect()
}
