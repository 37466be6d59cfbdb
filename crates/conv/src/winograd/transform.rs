//! The one-dimensional transforms of F(2, 3), F(4, 3) and F(2, 5): `m` outputs of a kernel of `r` from `m + r - 1`
//! products. In two dimensions each is applied to columns and then to rows.
//!
//! A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. A product is that of two
//! polynomials at a point; the points are 0, 1, -1 and infinity, and for the tiles of six inputs also 2 and -2.
//!
//! The gradient of the weight is the same algorithm transposed: the weights from a tile of inputs and one of output
//! gradients, by products at the same points.
//!
//! F(4, 3) and F(2, 5) have the same points. So their inputs are transformed alike, and what remains are two functions of the
//! number of coefficients: [`coefficients`] to the points, be they weights or gradients, and [`sums`] back.

use stampnet_simd::Simd;

/// Inputs of the largest tile along an axis.
pub(crate) const MAX_IN: usize = 6;

/// Numbers along one axis of a tile, a vector of channels each. A smaller tile leaves the last ones alone.
pub(crate) type Line<S> = [<S as Simd>::F32; MAX_IN];

/// A size of tiles, and of the kernels that they are for.
pub(crate) trait Tile: Copy + Send + Sync + 'static {
    /// The algorithm's name.
    const NAME: &'static str;

    /// Outputs along an axis.
    const OUT: usize;

    /// Rows and columns of the kernel.
    const TAPS: usize;

    /// Inputs along an axis, and products.
    const IN: usize = Self::OUT + Self::TAPS - 1;

    /// Products of a tile.
    const POINTS: usize = Self::IN * Self::IN;

    /// `B^T d`: the inputs at the points.
    fn input<S: Simd>(s: S, d: Line<S>) -> Line<S>;

    /// `G g`: the weights at the points.
    fn weight<S: Simd>(s: S, g: Line<S>) -> Line<S>;

    /// `A^T m`: the outputs from the products.
    fn output<S: Simd>(s: S, m: Line<S>) -> Line<S>;

    /// The gradients of the outputs at the points.
    fn gradient<S: Simd>(s: S, y: Line<S>) -> Line<S>;

    /// The gradients of the weights from sums of products.
    fn taps<S: Simd>(s: S, m: Line<S>) -> Line<S>;
}

/// F(2, 3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Two;

/// F(4, 3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Four;

/// F(2, 5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwoOfFive;

impl Tile for Two {
    const NAME: &'static str = "winograd-2x2";
    const OUT: usize = 2;
    const TAPS: usize = 3;

    #[inline(always)]
    fn input<S: Simd>(s: S, [a, b, c, d, ..]: Line<S>) -> Line<S> {
        let zero = s.splat(0.0);
        [s.sub(a, c), s.add(b, c), s.sub(c, b), s.sub(b, d), zero, zero]
    }

    #[inline(always)]
    fn weight<S: Simd>(s: S, [a, b, c, ..]: Line<S>) -> Line<S> {
        let (zero, half) = (s.splat(0.0), s.splat(0.5));
        let (ends, middle) = (s.mul(half, s.add(a, c)), s.mul(half, b));
        [a, s.add(ends, middle), s.sub(ends, middle), c, zero, zero]
    }

    #[inline(always)]
    fn output<S: Simd>(s: S, [a, b, c, d, ..]: Line<S>) -> Line<S> {
        let zero = s.splat(0.0);
        [s.add(a, s.add(b, c)), s.sub(s.sub(b, c), d), zero, zero, zero, zero]
    }

    #[inline(always)]
    fn gradient<S: Simd>(s: S, [a, b, ..]: Line<S>) -> Line<S> {
        let zero = s.splat(0.0);
        [a, s.add(a, b), s.sub(a, b), s.sub(zero, b), zero, zero]
    }

    #[inline(always)]
    fn taps<S: Simd>(s: S, [a, b, c, d, ..]: Line<S>) -> Line<S> {
        let (zero, half) = (s.splat(0.0), s.splat(0.5));
        let even = s.mul(half, s.add(b, c));
        [s.add(a, even), s.mul(half, s.sub(b, c)), s.add(even, d), zero, zero, zero]
    }
}

impl Tile for Four {
    const NAME: &'static str = "winograd-4x4";
    const OUT: usize = 4;
    const TAPS: usize = 3;

    #[inline(always)]
    fn input<S: Simd>(s: S, d: Line<S>) -> Line<S> {
        inputs(s, d)
    }

    #[inline(always)]
    fn weight<S: Simd>(s: S, g: Line<S>) -> Line<S> {
        coefficients::<S, 3>(s, g)
    }

    #[inline(always)]
    fn output<S: Simd>(s: S, m: Line<S>) -> Line<S> {
        sums::<S, 4>(s, m)
    }

    #[inline(always)]
    fn gradient<S: Simd>(s: S, y: Line<S>) -> Line<S> {
        coefficients::<S, 4>(s, y)
    }

    #[inline(always)]
    fn taps<S: Simd>(s: S, m: Line<S>) -> Line<S> {
        sums::<S, 3>(s, m)
    }
}

impl Tile for TwoOfFive {
    const NAME: &'static str = "winograd-2x2-5x5";
    const OUT: usize = 2;
    const TAPS: usize = 5;

    #[inline(always)]
    fn input<S: Simd>(s: S, d: Line<S>) -> Line<S> {
        inputs(s, d)
    }

    #[inline(always)]
    fn weight<S: Simd>(s: S, g: Line<S>) -> Line<S> {
        coefficients::<S, 5>(s, g)
    }

    #[inline(always)]
    fn output<S: Simd>(s: S, m: Line<S>) -> Line<S> {
        sums::<S, 2>(s, m)
    }

    #[inline(always)]
    fn gradient<S: Simd>(s: S, y: Line<S>) -> Line<S> {
        coefficients::<S, 2>(s, y)
    }

    #[inline(always)]
    fn taps<S: Simd>(s: S, m: Line<S>) -> Line<S> {
        sums::<S, 5>(s, m)
    }
}

/// Six inputs at the six points: row `k` of `B^T` has the coefficients of the polynomial that is zero at the other finite
/// points; the last, of the one that is zero at all of them.
#[inline(always)]
fn inputs<S: Simd>(s: S, d: Line<S>) -> Line<S> {
    let (four, five, two) = (s.splat(4.0), s.splat(5.0), s.splat(2.0));
    let even = s.sub(d[4], s.mul(four, d[2]));
    let odd = s.sub(d[3], s.mul(four, d[1]));
    let even_2 = s.sub(d[4], d[2]);
    let odd_2 = s.mul(two, s.sub(d[3], d[1]));
    [
        s.sub(s.mul_add(four, d[0], d[4]), s.mul(five, d[2])),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(even_2, odd_2),
        s.sub(even_2, odd_2),
        s.sub(s.mul_add(four, d[1], d[5]), s.mul(five, d[3])),
    ]
}

/// The polynomial with the first `N` numbers, two to five, as coefficients, at the six points, divided by what the
/// polynomial of [`inputs`] is there: 4, -6, -6, 24, 24 and 1. The fractions stand here and not in [`sums`], so that sums of
/// products keep the size of the result. Written out, since a loop would send the vectors to memory.
#[inline(always)]
fn coefficients<S: Simd, const N: usize>(s: S, g: Line<S>) -> Line<S> {
    let (mut even, mut odd) = (g[0], g[1]);
    let (mut even_2, mut odd_2) = (s.mul(s.splat(1.0 / 24.0), g[0]), s.mul(s.splat(1.0 / 12.0), g[1]));
    if N > 2 {
        even = s.add(even, g[2]);
        even_2 = s.mul_add(s.splat(1.0 / 6.0), g[2], even_2);
    }
    if N > 3 {
        odd = s.add(odd, g[3]);
        odd_2 = s.mul_add(s.splat(1.0 / 3.0), g[3], odd_2);
    }
    if N > 4 {
        even = s.add(even, g[4]);
        even_2 = s.mul_add(s.splat(2.0 / 3.0), g[4], even_2);
    }
    let sixth = s.splat(-1.0 / 6.0);
    let (even, odd) = (s.mul(sixth, even), s.mul(sixth, odd));
    [
        s.mul(s.splat(0.25), g[0]),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(even_2, odd_2),
        s.sub(even_2, odd_2),
        g[N - 1],
    ]
}

/// `N` results, two to five, from products at the six points: number `k` is the sum of `point^k` times the product there; a
/// power of infinity counts in the last only.
#[inline(always)]
fn sums<S: Simd, const N: usize>(s: S, m: Line<S>) -> Line<S> {
    let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (even_2, odd_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    let mut results = [
        s.add(s.add(m[0], even), even_2),
        s.mul_add(s.splat(2.0), odd_2, odd),
        s.mul_add(s.splat(4.0), even_2, even),
        s.mul_add(s.splat(8.0), odd_2, odd),
        s.mul_add(s.splat(16.0), even_2, even),
        s.splat(0.0),
    ];
    results[N - 1] = s.add(results[N - 1], m[5]);
    results
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use stampnet_simd::{Kernel, Level};

    use super::*;

    /// The transforms of a tile of the unit vector number `i`.
    struct Transforms<T>(usize, PhantomData<T>);

    impl<T: Tile> Kernel for Transforms<T> {
        type Output = [[f32; MAX_IN]; 5];

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Self::Output {
            let mut unit = [s.splat(0.0); MAX_IN];
            unit[self.0] = s.splat(1.0);
            let lines =
                [T::input(s, unit), T::weight(s, unit), T::output(s, unit), T::gradient(s, unit), T::taps(s, unit)];
            let mut numbers = [[0.0; MAX_IN]; 5];
            for (numbers, line) in numbers.iter_mut().zip(lines) {
                for (number, vector) in numbers.iter_mut().zip(line) {
                    *number = s.sum(vector) / S::LANES as f32;
                }
            }
            numbers
        }
    }

    /// The product of numbers `i` of one line and `j` of the other counts in result `i - j`, once, and nowhere else: in whole
    /// numbers, since all factors are multiples of a 24th.
    fn check<T: Tile>() {
        let units: Vec<_> = (0..MAX_IN).map(|i| Level::current().run(Transforms::<T>(i, PhantomData))).collect();
        let entry = |which: usize, row: usize, column: usize| {
            let scaled = 24.0 * units[column][which][row];
            assert!((scaled - scaled.round()).abs() < 1e-5, "{}: {scaled} / 24", T::NAME);
            scaled.round() as i64
        };
        for (factors, results, counts) in [(1, 2, [T::TAPS, T::OUT]), (3, 4, [T::OUT, T::TAPS])] {
            for (i, j, k) in
                (0..T::IN).flat_map(|i| (0..counts[0]).flat_map(move |j| (0..counts[1]).map(move |k| (i, j, k))))
            {
                let terms = (0..T::IN).map(|p| entry(results, k, p) * entry(factors, p, j) * entry(0, p, i));
                let once = if i == j + k { 24_i64.pow(3) } else { 0 };
                assert_eq!(terms.sum::<i64>(), once, "{}: input {i}, factor {j}, result {k}", T::NAME);
            }
        }
    }

    #[test]
    fn one_dimensional_identities_are_exact() {
        check::<Two>();
        check::<Four>();
        check::<TwoOfFive>();
    }
}
