//! One request, one answer.

use serde_json::json;

use crate::api::ApiError;
use crate::kernel::SimDuration;
use crate::objects::Key;
use crate::scenario::{Run, Session};
use crate::sim::{Simulation, StepRecord};

use super::answer::Answer;
use super::forms::Form;
use super::path::ResourcePath;
use super::request::HttpRequest;
use super::resources::{ApiResource, Subresource};
use super::watches::Watch;
use super::{control, deletes, discovery, metrics, openapi, reads, reviews, writes};

/// The API of a scenario under way.
#[derive(Debug)]
pub struct Endpoint<'a> {
    session: Session<'a>,
}

/// What a request gets.
#[derive(Debug)]
pub enum Reply {
    /// An answer.
    Whole(Answer),
    /// A watch: news without end.
    Watch(Watch),
}

/// What a request about a resource asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a HttpRequest,
    pub(super) resource: &'a ApiResource,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) subresource: Option<Subresource>,
    pub(super) form: &'a Form,
}

impl Asked<'_> {
    pub(super) fn key(&self) -> Key {
        self.resource.key(self.namespace, self.name.unwrap_or_default())
    }

    pub(super) fn refusal(&self, error: &ApiError) -> Answer {
        Answer::refusal(error, Some((self.resource, self.name.unwrap_or_default())))
    }

    /// The part of the object that a write is about.
    pub(super) fn part(&self) -> Result<crate::api::Part, Answer> {
        use crate::api::Part;
        match self.subresource {
            None => Ok(Part::Main),
            Some(Subresource::Status) => Ok(Part::Status),
            Some(Subresource::Finalize) => Ok(Part::Finalize),
            Some(Subresource::EphemeralContainers) => Ok(Part::EphemeralContainers),
            Some(_) => Err(Answer::not_allowed()),
        }
    }
}

impl<'a> Endpoint<'a> {
    /// The API of a scenario. Watches need a whole recording ([`RecordMode::Full`](crate::sim::RecordMode)).
    #[must_use]
    pub const fn new(session: Session<'a>) -> Self {
        Self { session }
    }

    /// The cluster now.
    #[must_use]
    pub const fn simulation(&self) -> &Simulation {
        self.session.simulation()
    }

    /// Lets virtual time pass.
    pub fn advance(&mut self, time: SimDuration) {
        let end = self.simulation().now() + time;
        self.session.advance_to(end);
    }

    /// Ends it, and judges the scenario's expectations by what happened.
    #[must_use]
    pub fn finish(self) -> Run {
        self.session.finish()
    }

    /// Answers a request at this instant. Time does not pass, unless the request is for that.
    pub fn answer(&mut self, request: &HttpRequest) -> Reply {
        match self.reply(request) {
            Ok(reply) => reply,
            Err(refusal) => Reply::Whole(refusal),
        }
    }

    fn reply(&mut self, request: &HttpRequest) -> Result<Reply, Answer> {
        let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
        if let ["seatrial", rest @ ..] = &parts[..] {
            return control::answer(self, rest, request).map(Reply::Whole);
        }
        let sim = self.simulation();
        sim.api_server_answers().map_err(|error| Answer::refusal(&error, None))?;
        if let Some(answer) = about_the_api(sim, &parts, request)? {
            return Ok(Reply::Whole(answer));
        }
        let path = ResourcePath::read(&parts).ok_or_else(Answer::nowhere)?;
        match [path.group, path.version] {
            metrics::GROUP_VERSION => return metrics::answer(sim, &path, request).map(Reply::Whole),
            reviews::GROUP_VERSION if path.resource == "selfsubjectaccessreviews" => {
                return reviews::answer(request).map(Reply::Whole);
            }
            _ => {}
        }
        let resource = ApiResource::find(sim.view(), &path).ok_or_else(Answer::nowhere)?;
        let subresource = match path.subresource {
            None => None,
            Some(name) => {
                let found = resource.subresources().into_iter().find(|part| part.name() == name);
                Some(found.ok_or_else(Answer::nowhere)?)
            }
        };
        if let (true, None, Some(_)) = (resource.is_namespaced, path.namespace, path.name) {
            return Err(Answer::nowhere());
        }
        let form = &Form::asked(request, resource.api_version())?;
        let (namespace, name) = (path.namespace, path.name);
        let asked = Asked { request, resource: &resource, namespace, name, subresource, form };
        self.about_resource(&asked)
    }

    fn about_resource(&mut self, asked: &Asked<'_>) -> Result<Reply, Answer> {
        let Asked { request, resource, namespace, name, .. } = *asked;
        if let Some(part) = asked.subresource {
            needs_no_process(part)?;
        }
        let sim = self.simulation();
        let write: fn(&mut Simulation, &Asked<'_>) -> Result<Answer, Answer> = match (&*request.method, name) {
            ("GET", name) if request.flag("watch") => {
                let query = reads::query(resource, namespace, name, request)?;
                return Ok(Reply::Watch(Watch::new(sim, resource, query, asked.form, request)));
            }
            ("GET", None) => {
                let query = reads::query(resource, namespace, None, request)?;
                return Ok(Reply::Whole(reads::list(sim, resource, &query, asked.form)));
            }
            ("GET", Some(name)) if asked.subresource == Some(Subresource::Scale) => {
                let object = reads::find(sim, resource, &asked.key(), name)?;
                let scale = writes::scale_of(&object).ok_or_else(Answer::nowhere)?;
                return Ok(Reply::Whole(Answer::json(200, &scale)));
            }
            ("GET", Some(name)) => return reads::get(sim, resource, &asked.key(), name, asked.form).map(Reply::Whole),
            ("POST", _) => writes::create,
            ("PUT", _) => writes::replace,
            ("PATCH", _) => writes::patch,
            ("DELETE", _) => deletes::delete,
            _ => return Err(Answer::not_allowed()),
        };
        if request.is_dry_run() {
            // In a fork that nobody sees.
            return write(&mut sim.clone(), asked).map(Reply::Whole);
        }
        let sim = self.session.simulation_mut();
        let answer = write(sim, asked);
        let code = answer.as_ref().map_or_else(|refusal| refusal.code, |answer| answer.code);
        let result = json!(code);
        let args = json!({"method": request.method, "path": request.path});
        sim.record_step(StepRecord { name: "request".to_owned(), args, result });
        answer.map(Reply::Whole)
    }

    pub(super) const fn session_mut(&mut self) -> &mut Session<'a> {
        &mut self.session
    }
}

/// What clients ask before they speak of resources.
fn about_the_api(sim: &Simulation, parts: &[&str], request: &HttpRequest) -> Result<Option<Answer>, Answer> {
    let document = match parts {
        [] => Some(json!({"paths": ["/api", "/apis", "/openapi/v3", "/version", "/seatrial"]})),
        ["healthz" | "livez" | "readyz", ..] => return Ok(Some(Answer::text(200, "ok"))),
        ["version"] => Some(discovery::version()),
        ["api"] => Some(discovery::core_versions()),
        ["apis"] => Some(discovery::groups(sim.view())),
        ["apis", group] => Some(discovery::group(sim.view(), group).ok_or_else(Answer::nowhere)?),
        ["api", version] => Some(discovery::resources(sim.view(), "", version).ok_or_else(Answer::nowhere)?),
        ["apis", group, version] => Some(discovery::resources(sim.view(), group, version).ok_or_else(Answer::nowhere)?),
        ["openapi", "v3"] => Some(openapi::index(sim.view())),
        ["openapi", "v3", "api", version] => Some(openapi::of(sim.view(), "", version).ok_or_else(Answer::nowhere)?),
        ["openapi", "v3", "apis", group, version] => {
            Some(openapi::of(sim.view(), group, version).ok_or_else(Answer::nowhere)?)
        }
        _ => None,
    };
    match document {
        Some(_) if request.method != "GET" => Err(Answer::not_allowed()),
        document => Ok(document.map(|document| Answer::json(200, &document))),
    }
}

/// Refuses what only a container that really runs could answer.
fn needs_no_process(part: Subresource) -> Result<(), Answer> {
    let why = match part {
        Subresource::Log => {
            "containers are simulated and write no log: see `kubectl describe` and `kubectl get events`"
        }
        Subresource::Exec | Subresource::Attach => "containers are simulated: there is no process to attach to",
        Subresource::PortForward | Subresource::Proxy => {
            "containers are simulated: nothing listens; `clients` of a scenario send requests"
        }
        _ => return Ok(()),
    };
    Err(Answer::not_simulated(why))
}
