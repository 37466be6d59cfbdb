//! What follows the sums of a tile while it is in cache.

use stampnet_simd::{Kernel, Simd};

use crate::Activation;

/// Adds the bias to each pixel of `tile` (`[pixels, oc]`) and applies the activation.
pub(crate) struct Epilogue<'a> {
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) activation: Activation,
    pub(crate) oc: usize,
    pub(crate) tile: &'a mut [f32],
}

impl Kernel for Epilogue<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { bias, activation, oc, tile } = self;
        match (bias, activation) {
            (None, Activation::Linear) => {}
            (None, Activation::Relu) => tile.iter_mut().for_each(|x| *x = relu(*x)),
            (Some(bias), Activation::Linear) => each_pixel(tile, oc, bias, |x, b| x + b),
            (Some(bias), Activation::Relu) => each_pixel(tile, oc, bias, |x, b| relu(x + b)),
        }
    }
}

#[inline(always)]
fn each_pixel(tile: &mut [f32], oc: usize, bias: &[f32], f: impl Fn(f32, f32) -> f32) {
    for pixel in tile.chunks_exact_mut(oc) {
        for (x, &b) in pixel.iter_mut().zip(bias) {
            *x = f(*x, b);
        }
    }
}

/// `max(0, x)`; a NaN stays a NaN.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}
