//! The one-dimensional transforms of F(4, 3): four outputs of a kernel of three from six products.
//!
//! A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; interpolation points 0, 1, -1, 2,
//! -2 and infinity. In two dimensions each transform is applied to columns and then to rows.

use stampnet_simd::Simd;

/// Outputs of a tile along an axis.
pub(super) const OUT: usize = 4;

/// Inputs of a tile along an axis, and products.
pub(super) const IN: usize = 6;

/// Products of a tile.
pub(super) const POINTS: usize = IN * IN;

/// `B^T d`: six inputs, evaluated at the points.
#[inline(always)]
pub(super) fn input<S: Simd>(s: S, d: [S::F32; 6]) -> [S::F32; 6] {
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

/// `G g`: three weights, evaluated at the points.
#[inline(always)]
pub(super) fn weight<S: Simd>(s: S, g: [S::F32; 3]) -> [S::F32; 6] {
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

/// `G g` of F(3, 4): four output gradients, evaluated at the same points.
#[inline(always)]
pub(super) fn gradient<S: Simd>(s: S, g: [S::F32; 4]) -> [S::F32; 6] {
    let (sixth, small) = (s.splat(-1.0 / 6.0), s.splat(1.0 / 24.0));
    let (even, odd) = (s.mul(sixth, s.add(g[0], g[2])), s.mul(sixth, s.add(g[1], g[3])));
    let even_2 = s.mul(small, s.mul_add(s.splat(4.0), g[2], g[0]));
    let odd_2 = s.mul(s.splat(1.0 / 12.0), s.mul_add(s.splat(4.0), g[3], g[1]));
    [s.mul(s.splat(0.25), g[0]), s.add(even, odd), s.sub(even, odd), s.add(even_2, odd_2), s.sub(even_2, odd_2), g[3]]
}

/// `A^T` of F(3, 4): three weights from the sums at the points.
pub(super) const WEIGHT: [[f32; IN]; 3] =
    [[1.0, 1.0, 1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, 2.0, -2.0, 0.0], [0.0, 1.0, 1.0, 4.0, 4.0, 1.0]];

/// `A^T m`: four outputs from the products at the points.
#[inline(always)]
pub(super) fn output<S: Simd>(s: S, m: [S::F32; 6]) -> [S::F32; 4] {
    let (even, odd) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (even_2, odd_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(s.add(m[0], even), even_2),
        s.mul_add(s.splat(2.0), odd_2, odd),
        s.mul_add(s.splat(4.0), even_2, even),
        s.add(s.mul_add(s.splat(8.0), odd_2, odd), m[5]),
    ]
}
