//! Contents of test arrays.

use stampnet_tensor::{Purpose, RandomStream};

/// What a test array holds. The same seed, stream and length always give the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Whole numbers from -4 to 4, never `-0`. A sum of products of two such arrays is exact in `f32` up to a million
    /// terms, in any order.
    Integers,
    /// Real numbers, uniform in `[-1, 1)`.
    Reals,
}

impl Fill {
    /// `len` numbers of stream `stream` of `seed`. Different streams of one seed are independent.
    pub fn vec(self, seed: u64, stream: u32, len: usize) -> Vec<f32> {
        let mut random = RandomStream::new(seed, Purpose::Test, stream, 0);
        let draw = |_| match self {
            Self::Integers => random.below(9) as f32 - 4.0,
            Self::Reals => random.uniform_in(-1.0, 1.0),
        };
        (0..len).map(draw).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_cover_their_range_and_have_no_negative_zero() {
        let values = Fill::Integers.vec(1, 0, 1000);
        for want in -4..=4 {
            assert!(values.contains(&(want as f32)), "{want} is drawn");
        }
        assert!(values.iter().all(|x| x.fract() == 0.0 && x.abs() <= 4.0 && x.to_bits() != (-0.0_f32).to_bits()));
    }

    #[test]
    fn fills_repeat_and_streams_differ() {
        for fill in [Fill::Integers, Fill::Reals] {
            assert_eq!(fill.vec(1, 0, 100), fill.vec(1, 0, 100));
            assert_ne!(fill.vec(1, 0, 100), fill.vec(2, 0, 100));
            assert_ne!(fill.vec(1, 0, 100), fill.vec(1, 1, 100));
        }
    }
}
