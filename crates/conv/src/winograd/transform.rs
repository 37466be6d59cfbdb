//! The one-dimensional transforms of F(2, 3) and F(4, 3): two or four outputs of a kernel of three from four or six
//! products. In two dimensions each is applied to columns and then to rows.
//!
//! A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. A product is that of two
//! polynomials at a point; the points are 0, 1, -1 and infinity, and for the larger tile also 2 and -2.
//!
//! The gradient of the weight is the same algorithm transposed: nine weights from a tile of inputs and one of output
//! gradients, by products at the same points.

use stampnet_simd::Simd;

/// Inputs of the largest tile along an axis.
pub(crate) const MAX_IN: usize = 6;

/// Numbers along one axis of a tile, a vector of channels each. A smaller tile leaves the last ones alone.
pub(crate) type Line<S> = [<S as Simd>::F32; MAX_IN];

/// A size of tiles.
pub(crate) trait Tile: Copy + Send + Sync + 'static {
    /// The algorithm's name.
    const NAME: &'static str;

    /// Outputs along an axis.
    const OUT: usize;

    /// Inputs along an axis, and products.
    const IN: usize = Self::OUT + 2;

    /// Products of a tile.
    const POINTS: usize = Self::IN * Self::IN;

    /// `B^T d`: the inputs at the points.
    fn input<S: Simd>(s: S, d: Line<S>) -> Line<S>;

    /// `G g`: three weights at the points.
    fn weight<S: Simd>(s: S, g: [S::F32; 3]) -> Line<S>;

    /// `A^T m`: the outputs from the products.
    fn output<S: Simd>(s: S, m: Line<S>) -> Line<S>;

    /// The gradients of the outputs at the points.
    fn gradient<S: Simd>(s: S, y: Line<S>) -> Line<S>;

    /// The gradients of three weights from sums of products.
    fn taps<S: Simd>(s: S, m: Line<S>) -> [S::F32; 3];
}

/// F(2, 3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Two;

/// F(4, 3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Four;

impl Tile for Two {
    const NAME: &'static str = "winograd-2x2";
    const OUT: usize = 2;

    #[inline(always)]
    fn input<S: Simd>(s: S, [a, b, c, d, ..]: Line<S>) -> Line<S> {
        let zero = s.splat(0.0);
        [s.sub(a, c), s.add(b, c), s.sub(c, b), s.sub(b, d), zero, zero]
    }

    #[inline(always)]
    fn weight<S: Simd>(s: S, [a, b, c]: [S::F32; 3]) -> Line<S> {
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
    fn taps<S: Simd>(s: S, [a, b, c, d, ..]: Line<S>) -> [S::F32; 3] {
        let half = s.splat(0.5);
        let even = s.mul(half, s.add(b, c));
        [s.add(a, even), s.mul(half, s.sub(b, c)), s.add(even, d)]
    }
}

impl Tile for Four {
    const NAME: &'static str = "winograd-4x4";
    const OUT: usize = 4;

    #[inline(always)]
    fn input<S: Simd>(s: S, d: Line<S>) -> Line<S> {
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

    #[inline(always)]
    fn weight<S: Simd>(s: S, g: [S::F32; 3]) -> Line<S> {
        let (sixth, twelfth) = (s.splat(1.0 / 6.0), s.splat(1.0 / 12.0));
        let ends = s.mul(s.splat(-1.0 / 6.0), s.add(g[0], g[2]));
        let middle = s.mul(sixth, g[1]);
        let ends_2 = s.mul_add(s.splat(1.0 / 24.0), g[0], s.mul(sixth, g[2]));
        let middle_2 = s.mul(twelfth, g[1]);
        [
            s.mul(s.splat(0.25), g[0]),
            s.sub(ends, middle),
            s.add(ends, middle),
            s.add(ends_2, middle_2),
            s.sub(ends_2, middle_2),
            g[2],
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(s: S, m: Line<S>) -> Line<S> {
        let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (even_2, odd_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.add(s.add(m[0], even), even_2),
            s.mul_add(s.splat(2.0), odd_2, odd),
            s.mul_add(s.splat(4.0), even_2, even),
            s.add(s.mul_add(s.splat(8.0), odd_2, odd), m[5]),
            s.splat(0.0),
            s.splat(0.0),
        ]
    }

    /// The fractions of `G` stand here and not in `taps`, so that sums of products keep the size of the gradient.
    #[inline(always)]
    fn gradient<S: Simd>(s: S, y: Line<S>) -> Line<S> {
        let (sixth, small) = (s.splat(-1.0 / 6.0), s.splat(1.0 / 24.0));
        let (even, odd) = (s.mul(sixth, s.add(y[0], y[2])), s.mul(sixth, s.add(y[1], y[3])));
        let even_2 = s.mul(small, s.mul_add(s.splat(4.0), y[2], y[0]));
        let odd_2 = s.mul(s.splat(1.0 / 12.0), s.mul_add(s.splat(4.0), y[3], y[1]));
        [
            s.mul(s.splat(0.25), y[0]),
            s.add(even, odd),
            s.sub(even, odd),
            s.add(even_2, odd_2),
            s.sub(even_2, odd_2),
            y[3],
        ]
    }

    #[inline(always)]
    fn taps<S: Simd>(s: S, m: Line<S>) -> [S::F32; 3] {
        let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (even_2, odd_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.add(m[0], s.add(even, even_2)),
            s.mul_add(s.splat(2.0), odd_2, odd),
            s.add(s.mul_add(s.splat(4.0), even_2, even), m[5]),
        ]
    }
}
