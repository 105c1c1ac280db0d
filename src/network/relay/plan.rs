//! What becomes of a client's requests at a reverse proxy, worked out once for a configuration.

use std::sync::Arc;

use crate::api::View;
use crate::kernel::SimDuration;
use crate::objects::Key;

use super::super::Cidr;
use super::super::accounting::RouteReport;
use super::super::clients::HttpRequest;
use super::super::gateway::{Answer, GatewayRequest, HttpRoutes, RouteRule, WeightedBackend};
use super::super::ingress::{
    BackendPort, Certificate, Group, GroupId, Location, Matcher, Request, Routed, Server, Settings, Side, Why,
};
use super::super::outcome::{Cause, Intermediary};
use super::ReverseProxy;
use super::intern::{BackendId, Interned, Policy, PolicyId, WayId};

/// What becomes of the requests of each client.
#[derive(Clone, Debug)]
pub(in crate::network) struct Table {
    /// The count of changes that it is made of.
    pub(super) model: u64,
    /// By client.
    plans: Vec<Plan>,
    /// By client, where all its requests go whoever sends them.
    direct: Vec<Option<Goal>>,
}

impl Table {
    pub(super) fn new(model: u64, plans: Vec<Plan>) -> Self {
        let direct = plans.iter().map(Plan::direct).collect();
        Self { model, plans, direct }
    }

    /// What becomes of the requests of a client.
    pub(in crate::network) fn plan(&self, client: u16) -> &Plan {
        &self.plans[usize::from(client)]
    }

    /// Where all requests of a client go, if that is one place.
    #[inline(always)]
    pub(in crate::network) fn direct(&self, client: u16) -> Option<&Goal> {
        self.direct.get(usize::from(client))?.as_ref()
    }
}

/// Where a request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Goal {
    pub(in crate::network) backend: BackendId,
    pub(in crate::network) policy: PolicyId,
    /// Whether a cookie keeps clients at their endpoint, as the policy says.
    pub(in crate::network) is_sticky: bool,
    pub(in crate::network) way: WayId,
}

/// What becomes of a client's requests.
#[derive(Clone, Debug)]
pub(in crate::network) enum Plan {
    /// The reverse proxy answers itself.
    Answer(Cause, WayId),
    /// They go on; with who answers if the chosen backend has no endpoints.
    Forward(Choice, Option<BackendId>),
    /// Lists of addresses decide whether they are let through.
    Listed(Box<Listed>),
}

impl Plan {
    /// The only place where they go, if neither who sends them nor what is there plays a part.
    fn direct(&self) -> Option<Goal> {
        match self {
            Self::Forward(Choice::One(goal), None) if !goal.is_sticky => Some(*goal),
            _ => None,
        }
    }
}

/// What becomes of requests that lists of addresses let through, and of those that they hold back.
#[derive(Clone, Debug)]
pub(in crate::network) struct Listed {
    lists: Arc<Settings>,
    refused: WayId,
    then: Plan,
}

impl Listed {
    /// Where a request from an address goes on, or what it is told.
    pub(in crate::network) fn judge(&self, from: &Cidr) -> Result<(&Choice, Option<BackendId>), (Cause, WayId)> {
        if !self.lists.lets_in(from) {
            return Err((Cause::Forbidden, self.refused));
        }
        match &self.then {
            Plan::Answer(cause, way) => Err((*cause, *way)),
            Plan::Forward(choice, fallback) => Ok((choice, *fallback)),
            Plan::Listed(inner) => inner.judge(from),
        }
    }
}

/// Between which backends is chosen for each request.
#[derive(Clone, Debug)]
pub(in crate::network) enum Choice {
    /// There is one.
    One(Goal),
    /// A backend and its canary.
    Canary {
        /// The backend.
        main: Goal,
        /// Its canary.
        canary: Goal,
        /// Which of them, unless a session cookie says otherwise.
        side: Side,
    },
    /// Backends by weight: sums of the weights so far, and what then; nothing = the backend does not exist.
    Shares(Arc<[(u64, Option<Goal>, WayId)]>),
}

impl Choice {
    /// Whether a session cookie decides.
    #[inline(always)]
    pub(in crate::network) const fn looks_at_cookies(&self) -> bool {
        match self {
            Self::One(goal) => goal.is_sticky,
            Self::Canary { main, canary, .. } => main.is_sticky || canary.is_sticky,
            Self::Shares(_) => false,
        }
    }
}

/// Makes plans.
pub(super) struct Planner<'i> {
    pub(super) program: u32,
    pub(super) interned: &'i mut Interned,
}

impl Planner<'_> {
    /// The plans for all clients; those that send no requests to URLs get one that nobody asks for.
    pub(super) fn all(&mut self, what: &ReverseProxy, view: &View, clients: &[Option<Arc<HttpRequest>>]) -> Vec<Plan> {
        let nothing = self.interned.way(RouteReport::default());
        match what {
            ReverseProxy::Ingress(controller) => {
                let matcher = Matcher::compile(view, controller);
                let plan = |client: &Option<Arc<HttpRequest>>| match client {
                    Some(request) => self.by_ingress(&matcher, request),
                    None => Plan::Answer(Cause::NoRule, nothing),
                };
                clients.iter().map(plan).collect()
            }
            ReverseProxy::Gateway(key) => {
                let routes = HttpRoutes::compile(view, key);
                let plan = |client: &Option<Arc<HttpRequest>>| match client {
                    Some(request) => self.by_routes(&routes, request),
                    None => Plan::Answer(Cause::NoRule, nothing),
                };
                clients.iter().map(plan).collect()
            }
        }
    }

    fn by_ingress(&mut self, matcher: &Matcher, http: &HttpRequest) -> Plan {
        let (headers, cookies) = (pairs(&http.headers), pairs(&http.cookies));
        let request = Request {
            host: &http.host,
            path: &http.path,
            is_tls: http.is_tls,
            method: &http.method,
            headers: &headers,
            cookies: &cookies,
            body_bytes: http.body_bytes,
            client: None,
        };
        let server = matcher.server(&http.host);
        if http.is_tls && !http.insecure && !matches!(server.certificate, Some(Certificate::Secret(_))) {
            return Plan::Answer(Cause::Untrusted, self.interned.way(place(server, None)));
        }
        let routed = matcher.route(&request);
        let lists = routed
            .lists()
            .map(|(server, location)| (location.settings.clone(), self.interned.way(place(server, Some(location)))));
        let then = self.by_route(matcher, &request, routed);
        match lists {
            Some((lists, refused)) => Plan::Listed(Box::new(Listed { lists, refused, then })),
            None => then,
        }
    }

    fn by_route(&mut self, matcher: &Matcher, request: &Request<'_>, routed: Routed<'_>) -> Plan {
        match routed {
            Routed::Redirect { server, location, .. } => {
                Plan::Answer(Cause::Redirected, self.interned.way(place(server, Some(location))))
            }
            Routed::Status { server, location, why, .. } => {
                let cause = match why {
                    Why::UnknownHost | Why::NoPath => Cause::NoRule,
                    Why::BodyTooLarge => Cause::TooLarge,
                    Why::AddressDenied => Cause::Forbidden,
                };
                Plan::Answer(cause, self.interned.way(place(server, location)))
            }
            Routed::Forward { server, location, .. } => {
                let fallback = location.fallback.map(|id| self.interned.backend(self.program, matcher.group(id)));
                Plan::Forward(self.choice(matcher, request, (server, location)), fallback)
            }
        }
    }

    fn choice(&mut self, matcher: &Matcher, request: &Request<'_>, (server, location): (&Server, &Location)) -> Choice {
        let mut goal = |id: GroupId, is_canary: bool| {
            let group = matcher.group(id);
            let service = group.service.as_ref().map(|service| format!("{service}:{}", group.port).into());
            Goal {
                backend: self.interned.backend(self.program, group),
                policy: self.interned.add_policy(Policy::of(&location.settings, group.affinity.as_ref())),
                is_sticky: group.affinity.is_some(),
                way: self.interned.way(RouteReport { service, is_canary, ..place(server, Some(location)) }),
            }
        };
        let main = goal(location.group, false);
        match &matcher.group(location.group).canary {
            None => Choice::One(main),
            Some((id, shaping)) => Choice::Canary { main, canary: goal(*id, true), side: shaping.side(request).0 },
        }
    }

    fn by_routes(&mut self, routes: &HttpRoutes, http: &HttpRequest) -> Plan {
        let headers = pairs(&http.headers);
        let (path, query) = http.path.split_once('?').unwrap_or((&http.path, ""));
        let query: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let request = GatewayRequest {
            is_tls: http.is_tls,
            host: &http.host,
            port: http.port.unwrap_or(if http.is_tls { 443 } else { 80 }),
            path,
            method: &http.method,
            headers: &headers,
            query: &query,
        };
        let through = Some(Intermediary::Gateway);
        let nowhere = RouteReport { through, host: http.host.clone(), ..RouteReport::default() };
        let of = |rule: &RouteRule| RouteReport { rule: Some(rule.route.to_string().into()), ..nowhere.clone() };
        let rule = match routes.answer(&request) {
            Answer::NotListening => return Plan::Answer(Cause::PortClosed, self.interned.way(nowhere)),
            Answer::NoCertificate => return Plan::Answer(Cause::Untrusted, self.interned.way(nowhere)),
            Answer::NoRule(_) => return Plan::Answer(Cause::NoRule, self.interned.way(nowhere)),
            Answer::Redirect { rule, .. } => return Plan::Answer(Cause::Redirected, self.interned.way(of(rule))),
            Answer::Forward { rule, .. } => rule,
        };
        let way = of(rule);
        let mut sum = 0;
        let mut shares = Vec::new();
        for backend in rule.backends.iter().filter(|backend| backend.weight > 0) {
            sum += backend.weight;
            shares.push(self.share(sum, backend, rule.timeout, &way));
        }
        if sum == 0 {
            return Plan::Answer(Cause::NoBackend, self.interned.way(way));
        }
        match &shares[..] {
            [(_, Some(goal), _)] => Plan::Forward(Choice::One(*goal), None),
            _ => Plan::Forward(Choice::Shares(shares.into()), None),
        }
    }

    fn share(
        &mut self,
        sum: u64,
        backend: &WeightedBackend,
        timeout: Option<SimDuration>,
        way: &RouteReport,
    ) -> (u64, Option<Goal>, WayId) {
        let service = Some(format!("{}:{}", backend.service, backend.port).into());
        let way = self.interned.way(RouteReport { service, ..way.clone() });
        let goal = backend.fault.is_none().then(|| Goal {
            backend: self.interned.backend(self.program, &group_of(&backend.service, backend.port)),
            policy: self.interned.add_policy(Policy::plain(timeout)),
            is_sticky: false,
            way,
        });
        (sum, goal, way)
    }
}

fn group_of(service: &Key, port: u16) -> Group {
    let port = BackendPort { number: i32::from(port), ..BackendPort::default() };
    Group { service: Some(service.clone()), port, ..Group::default() }
}

fn place(server: &Server, location: Option<&Location>) -> RouteReport {
    RouteReport {
        through: Some(Intermediary::Ingress),
        rule: location.and_then(|location| location.ingress.as_ref()).map(|key| key.to_string().into()),
        host: server.host.clone(),
        path: location.map(|location| location.written.clone()).unwrap_or_default(),
        ..RouteReport::default()
    }
}

fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}
