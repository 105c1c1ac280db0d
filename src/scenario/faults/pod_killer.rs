//! `PodKiller`.

use crate::objects::{Selector, SelectorError};
use crate::scenario::error::Fault;
use crate::sim::PodKiller;

use super::{RawFault, time};

pub(super) const FIELDS: &[&str] = &["every", "selector", "namespace"];

impl RawFault {
    pub(super) fn pod_killer(self) -> Result<PodKiller, Fault> {
        let every = time("every", self.every, "the time from one deletion to the next")?;
        let text = self.selector.unwrap_or_default();
        let selector: Selector =
            text.parse().map_err(|error: SelectorError| Fault::new("selector", error.to_string()))?;
        Ok(PodKiller { every, selector, namespace: self.namespace.unwrap_or_else(|| "default".to_owned()) })
    }
}
