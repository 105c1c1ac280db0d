//! Standard base64 with padding, as `[]byte` fields have it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A text for bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let sextet = (bits >> (18 - 6 * position)) & 0x3f;
            text.push(if position <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    text
}

/// The bytes of a text; nothing for a text that is not base64.
pub(in crate::objects) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let content = digits.strip_suffix(b"==").or_else(|| digits.strip_suffix(b"=")).unwrap_or(&digits);
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(content.len() / 4 * 3 + 2);
    for group in content.chunks(4) {
        let mut bits = 0u32;
        for digit in group {
            let sextet = ALPHABET.iter().position(|known| known == digit)?;
            bits = bits << 6 | sextet as u32;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn base64_pads_the_last_group() {
        for (plain, encoded) in [("", ""), ("b", "Yg=="), ("bc", "YmM="), ("bcd", "YmNk"), ("bcde", "YmNkZQ==")] {
            assert_eq!(encode(plain.as_bytes()), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(plain.as_bytes()));
        }
        for broken in ["Y", "Yg=", "Y===", "Y g=", "Yg==Yg=="] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
