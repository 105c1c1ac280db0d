//! What the objects of a namespace may use together (admission plugin `ResourceQuota`, upstream
//! `apiserver/pkg/admission/plugin/resourcequota`).

use std::sync::Arc;

use super::strategy::{Stored, stored};
use super::{ApiServer, errors};
use crate::api::ApiError;
use crate::objects::quota::{missing_requests, tracked, usage};
use crate::objects::storage::ResourceList;
use crate::objects::{Key, Kind, Object, Quantity, ResourceQuota, WallTime};

stored!(ResourceQuota, [status]);

impl ApiServer {
    /// Charges a new object to the quotas of its namespace.
    ///
    /// # Errors
    /// If one of them has no room.
    pub(super) fn charge_new<T: Stored>(&mut self, now: WallTime, object: &T) -> Result<(), ApiError> {
        if !self.has_quotas(&object.meta().namespace) {
            return Ok(());
        }
        self.charge_quotas(now, &T::wrap(Arc::new(object.clone())), None)
    }

    /// Charges what a changed object uses more than before. Only Services and claims can grow.
    ///
    /// # Errors
    /// If a quota has no room.
    pub(super) fn charge_growth<T: Stored>(&mut self, old: &Arc<T>, new: &T) -> Result<(), ApiError> {
        let can_grow = matches!(T::KIND, Kind::Service | Kind::PersistentVolumeClaim);
        if !can_grow || !self.has_quotas(&new.meta().namespace) {
            return Ok(());
        }
        // The time matters to pods alone.
        let (old, new) = (T::wrap(old.clone()), T::wrap(Arc::new(new.clone())));
        self.charge_quotas(WallTime::default(), &new, Some(&old))
    }

    fn has_quotas(&self, namespace: &str) -> bool {
        self.view().resource_quotas.in_namespace(namespace).next().is_some()
    }

    /// Charges a new object, or what an update uses more than `old`, to every quota that covers it; of several quotas all must
    /// have room. What is deleted is credited by the controller.
    fn charge_quotas(&mut self, now: WallTime, new: &Object, old: Option<&Object>) -> Result<(), ApiError> {
        let meta = new.meta();
        let name = if meta.name.is_empty() { &meta.generate_name } else { &meta.name };
        let key = Key::new(meta.namespace.clone(), name.clone());
        let mut quotas: Vec<Arc<ResourceQuota>> = self
            .view()
            .resource_quotas
            .in_namespace(&meta.namespace)
            .filter(|quota| quota.covers(new))
            .cloned()
            .collect();
        quotas.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        let forbidden = |why| errors::forbidden(new.kind(), &key, why);
        let asked = usage(new, now);
        let before = old.map(|old| usage(old, now));
        let mut charged = Vec::new();
        for quota in quotas {
            check_that_it_is_known(&quota, new).map_err(forbidden)?;
            let counted_before = old.filter(|old| quota.scopes_match(old)).and(before.as_ref());
            let more = growth(&asked, counted_before);
            if let Some(used) = charge(&quota, &more).map_err(forbidden)? {
                charged.push((quota, used));
            }
        }
        for (quota, used) in charged {
            let mut new = ResourceQuota::clone(&quota);
            new.status.used = used;
            self.replace(quota, new);
        }
        Ok(())
    }
}

/// The object must name what the quota tracks, and the controller must have measured it.
fn check_that_it_is_known(quota: &ResourceQuota, object: &Object) -> Result<(), String> {
    let hard = quota.status.hard.keys().map(|name| &**name);
    let names: Vec<&str> = hard.filter(|name| tracked(object.kind(), name)).collect();
    let name = &quota.meta.name;
    if let Object::Pod(pod) = object {
        missing_requests(pod, &names).map_err(|error| format!("failed quota: {name}: {error}"))?;
    }
    if names.iter().any(|resource| !quota.status.used.contains_key(*resource)) {
        return Err(format!("status unknown for quota: {name}, resources: {}", names.join(",")));
    }
    Ok(())
}

/// What is used more than before, without what is not.
fn growth(asked: &ResourceList, before: Option<&ResourceList>) -> ResourceList {
    let more = asked.iter().map(|(name, amount)| {
        let before = before.and_then(|before| before.get(name)).copied().unwrap_or_default();
        (name.clone(), *amount - before)
    });
    more.filter(|(_, amount)| amount.sign() > 0).collect()
}

/// The use after a charge, or `None` if it changes nothing.
fn charge(quota: &ResourceQuota, more: &ResourceList) -> Result<Option<ResourceList>, String> {
    let status = &quota.status;
    let requested: ResourceList = more
        .iter()
        .filter(|(name, _)| status.hard.contains_key(*name))
        .map(|(name, amount)| (name.clone(), *amount))
        .collect();
    if requested.is_empty() {
        return Ok(None);
    }
    let mut used = status.used.clone();
    for (name, amount) in &requested {
        *used.entry(name.clone()).or_default() += *amount;
    }
    let exceeded: Vec<&Arc<str>> = requested.keys().filter(|name| used.get(*name) > status.hard.get(*name)).collect();
    if exceeded.is_empty() {
        return Ok(Some(used));
    }
    let list = |amounts: &ResourceList| {
        let amount = |name: &Arc<str>| amounts.get(name).copied().unwrap_or_else(Quantity::default);
        exceeded.iter().map(|name| format!("{name}={}", amount(name))).collect::<Vec<_>>().join(",")
    };
    Err(format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        quota.meta.name,
        list(&requested),
        list(&status.used),
        list(&status.hard)
    ))
}
