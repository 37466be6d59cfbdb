//! Winograd's minimal filtering, F(4x4, 3x3): a tile of 4x4 outputs of a 3x3 kernel from 36 products instead of 144.
//!
//! A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
//!
//! # Error
//! Values are transformed with factors up to 5 and back with factors up to 8, so rounding weighs more than in a plain sum.
//! The error of an output stays below 2^-18 (five digits are right) of the largest `sum |input| |weight|` of the batch; that
//! is tested. An infinity or a NaN reaches every output of the tiles that read it.

mod batch;
mod grad_weight;
mod targets;
mod tiles;
mod transform;
mod weights;

use stampnet_geometry::{Axis, ConvGeometry};
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::direct::product::Product;
use crate::{Activation, Declined, Forward, GradInput, GradWeight, Pass};
pub(crate) use batch::{Batch, Output};

/// The algorithm `winograd`.
pub(crate) struct Winograd;

/// Channels must be whole vectors of the widest level.
const VECTOR: usize = 16;

/// Pairs of input and output channels up to which the sums of a weight gradient at all points stay in the cache.
const MAX_WEIGHTS: usize = 1 << 14;

impl Algorithm for Winograd {
    fn name(&self) -> &'static str {
        "winograd"
    }

    fn accepts(&self, g: &ConvGeometry, pass: Pass) -> Result<(), Declined> {
        let is_plain = |axis: &Axis| (axis.kernel(), axis.stride(), axis.dilation()) == (3, 1, 1);
        if !is_plain(g.h()) || !is_plain(g.w()) || g.groups() > 1 {
            return Err(Declined(format!(
                "it takes 3x3 kernels with stride 1, dilation 1 and one group; this kernel is {}x{}, the stride {}x{}, the \
                 dilation {}x{}, with {} groups",
                g.h().kernel(),
                g.w().kernel(),
                g.h().stride(),
                g.w().stride(),
                g.h().dilation(),
                g.w().dilation(),
                g.groups()
            )));
        }
        let (read, written) = if pass == Pass::GradInput { (g.oc(), g.c()) } else { (g.c(), g.oc()) };
        if !read.is_multiple_of(VECTOR) || written < VECTOR {
            return Err(Declined(format!(
                "it pays with a multiple of {VECTOR} channels to read and at least {VECTOR} to write; there are {read} and \
                 {written}"
            )));
        }
        if pass == Pass::GradWeight && g.c() * g.oc() > MAX_WEIGHTS {
            return Err(Declined(format!(
                "its weight gradient pays up to {MAX_WEIGHTS} pairs of channels; there are {} x {}",
                g.c(),
                g.oc()
            )));
        }
        if pass == Pass::GradInput && (g.h().before() > 2 || g.w().before() > 2) {
            return Err(Declined(format!(
                "its input gradient takes at most 2 cells of padding above and on the left; there are {} and {}",
                g.h().before(),
                g.w().before()
            )));
        }
        Ok(())
    }

    fn workspace(&self, g: &ConvGeometry, pass: Pass, level: Level) -> usize {
        if pass == Pass::GradWeight {
            return grad_weight::workspace(g, level);
        }
        let product = if pass == Pass::Forward { Product::forward(g) } else { Product::grad_input(g) };
        Batch::workspace(&product, level)
    }

    fn forward(&self, site: Site<'_>, arguments: Forward<'_>) {
        let Forward { input, weight, bias, activation, output } = arguments;
        let product = Product::forward(site.geometry);
        Batch { product: &product, input, weight, bias, activation }.run(site, Output::Image(output));
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let GradInput { grad_output, weight, grad_input } = arguments;
        let product = Product::grad_input(site.geometry);
        let (bias, activation) = (None, Activation::Linear);
        Batch { product: &product, input: grad_output, weight, bias, activation }.run(site, Output::Image(grad_input));
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        grad_weight::run(site, arguments);
    }
}
