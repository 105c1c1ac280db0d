//! A tiny cluster for the tests of controllers.

use serde_json::json;

use crate::objects::PodTemplate;

/// A template of one container with label `app=web`.
pub(crate) fn template(image: &str) -> PodTemplate {
    let wire = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}});
    PodTemplate::from_wire(Some(&wire)).expect("the template is well-formed")
}
