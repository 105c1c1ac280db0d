//! Strategies and admission of Endpoints, Ingresses, their classes, and NetworkPolicies (`pkg/registry/core/endpoint`,
//! `pkg/registry/networking`, `plugin/pkg/admission/network/defaultingressclass`).

use std::sync::Arc;

use super::ApiServer;
use super::strategy::{Stored, count_generation, stored};
use crate::api::{ApiError, Tabled, View};
use crate::objects::{
    Endpoints, INGRESS_CLASS_ANNOTATION, Ingress, IngressClass, Key, Kind, NetworkPolicy, Object, ObjectMeta, Typed,
    WallTime,
};

stored!(Endpoints, {
    fn prepare_for_create(&mut self, _now: WallTime) {}
    fn prepare_for_update(&mut self, _old: &Self) {}
    fn with_status(&self, _request: &Self) -> Option<Self> {
        None
    }
});

stored!(Ingress, spec_and_status, {
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

/// A kind of a spec that counts its changes, and no status.
macro_rules! spec_only {
    ($kind:ident) => {
        stored!($kind, {
            fn prepare_for_create(&mut self, _now: WallTime) {
                self.meta.generation = 1;
            }
            fn prepare_for_update(&mut self, old: &Self) {
                count_generation(&mut self.meta, self.spec != old.spec);
            }
            fn with_status(&self, _request: &Self) -> Option<Self> {
                None
            }
        });
    };
}

spec_only!(IngressClass);
spec_only!(NetworkPolicy);
