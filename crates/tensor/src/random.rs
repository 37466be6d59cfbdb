//! Counter-based random numbers.
//!
//! A number is a function of a key (seed and purpose) and a counter (epoch, sample, position), so it does not depend on
//! what was drawn before: resuming a run, skipping a sample, or another number of threads change nothing.
//!
//! Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

use std::f64::consts::TAU;

/// What random numbers are for. Different purposes of one seed are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// Order of the samples of an epoch.
    Shuffle = 2,
    /// Dropped activations.
    Dropout = 3,
    /// Changes to images.
    Augmentation = 4,
    /// Which samples are held out for validation.
    Split = 5,
    /// Test problems.
    Test = 6,
}

/// One block of Philox4x32-10: four random words from a counter and a key.
#[inline(always)]
pub const fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k, mut l]) = (counter, key);
    let mut round = 0;
    while round < 10 {
        let left = 0xD251_1F53_u64 * a as u64;
        let right = 0xCD9E_8D57_u64 * c as u64;
        (a, b, c, d) = ((right >> 32) as u32 ^ b ^ k, right as u32, (left >> 32) as u32 ^ d ^ l, left as u32);
        k = k.wrapping_add(0x9E37_79B9);
        l = l.wrapping_add(0xBB67_AE85);
        round += 1;
    }
    [a, b, c, d]
}

/// An endless stream of random numbers, fixed by seed, purpose and two indices of the caller's (epoch and sample, say, or
/// layer and weight).
///
/// ```
/// use stampnet_tensor::{Purpose, RandomStream};
///
/// let mut order: Vec<usize> = (0..10).collect();
/// RandomStream::new(42, Purpose::Shuffle, 3, 0).shuffle(&mut order);
/// let mut again: Vec<usize> = (0..10).collect();
/// RandomStream::new(42, Purpose::Shuffle, 3, 0).shuffle(&mut again);
/// assert_eq!(order, again);
/// ```
#[derive(Clone, Debug)]
pub struct RandomStream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl RandomStream {
    /// The stream for `seed` and `purpose` at `(major, minor)`.
    pub const fn new(seed: u64, purpose: Purpose, major: u32, minor: u32) -> Self {
        // The key mixes seed and purpose through the generator itself, so that neighbouring seeds share nothing.
        let [k, l, ..] = philox([seed as u32, (seed >> 32) as u32, purpose as u32, 0], [0x5354_414D, 0x504E_4554]);
        Self { key: [k, l], counter: [0, 0, minor, major], block: [0; 4], used: 4 }
    }

    /// Jumps to block `block` of the stream: the next word is the one after `4 * block` words. Lets threads fill parts of
    /// one array as a single thread would.
    pub const fn seek(&mut self, block: u64) {
        self.counter[0] = block as u32;
        self.counter[1] = (block >> 32) as u32;
        self.used = 4;
    }

    /// The four words of block `index`, wherever the stream stands: those that it gives after [`seek`](Self::seek).
    /// Inlined always, so that a loop over blocks vectorizes.
    #[inline(always)]
    pub const fn block(&self, index: u64) -> [u32; 4] {
        let [.., minor, major] = self.counter;
        philox([index as u32, (index >> 32) as u32, minor, major], self.key)
    }

    /// A uniform word.
    #[inline]
    pub const fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.used = 0;
            let (low, carry) = self.counter[0].overflowing_add(1);
            self.counter[0] = low;
            self.counter[1] = self.counter[1].wrapping_add(carry as u32);
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// A uniform number in `[0, 1)`, a multiple of 2^-24.
    #[inline]
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// A uniform number from `low` up to `high`, which itself comes up only by rounding.
    #[inline]
    pub fn uniform_in(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// A number of the standard normal distribution (Box and Muller, 1958).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * ((f64::from(self.next_u32()) + 1.0) / 4_294_967_296.0).ln()).sqrt();
        let angle = TAU * (f64::from(self.next_u32()) / 4_294_967_296.0);
        (radius * angle.cos()) as f32
    }

    /// A uniform whole number below `bound`, without bias (Lemire, 2019).
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "no number lies below zero");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Puts `items` into random order (Fisher and Yates).
    ///
    /// # Panics
    /// If there are more than `u32::MAX` items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let bound = u32::try_from(end + 1).expect("at most u32::MAX items");
            items.swap(end, self.below(bound) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The published known-answer vectors of Random123 for philox4x32-10.
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn streams_differ_in_every_argument_and_repeat() {
        let first = |seed, purpose, major, minor| {
            let mut stream = RandomStream::new(seed, purpose, major, minor);
            [(); 9].map(|()| stream.next_u32())
        };
        let base = first(7, Purpose::Weights, 1, 2);
        assert_eq!(base, first(7, Purpose::Weights, 1, 2));
        for other in [
            first(8, Purpose::Weights, 1, 2),
            first(7 + (1 << 32), Purpose::Weights, 1, 2),
            first(7, Purpose::Dropout, 1, 2),
            first(7, Purpose::Weights, 2, 2),
            first(7, Purpose::Weights, 1, 3),
        ] {
            assert!(base.iter().zip(other).all(|(&a, b)| a != b));
        }
    }

    #[test]
    fn seeking_equals_drawing() {
        let mut drawn = RandomStream::new(7, Purpose::Test, 3, 4);
        let words: Vec<u32> = (0..40).map(|_| drawn.next_u32()).collect();
        let mut sought = RandomStream::new(7, Purpose::Test, 3, 4);
        sought.seek(5);
        assert_eq!(sought.block(7), words[28..32]);
        assert_eq!(sought.next_u32(), words[20]);
    }

    #[test]
    fn moments_are_right() {
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
        let n = 200_000;
        let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
        for _ in 0..n {
            let x = f64::from(stream.normal());
            sum += x;
            squares += x * x;
        }
        // Five standard errors of the mean and of the variance.
        assert!((sum / f64::from(n)).abs() < 5.0 / f64::from(n).sqrt());
        assert!((squares / f64::from(n) - 1.0).abs() < 5.0 * (2.0 / f64::from(n)).sqrt());
        let mean = (0..n).map(|_| f64::from(stream.uniform_in(2.0, 4.0))).sum::<f64>() / f64::from(n);
        assert!((mean - 3.0).abs() < 5.0 * (1.0 / 3.0 / f64::from(n)).sqrt());
    }

    #[test]
    fn below_stays_below_and_reaches_all() {
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 1);
        let mut seen = [false; 7];
        for _ in 0..1000 {
            seen[stream.below(7) as usize] = true;
        }
        assert_eq!(seen, [true; 7]);
    }

    #[test]
    fn uniform_numbers_lie_where_they_should() {
        let mut stream = RandomStream::new(5, Purpose::Test, 0, 0);
        let mut buckets = [0_u32; 16];
        for _ in 0..160_000 {
            let x = stream.uniform();
            assert!((0.0..1.0).contains(&x) && (x * 16_777_216.0).fract() == 0.0, "{x}");
            buckets[(x * 16.0) as usize] += 1;
            assert!((-3.0..=-1.0).contains(&stream.uniform_in(-3.0, -1.0)));
        }
        assert_evenly_spread(&buckets);
    }

    #[test]
    fn whole_numbers_and_permutations_are_equally_likely() {
        let mut stream = RandomStream::new(6, Purpose::Test, 0, 0);
        // A bound for which plain scaling of a word would favour some numbers by half.
        let bound = 3 << 30;
        let mut thirds = [0; 3];
        (0..30_000).for_each(|_| thirds[(stream.below(bound) >> 30) as usize] += 1);
        assert_evenly_spread(&thirds);

        let mut permutations = [0; 27];
        for _ in 0..30_000 {
            let mut items = [0, 1, 2];
            stream.shuffle(&mut items);
            permutations[items[0] * 9 + items[1] * 3 + items[2]] += 1;
        }
        let counts: Vec<u32> = permutations.into_iter().filter(|&count| count > 0).collect();
        assert_eq!(counts.len(), 6);
        assert_evenly_spread(&counts);
    }

    /// Every count lies within five standard deviations of the mean.
    fn assert_evenly_spread(counts: &[u32]) {
        let mean = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
        assert!(counts.iter().all(|&count| (f64::from(count) - mean).abs() < 5.0 * mean.sqrt()), "{counts:?}");
    }

    #[test]
    fn the_counter_carries_into_its_second_word() {
        let mut stream = RandomStream::new(7, Purpose::Test, 3, 4);
        stream.seek(u64::from(u32::MAX));
        let mut next = stream.clone();
        next.seek(1 << 32);
        let words = [(); 8].map(|()| stream.next_u32());
        assert_eq!([(); 4].map(|()| next.next_u32()), words[4..]);
    }

    #[test]
    #[should_panic(expected = "no number lies below zero")]
    fn nothing_lies_below_zero() {
        RandomStream::new(0, Purpose::Test, 0, 0).below(0);
    }

    proptest! {
        #[test]
        fn a_shuffle_keeps_every_item(seed: u64, epoch: u32, len in 0_usize..200) {
            let mut items: Vec<usize> = (0..len).collect();
            RandomStream::new(seed, Purpose::Shuffle, epoch, 0).shuffle(&mut items);
            items.sort_unstable();
            prop_assert!(items.into_iter().eq(0..len));
        }

        #[test]
        fn parts_filled_apart_equal_the_whole(seed: u64, part in 1_usize..6) {
            let stream = RandomStream::new(seed, Purpose::Dropout, 1, 2);
            let mut whole = stream.clone();
            let whole: Vec<u32> = (0..48).map(|_| whole.next_u32()).collect();
            let parts: Vec<u32> = (0..12_usize)
                .step_by(part)
                .flat_map(|block| {
                    let mut stream = stream.clone();
                    stream.seek(block as u64);
                    (0..4 * part.min(12 - block)).map(move |_| stream.next_u32()).collect::<Vec<_>>()
                })
                .collect();
            prop_assert_eq!(parts, whole);
        }

        #[test]
        fn normal_numbers_are_finite(seed: u64, layer: u32) {
            let mut stream = RandomStream::new(seed, Purpose::Weights, layer, 0);
            prop_assert!((0..100).all(|_| stream.normal().abs() < 7.0));
        }
    }
}
