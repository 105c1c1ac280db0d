//! The hash that names a revision.

use std::fmt::Write as _;

use serde_json::Value;

use crate::controllers::template_hash::safe_encode;

/// The hash of a revision's data and, if given, of how many names were taken before (upstream
/// `HashControllerRevision`): FNV-1, 32 bits, over the JSON text as Go writes it.
///
/// ```
/// use seatrial::controllers::history::hash;
/// let data = serde_json::json!({"spec": {"template": {"$patch": "replace"}}});
/// assert_eq!(hash(&data, Some(0)), hash(&data, Some(0)));
/// assert_ne!(hash(&data, Some(0)), hash(&data, Some(1)));
/// ```
#[must_use]
pub fn hash(data: &Value, probe: Option<i32>) -> String {
    let mut text = if data.is_null() { String::new() } else { go_json(data) };
    if let Some(probe) = probe {
        let _ = write!(text, "{probe}");
    }
    safe_encode(&fnv_1(text.as_bytes()).to_string())
}

fn fnv_1(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte))
}

/// JSON as `encoding/json` marshals a map: keys in order, and what HTML would read as its own escaped.
fn go_json(data: &Value) -> String {
    let plain = data.to_string();
    if !plain.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return plain;
    }
    let mut text = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_sum_is_fnv_1() {
        assert_eq!(fnv_1(b""), 0x811c_9dc5);
        assert_eq!(fnv_1(b"foobar"), 0x31f0_b262);
    }

    /// Names of revisions in recordings of a real control plane.
    #[test]
    fn revisions_are_named_as_kubernetes_does() {
        let data = |image: &str| {
            json!({"spec": {"template": {"$patch": "replace", "metadata": {"labels": {"app": "db"}}, "spec": {
                "containers": [{
                    "image": image, "imagePullPolicy": "IfNotPresent", "name": "c", "resources": {},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                }],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30,
            }}}})
        };
        assert_eq!(hash(&data("db:v1"), Some(0)), "fc885c6b7");
        assert_eq!(hash(&data("db:v2"), Some(0)), "549f648dc8");
    }

    #[test]
    fn text_is_escaped_as_go_does() {
        assert_eq!(go_json(&json!({"b": "a<b>&c", "a": 1})), r#"{"a":1,"b":"a\u003cb\u003e\u0026c"}"#);
    }

    #[test]
    fn the_probe_is_part_of_the_hash() {
        let data = json!({"spec": {}});
        let hashes = [None, Some(0), Some(1)].map(|probe| hash(&data, probe));
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2], "{hashes:?}");
        assert!(hashes.iter().all(|hash| hash.len() <= 10 && hash.bytes().all(|b| b"456789bcdf".contains(&b))));
    }
}
