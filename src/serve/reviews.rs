//! Questions whether somebody may do something: everybody may do everything here.

use serde_json::{Value, json};

use super::answer::Answer;
use super::request::HttpRequest;

pub(super) const GROUP_VERSION: [&str; 2] = ["authorization.k8s.io", "v1"];

pub(super) fn resources() -> [Value; 1] {
    [json!({
        "name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview", "namespaced": false,
        "kind": "SelfSubjectAccessReview", "verbs": ["create"],
    })]
}

pub(super) fn answer(request: &HttpRequest) -> Result<Answer, Answer> {
    if request.method != "POST" {
        return Err(Answer::not_allowed());
    }
    let mut review = request.json()?;
    if !review.is_object() {
        return Err(Answer::failure(400, "BadRequest", "the body of the request is not an object"));
    }
    review["status"] = json!({"allowed": true, "reason": "authorization is not simulated"});
    Ok(Answer::json(201, &review))
}
