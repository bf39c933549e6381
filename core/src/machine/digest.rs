//! A short name for a machine's whole state.

use core::fmt::{self, Debug, Write};

/// A number that is equal for equal states, and almost certainly different for different ones.
///
/// Two machines that were given the same inputs have the same digest; a search over all interleavings uses
/// it to know where it has been. It covers everything that [`Debug`] shows, which for machines is everything.
/// It is no cryptographic hash, and may be another one in the next release.
#[must_use]
pub fn digest(state: &impl Debug) -> u64 {
    let mut sum = Sum(OFFSET);
    // A writer that takes everything never fails.
    let _ = write!(sum, "{state:?}");
    sum.0
}

/// The 64-bit FNV-1a sum.
struct Sum(u64);

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Write for Sum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_states_have_equal_digests() {
        assert_eq!(digest(&(1, "a")), digest(&(1, "a")));
        assert_ne!(digest(&(1, "a")), digest(&(1, "b")));
        // The published sum of these two bytes, quotes excluded.
        let mut sum = Sum(OFFSET);
        sum.write_str("ab").unwrap();
        assert_eq!(sum.0, 0x089c_4407_b545_986a);
    }
}
