//! By which door a request to a URL comes to a reverse proxy.

use std::sync::Arc;

use crate::objects::{Key, Resource as _, Selector, Service};

use super::super::clients::HttpRequest;
use super::super::gateway::HttpRoutes;
use super::super::outcome::Cause;
use super::{Program, Relays, ReverseProxy};

/// The way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::network) enum FrontDoor {
    /// That port of a Service.
    Service(Key, u16),
    /// That port of the machines on which the pods of a program listen.
    Machines(u32, u16),
}

impl Relays {
    /// Where a request to a URL comes in now.
    ///
    /// # Errors
    /// `NoSuchName`: no reverse proxy runs; `NoSuchPort`: nothing leads to it.
    pub(in crate::network) fn front_door(&mut self, request: &HttpRequest, now: u64) -> Result<FrontDoor, Cause> {
        self.store.take_in(now);
        let port = request.port.unwrap_or(if request.is_tls { 443 } else { 80 });
        if let Some(via) = &request.via {
            return Ok(FrontDoor::Service(via.clone(), port));
        }
        let serving = self.programs.iter().position(|program| self.serves(program, &request.host));
        let number = serving.or((!self.programs.is_empty()).then_some(0)).ok_or(Cause::NoSuchName)?;
        let program = &self.programs[number];
        let services = self.store.view().services.in_namespace(&program.namespace);
        let mut doors = services.filter_map(|service| Some((service.key(), door(service, program, port)?)));
        match doors.next() {
            Some((key, port)) => Ok(FrontDoor::Service(key, port)),
            None if program.doors.iter().any(|door| door.behind(port).is_some()) => {
                Ok(FrontDoor::Machines(number as u32, port))
            }
            None => Err(Cause::NoSuchPort),
        }
    }

    /// Whether a program has rules for a host.
    fn serves(&self, program: &Program, host: &str) -> bool {
        let view = self.store.view();
        match &program.what {
            ReverseProxy::Ingress(controller) => controller.serves_host(view, host),
            ReverseProxy::Gateway(key) => HttpRoutes::compile(view, key).serves_host(host),
        }
    }
}

/// The number of a Service's port that leads from outside to a program's pods.
fn door(service: &Arc<Service>, program: &Program, port: u16) -> Option<u16> {
    let from_outside = service.spec.kind == "LoadBalancer" || service.spec.kind == "NodePort";
    let selector = service.spec.selector.as_ref().filter(|labels| !labels.is_empty())?;
    if !from_outside || !Selector::from_labels(selector).matches(&program.labels) {
        return None;
    }
    let wanted = i32::from(port);
    let own = service.spec.ports.iter().find(|own| own.port == wanted || own.node_port == wanted)?;
    u16::try_from(own.port).ok()
}
