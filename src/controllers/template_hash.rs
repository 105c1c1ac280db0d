//! The hash by which a Deployment names its ReplicaSets (upstream `controller.ComputeHash`).
//!
//! Upstream hashes a printout of Go structs, which changes with every release. Nothing but names depends on the value,
//! so ours is the same kind of hash (FNV-1a, 32 bits) over the template's wire form, in the same letters.

use std::io;

use crate::objects::PodTemplate;

/// Letters of generated names: no vowels, and no digits that look like them.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of a pod template, as a label value. `collision_count` gives another one where a name was taken.
#[must_use]
pub fn template_hash(template: &PodTemplate, collision_count: Option<i32>) -> String {
    let mut hasher = Fnv::new();
    if serde_json::to_writer(&mut hasher, &template.to_wire()).is_err() {
        debug_assert!(false, "a JSON document can be written, and hashing it cannot fail");
    }
    if let Some(count) = collision_count {
        hasher.add(&count.to_le_bytes());
        hasher.add(&[0; 4]);
    }
    safe_encode(&hasher.0.to_string())
}

/// Replaces each character by one that is safe in names (upstream `rand.SafeEncodeString`).
#[must_use]
pub fn safe_encode(text: &str) -> String {
    text.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

/// FNV-1a with 32 bits.
struct Fnv(u32);

impl Fnv {
    const fn new() -> Self {
        Self(0x811c_9dc5)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}

impl io::Write for Fnv {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::testing::template;

    #[test]
    fn the_encoding_is_upstreams() {
        assert_eq!(safe_encode("4130463924"), "85748b7f68");
        assert_eq!(safe_encode("610673237"), "b54bc767c");
    }

    #[test]
    fn the_sum_is_fnv_1a() {
        let mut fnv = Fnv::new();
        fnv.add(b"foobar");
        assert_eq!(fnv.0, 0xbf9c_f968);
    }

    #[test]
    fn equal_templates_have_equal_hashes_and_others_do_not() {
        assert_eq!(template_hash(&template("web:v1"), None), template_hash(&template("web:v1"), None));
        assert_ne!(template_hash(&template("web:v1"), None), template_hash(&template("web:v2"), None));
    }

    #[test]
    fn each_collision_gives_another_hash() {
        let hashes: Vec<_> = [None, Some(0), Some(1)].map(|count| template_hash(&template("web:v1"), count)).into();
        assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2], "{hashes:?}");
    }
}
