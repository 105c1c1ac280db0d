//! Independent streams of random numbers, one for each purpose and entity.

use std::convert::Infallible;

use rand::{SeedableRng as _, TryRng};
use rand_chacha::ChaCha8Core;
use rand_chacha::rand_core::block::Generator as _;

/// What the draws of a stream decide, such as start delays. Users of the kernel declare theirs as constants; two purposes with
/// the same number are the same purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purpose(u32);

impl Purpose {
    /// The purpose with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

/// Whose draws a stream makes: a number or a name. No number is the same entity as any name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entity {
    /// The number, or the name's FNV-1a hash.
    word: u64,
    /// Zero for a number, one more than its length in bytes for a name.
    tag: u64,
}

impl From<u64> for Entity {
    fn from(number: u64) -> Self {
        Self { word: number, tag: 0 }
    }
}

impl From<u32> for Entity {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<&str> for Entity {
    fn from(name: &str) -> Self {
        Self { word: fnv1a_64(name.as_bytes()), tag: 1 + name.len() as u64 }
    }
}

impl From<&String> for Entity {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

/// The random streams of one run. A stream is a function of (seed, purpose, entity) alone: a draw, a purpose or an entity more
/// does not shift any other stream.
///
/// Each is ChaCha8 with a zero nonce under the 256-bit key made of four little-endian 64-bit words: the seed, the purpose, the
/// entity's number or FNV-1a hash, the entity's tag (zero, or one more than the name's length). Nothing is mixed beforehand, so
/// nothing can collide but two names with equal length and hash. These numbers are part of the recorded behaviour of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed.
    pub const fn seed(self) -> u64 {
        self.seed
    }

    /// The stream of `entity`'s draws for `purpose`, from its beginning. It takes about 320 bytes; keep it where draws repeat.
    pub fn stream(self, purpose: Purpose, entity: impl Into<Entity>) -> Stream {
        let entity = entity.into();
        let mut key = [0; 32];
        let words = [self.seed, u64::from(purpose.0), entity.word, entity.tag];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Stream { core: ChaCha8Core::from_seed(key), words: [0; WORDS], next: WORDS }
    }

    /// The same as [`Streams::stream`], made when something is drawn.
    pub fn lazy(self, purpose: Purpose, entity: impl Into<Entity>) -> LazyStream {
        LazyStream { streams: self, purpose, entity: entity.into(), stream: None }
    }
}

/// A stream that is made when something is drawn from it: for where mostly nothing is.
#[derive(Clone, Debug)]
pub struct LazyStream {
    streams: Streams,
    purpose: Purpose,
    entity: Entity,
    stream: Option<Stream>,
}

impl LazyStream {
    /// The stream, at its beginning the first time.
    pub fn get(&mut self) -> &mut Stream {
        self.stream.get_or_insert_with(|| self.streams.stream(self.purpose, self.entity))
    }
}

/// FNV-1a, 64 bits: stable over platforms and releases, which the standard hashers do not promise.
fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Words that are made at a time.
const WORDS: usize = 64;

/// One stream of draws, the same on every platform. A clone continues from the same place.
///
/// It gives out the words itself: `ChaCha8Rng` would give out the same, by a call for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    core: ChaCha8Core,
    words: [u32; WORDS],
    /// The first of them that was not drawn yet.
    next: usize,
}

impl Stream {
    /// 64 random bits.
    #[inline(always)]
    pub fn next_u64(&mut self) -> u64 {
        match self.words.get(self.next..self.next + 2) {
            Some([low, high]) => {
                self.next += 2;
                join(*low, *high)
            }
            _ => self.next_beyond(),
        }
    }

    /// The same where new words are needed.
    #[cold]
    fn next_beyond(&mut self) -> u64 {
        let low = self.next_word();
        join(low, self.next_word())
    }

    #[inline]
    fn next_word(&mut self) -> u32 {
        if self.next == WORDS {
            self.core.generate(&mut self.words);
            self.next = 0;
        }
        self.next += 1;
        self.words[self.next - 1]
    }

    /// An integer from `0..bound`, each equally likely; zero if `bound` is zero.
    #[inline(always)]
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiplication: the high word is the result, low words under 2^64 mod bound would favour some results.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            product = self.fair(product, bound);
        }
        (product >> 64) as u64
    }

    #[cold]
    fn fair(&mut self, mut product: u128, bound: u64) -> u128 {
        let unfair = bound.wrapping_neg() % bound;
        while (product as u64) < unfair {
            product = u128::from(self.next_u64()) * u128::from(bound);
        }
        product
    }

    /// True with probability `numerator / denominator`: always if the ratio is one or more, never if the numerator or the
    /// denominator is zero.
    #[inline]
    pub fn ratio(&mut self, numerator: u64, denominator: u64) -> bool {
        let draw = self.below(denominator);
        denominator != 0 && draw < numerator
    }

    /// A number from the 2^53 evenly spaced ones in [0, 1).
    #[inline]
    pub fn unit_f64(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// A number from the 2^52 evenly spaced ones in the open interval (0, 1), symmetric about one half: safe for logarithms and
    /// quantiles.
    #[inline]
    pub fn open_unit_f64(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 52) as f64;
        ((self.next_u64() >> 12) as f64 + 0.5) * STEP
    }

    /// An element, each equally likely; `None` if there is none.
    #[inline(always)]
    pub fn pick<'a, T>(&mut self, elements: &'a [T]) -> Option<&'a T> {
        let index = self.below(elements.len() as u64);
        elements.get(index as usize)
    }

    /// Puts the elements in a random order, each order equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, elements: &mut [T]) {
        for last in (1..elements.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            elements.swap(last, chosen);
        }
    }

    /// Appends `count` characters drawn from `alphabet`, as for the suffix of a generated name; none if `alphabet` is empty.
    pub fn push_chars(&mut self, text: &mut String, alphabet: &[char], count: usize) {
        text.extend((0..count).map_while(|_| self.pick(alphabet).copied()));
    }
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// With this, a stream is a `rand` 0.10 generator (`Rng`, formerly `RngCore`).
impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.chunks_mut(4).for_each(|chunk| chunk.copy_from_slice(&self.next_word().to_le_bytes()[..chunk.len()]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const A: Purpose = Purpose::new(1);

    fn draws(mut stream: Stream, count: usize) -> Vec<u64> {
        (0..count).map(|_| stream.next_u64()).collect()
    }

    /// The expected numbers come from a ChaCha8 written separately from the definition.
    #[test]
    fn streams_are_chacha8_under_the_documented_key() {
        let streams = Streams::new(42);
        let number = draws(streams.stream(A, 7u64), 100);
        assert_eq!(number[..3], [0x68a3_2aa2_66b2_768d, 0x7e47_3b8c_d803_04e3, 0xb6de_9205_64e4_f2a6]);
        assert_eq!(number[99], 0x7737_152f_f2bf_115c);
        let name = draws(streams.stream(A, "web-a"), 100);
        assert_eq!(name[..3], [0x8217_2922_53af_4351, 0xb4a8_fde7_e7a6_74ca, 0x1d99_9efc_cebb_6981]);
        assert_eq!(name[99], 0x760e_cbc3_b8cb_0f1f);
    }

    #[test]
    fn words_and_bytes_are_drawn_in_the_order_of_the_library() {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&42u64.to_le_bytes());
        key[8] = 1;
        let (mut own, mut plain) = (Streams::new(42).stream(A, 0u64), ChaCha8Rng::from_seed(key));
        for round in 0..200 {
            let (mut bytes, mut expected) = ([0; 11], [0; 11]);
            own.fill_bytes(&mut bytes[..round % 12]);
            plain.fill_bytes(&mut expected[..round % 12]);
            assert_eq!((bytes, own.next_u32()), (expected, plain.next_u32()));
            assert_eq!((own.next_u64(), own.next_u64()), (plain.next_u64(), plain.next_u64()));
        }
    }

    #[test]
    fn a_lazy_stream_is_the_same_stream() {
        let mut lazy = Streams::new(42).lazy(A, 7u64);
        let first = lazy.get().next_u64();
        assert_eq!([first, lazy.get().next_u64()][..], draws(Streams::new(42).stream(A, 7u64), 2));
    }

    #[test]
    fn names_hash_with_fnv_1a() {
        assert_eq!(fnv1a_64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a_64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_number_is_no_name() {
        let streams = Streams::new(0);
        let hash = fnv1a_64(b"pod");
        assert_ne!(draws(streams.stream(A, "pod"), 1), draws(streams.stream(A, hash), 1));
    }

    #[test]
    fn integer_draws_have_known_values() {
        let mut stream = Streams::new(42).stream(A, 7u64);
        assert_eq!((0..6).map(|_| stream.below(100)).collect::<Vec<_>>(), [40, 49, 71, 49, 3, 92]);
        let mut order: Vec<u8> = (0..8).collect();
        stream.shuffle(&mut order);
        assert_eq!(order, [3, 1, 5, 2, 4, 7, 6, 0]);
        let mut name = String::from("web-");
        stream.push_chars(&mut name, &['b', 'c', 'd', '2', '4'], 5);
        assert_eq!(name, "web-bb2b4");
    }

    #[test]
    fn degenerate_arguments_are_answered() {
        let mut stream = Streams::new(1).stream(A, 0u64);
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
        assert!(!stream.ratio(1, 0) && !stream.ratio(0, 5) && stream.ratio(5, 5) && stream.ratio(9, 5));
        assert_eq!(stream.pick::<u8>(&[]), None);
        stream.shuffle::<u8>(&mut []);
        let mut text = String::new();
        stream.push_chars(&mut text, &[], usize::MAX);
        assert!(text.is_empty());
    }

    #[test]
    fn draws_below_a_bound_are_even() {
        let mut stream = Streams::new(3).stream(A, 0u64);
        // Without rejection, a bound of three quarters of 2^64 would give every third value twice as often.
        let bound = 3u64 << 62;
        let counts = (0..30_000).fold([0u32; 3], |mut counts, _| {
            counts[(stream.below(bound) % 3) as usize] += 1;
            counts
        });
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        let hits = (0..30_000).filter(|_| stream.ratio(1, 3)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
    }

    proptest! {
        #[test]
        fn another_streams_draws_change_nothing(seed: u64, entity: u64, other: u64, purpose: u32, extra in 0usize..100) {
            let streams = Streams::new(seed);
            let alone = draws(streams.stream(Purpose::new(purpose), entity), 20);
            let mut stream = streams.stream(Purpose::new(purpose), entity);
            let mut beside = Vec::new();
            for _ in 0..20 {
                draws(streams.stream(Purpose::new(purpose), other), extra);
                beside.push(stream.next_u64());
            }
            prop_assert_eq!(alone, beside);
        }

        #[test]
        fn streams_of_different_origin_differ(seed: u64, purpose: u32, entity: u64, name in ".{0,20}", bit in 0u32..32) {
            let flip = |word: u64| word ^ (1 << bit);
            let of = |seed, purpose: u64, entity: Entity| {
                draws(Streams::new(seed).stream(Purpose::new(purpose as u32), entity), 4)
            };
            let number = Entity::from(entity);
            let base = of(seed, purpose.into(), number);
            prop_assert_ne!(&base, &of(flip(seed), purpose.into(), number));
            prop_assert_ne!(&base, &of(seed, flip(purpose.into()), number));
            prop_assert_ne!(&base, &of(seed, purpose.into(), flip(entity).into()));
            prop_assert_ne!(&base, &of(seed, purpose.into(), name.as_str().into()));
            let longer = format!("{name}x");
            prop_assert_ne!(of(seed, 0, name.as_str().into()), of(seed, 0, (&longer).into()));
        }

        #[test]
        fn draws_stay_in_their_ranges(seed: u64, bound in 1u64.., shift in 0u32..64) {
            let bound = (bound >> shift).max(1);
            let mut stream = Streams::new(seed).stream(A, 0u64);
            for _ in 0..50 {
                prop_assert!(stream.below(bound) < bound);
                prop_assert!((0.0..1.0).contains(&stream.unit_f64()));
                let open = stream.open_unit_f64();
                prop_assert!(0.0 < open && open < 1.0);
            }
        }

        #[test]
        fn a_shuffle_keeps_every_element(seed: u64, mut elements in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut shuffled = elements.clone();
            Streams::new(seed).stream(A, 0u64).shuffle(&mut shuffled);
            elements.sort_unstable();
            shuffled.sort_unstable();
            prop_assert_eq!(elements, shuffled);
        }

        #[test]
        fn a_clone_continues_from_the_same_place(seed: u64, used in 0usize..200) {
            let mut stream = Streams::new(seed).stream(A, "fork");
            for _ in 0..used {
                stream.next_u64();
            }
            prop_assert_eq!(draws(stream.clone(), 100), draws(stream, 100));
        }
    }
}
