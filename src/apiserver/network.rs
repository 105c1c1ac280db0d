//! Strategies and admission of Services, EndpointSlices, Endpoints, Ingresses, their classes, NetworkPolicies and the kinds of
//! the Gateway API (`pkg/registry/core/{service,endpoint}`, `pkg/registry/{discovery,networking}`,
//! `plugin/pkg/admission/network/defaultingressclass`).

use std::sync::Arc;

use super::ApiServer;
use super::strategy::stored;
use crate::api::ApiError;
use crate::objects::gateway::{GatewayClassStatus, GatewayStatus};
use crate::objects::{
    EndpointSlice, Endpoints, Gateway, GatewayClass, HTTPRoute, INGRESS_CLASS_ANNOTATION, Ingress, IngressClass,
    NetworkPolicy, ReferenceGrant, Service, WallTime,
};

stored!(Service, [status], {
    fn complete_changed(&mut self, _old: &Self) {
        if self.spec.kind != *"LoadBalancer" {
            self.clear_status();
        }
    }
    fn admit(&mut self, server: &mut ApiServer) -> Result<(), ApiError> {
        server.services.allocate(self, None)
    }
    fn admit_update(&mut self, old: &Self, server: &mut ApiServer) -> Result<(), ApiError> {
        server.services.allocate(self, Some(old))
    }
    fn on_write(server: &mut ApiServer, old: Option<&Self>, new: Option<&Self>) {
        server.services.follow(old, new);
        // Endpoints go with their Service, so that none of them is taken for those of the next one of that name.
        if let (Some(gone), None) = (old, new)
            && let Some(endpoints) = server.view().endpoints.get(&gone.store_key()).cloned()
            && endpoints.meta.finalizers.is_empty()
        {
            server.remove(endpoints);
        }
    }
});

stored!(EndpointSlice, [generation], {
    fn is_new_generation(&self, old: &Self) -> bool {
        self.endpoints != old.endpoints
            || self.ports != old.ports
            || self.address_type != old.address_type
            || self.meta.labels != old.meta.labels
    }
});

stored!(Endpoints, []);

stored!(Ingress, [status, generation_of_spec], {
    /// Admission plugin `DefaultIngressClass`.
    fn admit(&mut self, server: &mut ApiServer) -> Result<(), ApiError> {
        let says_nothing =
            self.spec.ingress_class_name.is_none() && !self.meta.annotations.contains_key(INGRESS_CLASS_ANNOTATION);
        if says_nothing && let Some(class) = IngressClass::default_of(server.view().ingress_classes.iter()) {
            Arc::make_mut(&mut self.spec).ingress_class_name = Some(class.meta.name.clone().into());
        }
        Ok(())
    }
});

stored!(IngressClass, [generation_of_spec]);
stored!(NetworkPolicy, [generation_of_spec]);

stored!(GatewayClass, [status, generation_of_spec], {
    fn complete_new(&mut self, _now: WallTime) {
        self.status = GatewayClassStatus::pending();
    }
});

stored!(Gateway, [status, generation_of_spec, shared_spec], {
    fn complete_new(&mut self, _now: WallTime) {
        self.status = GatewayStatus::pending();
    }
});

stored!(HTTPRoute, [status, generation_of_spec, shared_spec]);
stored!(ReferenceGrant, [generation_of_spec]);
