//! Elementwise loops: vectorized at the level's width, and split over the threads of the current pool.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use crate::strands::{Term, sum};

/// Elements of one task: 64 KiB, so that a task's slices fit into a core's cache. A constant, so that what is computed
/// per task does not depend on the number of threads.
pub(crate) const TASK: usize = 1 << 14;

/// Elements below which a second thread does not pay.
const FLOOR: usize = 1 << 16;

/// What to give rayon's `with_min_len`: one task each for large arrays; for small ones all tasks stay on this thread.
pub(crate) const fn grain(len: usize) -> usize {
    if len < FLOOR { usize::MAX } else { 1 }
}

/// A function of `N` numbers that is applied to every element of `N` arrays. Mark `apply` as `#[inline(always)]`.
pub(crate) trait Elementwise<const N: usize>: Copy + Send + Sync {
    /// The function.
    fn apply(self, x: [f32; N]) -> f32;
}

/// `out[i] = f(inputs[0][i], inputs[1][i], ..)`. Overwrites `out`; all lengths are equal.
pub(crate) fn map<const N: usize>(level: Level, f: impl Elementwise<N>, inputs: [&[f32]; N], out: &mut [f32]) {
    out.par_chunks_mut(TASK).with_min_len(grain(inputs[0].len())).enumerate().for_each(|(task, out)| {
        let range = task * TASK..task * TASK + out.len();
        level.run(Map { f, inputs: inputs.map(|x| &x[range.clone()]), out });
    });
}

struct Map<'a, F, const N: usize> {
    f: F,
    inputs: [&'a [f32]; N],
    out: &'a mut [f32],
}

impl<F: Elementwise<N>, const N: usize> Kernel for Map<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { f, inputs, out } = self;
        let inputs = inputs.map(|x| &x[..out.len()]);
        for (i, out) in out.iter_mut().enumerate() {
            *out = f.apply(inputs.map(|x| x[i]));
        }
    }
}

/// What makes a new element of one and `N` others. Mark `change` as `#[inline(always)]`.
pub(crate) trait Change<const N: usize>: Copy + Send + Sync {
    /// The new element.
    fn change(self, element: f32, x: [f32; N]) -> f32;
}

impl<F: Elementwise<2>> Change<1> for F {
    #[inline(always)]
    fn change(self, element: f32, [x]: [f32; 1]) -> f32 {
        self.apply([element, x])
    }
}

/// `out[i] = f(out[i], inputs[0][i], inputs[1][i], ..)`; all lengths are equal.
pub(crate) fn map_in_place<const N: usize>(level: Level, f: impl Change<N>, inputs: [&[f32]; N], out: &mut [f32]) {
    out.par_chunks_mut(TASK).with_min_len(grain(inputs[0].len())).enumerate().for_each(|(task, out)| {
        let range = task * TASK..task * TASK + out.len();
        level.run(MapInPlace { f, inputs: inputs.map(|x| &x[range.clone()]), out });
    });
}

struct MapInPlace<'a, F, const N: usize> {
    f: F,
    inputs: [&'a [f32]; N],
    out: &'a mut [f32],
}

impl<F: Change<N>, const N: usize> Kernel for MapInPlace<'_, F, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { f, inputs, out } = self;
        let inputs = inputs.map(|x| &x[..out.len()]);
        for (i, out) in out.iter_mut().enumerate() {
            *out = f.change(*out, inputs.map(|x| x[i]));
        }
    }
}

/// The element as it is: a copy.
#[derive(Clone, Copy)]
pub(crate) struct Same;

impl Elementwise<1> for Same {
    #[inline(always)]
    fn apply(self, [x]: [f32; 1]) -> f32 {
        x
    }
}

/// `a + b`.
#[derive(Clone, Copy)]
pub(crate) struct Plus;

impl Elementwise<2> for Plus {
    #[inline(always)]
    fn apply(self, [a, b]: [f32; 2]) -> f32 {
        a + b
    }
}

/// The sum of an array in double precision, in parts of [`TASK`] elements that are added in order. The memory for the
/// parts is allocated once.
pub(crate) struct Total {
    level: Level,
    parts: Vec<f64>,
}

impl Total {
    /// For arrays of `len` elements.
    pub(crate) fn new(level: Level, len: usize) -> Self {
        Self { level, parts: vec![0.0; len.div_ceil(TASK)] }
    }

    /// The sum of `f` over all elements of `inputs`, each term in double precision.
    pub(crate) fn of<const N: usize>(&mut self, f: impl Term<N>, inputs: [&[f32]; N]) -> f64 {
        let (level, len) = (self.level, inputs[0].len());
        self.parts.par_iter_mut().with_min_len(grain(len)).enumerate().for_each(|(task, part)| {
            let range = task * TASK..len.min((task + 1) * TASK);
            *part = level.run(Sum { f, inputs: inputs.map(|x| &x[range.clone()]) });
        });
        self.parts.iter().sum()
    }
}

struct Sum<'a, F, const N: usize> {
    f: F,
    inputs: [&'a [f32]; N],
}

impl<F: Term<N>, const N: usize> Kernel for Sum<'_, F, N> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        sum(self.f, self.inputs)
    }
}

#[cfg(test)]
mod tests {
    use stampnet_testkit::Fill;

    use super::*;
    use crate::strands::{Plain, Product};

    /// Around the sizes at which tasks and threads begin.
    const LENGTHS: [usize; 9] = [0, 1, 15, 16, 17, TASK, TASK + 1, FLOOR - 1, 2 * FLOOR + 3];

    /// A function that depends on the order of its arguments.
    #[derive(Clone, Copy)]
    struct Difference;

    impl Elementwise<2> for Difference {
        #[inline(always)]
        fn apply(self, [a, b]: [f32; 2]) -> f32 {
            a - 2.0 * b
        }
    }

    #[test]
    fn every_element_is_mapped_at_every_level() {
        for (len, level) in LENGTHS.into_iter().flat_map(|len| Level::available().map(move |level| (len, level))) {
            let (a, b) = (Fill::Integers.vec(1, 0, len), Fill::Integers.vec(1, 1, len));
            let want: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - 2.0 * b).collect();
            let mut out = vec![9.0; len];
            map(level, Difference, [&a, &b], &mut out);
            assert_eq!(out, want, "{len} elements, {level}");
            let mut in_place = a.clone();
            map_in_place(level, Difference, [&b], &mut in_place);
            assert_eq!(in_place, want, "{len} elements, {level}");
        }
    }

    #[test]
    fn every_element_is_summed_at_every_level() {
        for (len, level) in LENGTHS.into_iter().flat_map(|len| Level::available().map(move |level| (len, level))) {
            let (a, b) = (Fill::Integers.vec(1, 0, len), Fill::Integers.vec(1, 1, len));
            let mut total = Total::new(level, len);
            let sum: f64 = a.iter().map(|&a| f64::from(a)).sum();
            let dot: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert_eq!(total.of(Plain, [&a]), sum, "{len} elements, {level}");
            assert_eq!(total.of(Product, [&a, &b]), dot, "{len} elements, {level}");
        }
    }

    #[test]
    fn sums_are_exact_where_single_precision_is_not() {
        let x = vec![0.1_f32; 1_000_000];
        let sum = Total::new(Level::current(), x.len()).of(Plain, [&x]);
        assert!((sum - f64::from(0.1_f32) * 1e6).abs() < 1e-6);
    }
}
