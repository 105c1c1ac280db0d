//! Uids and generated names.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::kernel::{Purpose, Stream, Streams};
use crate::objects::{Kind, Uid};

use super::{NAME_SUFFIXES, UIDS};

/// Characters of generated names: no vowels, no digits that look like letters (`k8s.io/apimachinery/pkg/util/rand`).
const ALPHABET: [char; 27] = [
    'b', 'c', 'd', 'f', 'g', 'h', 'j', 'k', 'l', 'm', 'n', 'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'z', '2', '4', '5',
    '6', '7', '8', '9',
];
const SUFFIX_LENGTH: usize = 5;
const BASE_LENGTH_MAX: usize = 63 - SUFFIX_LENGTH;

/// Gives objects their identity. What an object gets depends on its kind, namespace and name (or the base of its
/// generated name) and on how many of that name came before: other objects cannot shift it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    streams: Streams,
    /// How often a uid or a suffix was drawn for a name, by the hash of that name.
    drawn: FxHashMap<u64, u32>,
}

impl Identity {
    pub(super) fn new(streams: &Streams) -> Self {
        Self { streams: *streams, drawn: FxHashMap::default() }
    }

    /// A random UUID, version 4.
    pub(super) fn uid(&mut self, kind: Kind, namespace: &str, name: &str) -> Uid {
        let mut stream = self.stream(UIDS, kind, namespace, name);
        let bits = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
        let version = 0x4_u128 << 76;
        let variant = 0b10_u128 << 62;
        Uid::uuid(bits & !(0xf << 76) & !(0b11 << 62) | version | variant)
    }

    /// `base`, cut to 58 bytes, with five random characters (`names.SimpleNameGenerator`).
    pub(super) fn name(&mut self, kind: Kind, namespace: &str, base: &str) -> Arc<str> {
        let mut cut = base.len().min(BASE_LENGTH_MAX);
        while !base.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut name = String::with_capacity(cut + SUFFIX_LENGTH);
        name.push_str(&base[..cut]);
        let mut stream = self.stream(NAME_SUFFIXES, kind, namespace, base);
        stream.push_chars(&mut name, &ALPHABET, SUFFIX_LENGTH);
        name.into()
    }

    fn stream(&mut self, purpose: Purpose, kind: Kind, namespace: &str, name: &str) -> Stream {
        let parts = [kind.as_str().as_bytes(), b"/", namespace.as_bytes(), b"/", name.as_bytes()];
        let bytes = parts.into_iter().flatten();
        // FNV-1a: the same on every platform and in every release.
        let entity = bytes
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        if kind == Kind::Event {
            // Their names have the time in them and do not come again, and there are too many to remember.
            return self.streams.stream(purpose, entity);
        }
        let slot = if purpose == UIDS { entity } else { !entity };
        let drawn = self.drawn.entry(slot).or_insert(0);
        *drawn += 1;
        self.streams.stream(purpose, entity ^ u64::from(*drawn).rotate_left(48))
    }
}
