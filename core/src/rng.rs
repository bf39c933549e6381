//! Seeded pseudo-random numbers for jitter and identifiers.
//!
//! Nothing here is secret: a worker's uuid is a name, not a password, and jitter only spreads load.
//! What matters is that the same seed gives the same numbers on every machine, so that a run can be
//! replayed.

use alloc::string::String;
use core::time::Duration;

/// A small generator (the xoshiro256++ recurrence): four words of state, period 2²⁵⁶−1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator from 32 bytes of seed. Seeds that are alike give unlike numbers.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut words = [0; 4];
        let mut mixer = Mixer(0);
        for (word, bytes) in words.iter_mut().zip(seed.chunks_exact(8)) {
            let part = bytes.iter().rev().fold(0, |acc, byte| (acc << 8) | u64::from(*byte));
            *word = mixer.absorb(part);
        }
        Self::from_words(words)
    }

    /// A generator from one number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut mixer = Mixer(seed);
        Self::from_words([0; 4].map(|_: u64| mixer.next()))
    }

    /// All zero is the one state that never leaves itself.
    fn from_words(words: [u64; 4]) -> Self {
        let state = if words == [0; 4] { [1, 2, 3, 4] } else { words };
        Self { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        let (b_next, a_next) = (b ^ c, a ^ d);
        self.state = [a_next, b_next, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `bound`; 0 if `bound` is 0. The bias is below 2⁻³² for bounds under 2³².
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A generator of its own for a part, so that parts do not disturb each other's numbers.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// `base` plus up to a quarter of it, to the microsecond.
    pub fn jittered(&mut self, base: Duration) -> Duration {
        let quarter = u64::try_from(base.as_micros() / 4).unwrap_or(u64::MAX);
        base.saturating_add(Duration::from_micros(self.below(quarter.saturating_add(1))))
    }

    /// A random uuid (version 4): 36 lower-case characters.
    pub fn uuid(&mut self) -> String {
        let high = (self.next_u64() & !0xf000) | 0x4000;
        let low = (self.next_u64() & !(0b11 << 62)) | (0b10 << 62);
        alloc::format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}

/// Spreads a seed over many bits (the splitmix64 step), so that seed 1 and seed 2 share nothing.
struct Mixer(u64);

impl Mixer {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn absorb(&mut self, word: u64) -> u64 {
        self.0 ^= word;
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Rng::new(1).next_u64(), Rng::new(2).next_u64());
        assert_ne!(Rng::from_seed([0; 32]), Rng::from_seed([1; 32]));
    }

    #[test]
    fn matches_the_published_recurrence() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        assert_eq!(
            [rng.next_u64(), rng.next_u64(), rng.next_u64()],
            [41_943_041, 58_720_359, 3_588_806_011_781_223]
        );
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut rng = Rng::new(3);
        let mut seen = [0_u32; 5];
        for _ in 0..5_000 {
            seen[usize::try_from(rng.below(5)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|n| (900..1_100).contains(n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn jitter_adds_at_most_a_quarter() {
        let mut rng = Rng::new(4);
        let all: alloc::vec::Vec<_> = (0..2_000).map(|_| rng.jittered(Duration::from_secs(4))).collect();
        assert!(all.iter().all(|d| (4_000_000..=5_000_000).contains(&d.as_micros())));
        assert!(all.iter().any(|d| d.as_micros() < 4_020_000));
        assert!(all.iter().any(|d| d.as_micros() > 4_980_000));
    }

    #[test]
    fn uuids_have_the_shape_of_version_4() {
        let mut rng = Rng::new(5);
        for _ in 0..100 {
            let uuid = rng.uuid();
            assert_eq!(uuid.len(), 36);
            assert_eq!(uuid.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
            assert!(uuid.bytes().all(|c| c == b'-' || c.is_ascii_digit() || (b'a'..=b'f').contains(&c)));
        }
    }
}
