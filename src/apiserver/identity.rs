//! Uids and generated names.

use std::sync::Arc;

use crate::kernel::{Stream, Streams};
use crate::objects::Uid;

use super::{NAME_SUFFIXES, UIDS};

/// Characters of generated names: no vowels, no digits that look like letters (`k8s.io/apimachinery/pkg/util/rand`).
const ALPHABET: [char; 27] = [
    'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'z', '2', '4', '5',
    '6', '7', '8', '9',
];
const SUFFIX_LENGTH: usize = 5;
const BASE_LENGTH_MAX: usize = 63 - SUFFIX_LENGTH;

/// Gives objects their identity.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    uids: Stream,
    suffixes: Stream,
}

impl Identity {
    pub(super) fn new(streams: &Streams) -> Self {
        Self { uids: streams.stream(UIDS, 0u32), suffixes: streams.stream(NAME_SUFFIXES, 0u32) }
    }

    /// A random UUID, version 4.
    pub(super) fn uid(&mut self) -> Uid {
        let bits = u128::from(self.uids.next_u64()) << 64 | u128::from(self.uids.next_u64());
        let version = 0x4_u128 << 76;
        let variant = 0b10_u128 << 62;
        Uid::Uuid(bits & !(0xf << 76) & !(0b11 << 62) | version | variant)
    }

    /// `base`, cut to 58 bytes, with five random characters (`names.SimpleNameGenerator`).
    pub(super) fn name(&mut self, base: &str) -> Arc<str> {
        let mut cut = base.len().min(BASE_LENGTH_MAX);
        while !base.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut name = String::with_capacity(cut + SUFFIX_LENGTH);
        name.push_str(&base[..cut]);
        self.suffixes.push_chars(&mut name, &ALPHABET, SUFFIX_LENGTH);
        name.into()
    }
}
