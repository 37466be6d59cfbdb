//! Winograd's minimal filtering: F(4x4, 3x3), a tile of 4x4 outputs of a 3x3 kernel from 36 products instead of 144,
//! F(2x2, 3x3), a tile of 2x2 outputs from 16 products instead of 36, and F(2x2, 5x5), from 36 instead of 100.
//!
//! A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
//!
//! # Error
//! Values are transformed and transformed back, so rounding weighs more than in a plain sum: more with the larger tile,
//! whose transforms have factors up to 5 and 8. The error stays below a share of the largest `sum |input| |weight|` of the
//! batch: 2^-18 with tiles of 6x6 inputs, 2^-21 with 4x4. Both are tested.
//!
//! # Infinities and NaN
//! A tile mixes its inputs, so an infinity or a NaN would reach outputs that do not depend on it. What is not finite stays so
//! through sums and products, so it is seen in the outputs: a pass with such an output runs again on the direct
//! kernels. So does one whose transforms overflow. The check is one addition for each output.

mod batch;
mod evaluate;
mod grad_weight;
mod products;
mod shared;
mod stack;
mod sums;
mod target;
mod transform;
mod weights;

use stampnet_geometry::{Axis, ConvGeometry};
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::direct::Direct;
use crate::direct::product::Product;
use crate::pooled::Reduce;
use crate::{Activation, Declined, Forward, GradInput, GradWeight, Pass, PooledForward};
use batch::{Batch, Output};
pub(crate) use transform::{Four, Tile, Two, TwoOfFive};

/// The algorithms `winograd-2x2`, `winograd-4x4` and `winograd-2x2-5x5`.
pub(crate) struct Winograd<T>(pub(crate) T);

/// Their names, in the order of the list.
pub(crate) const NAMES: [&str; 3] = [Two::NAME, Four::NAME, TwoOfFive::NAME];

/// Channels must be whole vectors of the widest level.
const VECTOR: usize = 16;

/// Pairs of input and output channels up to which weights at the points are made once and stay in the cache.
const FEW_WEIGHTS: usize = 128 * 128;

impl<T: Tile> Algorithm for Winograd<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn accepts(&self, g: &ConvGeometry, pass: Pass) -> Result<(), Declined> {
        let is_plain = |axis: &Axis| (axis.kernel(), axis.stride(), axis.dilation()) == (T::TAPS, 1, 1);
        if !is_plain(g.h()) || !is_plain(g.w()) || g.groups() > 1 {
            return Err(Declined(format!(
                "it takes {taps}x{taps} kernels with stride 1, dilation 1 and one group; this kernel is {}x{}, the stride \
                 {}x{}, the dilation {}x{}, with {} groups",
                g.h().kernel(),
                g.w().kernel(),
                g.h().stride(),
                g.w().stride(),
                g.h().dilation(),
                g.w().dilation(),
                g.groups(),
                taps = T::TAPS
            )));
        }
        let (read, written) = if pass == Pass::GradInput { (g.oc(), g.c()) } else { (g.c(), g.oc()) };
        if !read.is_multiple_of(VECTOR) || written < VECTOR {
            return Err(Declined(format!(
                "it pays with a multiple of {VECTOR} channels to read and at least {VECTOR} to write; there are {read} and \
                 {written}"
            )));
        }
        if pass == Pass::GradInput && (g.h().before() >= T::TAPS || g.w().before() >= T::TAPS) {
            return Err(Declined(format!(
                "its input gradient takes at most {} cells of padding above and on the left; there are {} and {}",
                T::TAPS - 1,
                g.h().before(),
                g.w().before()
            )));
        }
        Ok(())
    }

    fn workspace(&self, g: &ConvGeometry, pass: Pass, level: Level) -> usize {
        let own = match pass {
            Pass::Forward => batch::workspace::<T>(&Product::forward(g), g.n(), level),
            Pass::GradInput => batch::workspace::<T>(&Product::grad_input(g), g.n(), level),
            Pass::GradWeight => grad_weight::workspace::<T>(g, level),
        };
        own.max(Direct.workspace(g, pass, level))
    }

    fn forward(&self, site: Site<'_>, arguments: Forward<'_>) {
        let Site { geometry, level, workspace, is_packed } = site;
        let Forward { input, weight, bias, activation, output } = arguments;
        let product = &Product::forward(geometry);
        let batch = Batch { product, samples: geometry.n(), input, weight, bias, activation };
        let site = Site { geometry, level, workspace: &mut *workspace, is_packed: &mut *is_packed };
        if !batch::run::<T>(site, &batch, Output::Image(&mut *output)) {
            let arguments = Forward { input, weight, bias, activation, output };
            *is_packed = false;
            Direct.forward(Site { geometry, level, workspace, is_packed: &mut *is_packed }, arguments);
            // By the direct algorithm, which is not asked first.
            *is_packed = false;
        }
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let Site { geometry, level, workspace, is_packed } = site;
        let GradInput { grad_output, weight, grad_input } = arguments;
        let product = &Product::grad_input(geometry);
        let (samples, bias, activation) = (geometry.n(), None, Activation::Linear);
        let batch = Batch { product, samples, input: grad_output, weight, bias, activation };
        let site = Site { geometry, level, workspace: &mut *workspace, is_packed: &mut *is_packed };
        if !batch::run::<T>(site, &batch, Output::Image(&mut *grad_input)) {
            let arguments = GradInput { grad_output, weight, grad_input };
            Direct.grad_input(Site { geometry, level, workspace, is_packed }, arguments);
        }
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let Site { geometry, level, workspace, is_packed } = site;
        let GradWeight { input, grad_output, grad_weight } = arguments;
        let site = Site { geometry, level, workspace: &mut *workspace, is_packed: &mut *is_packed };
        let tried = GradWeight { input, grad_output, grad_weight: &mut *grad_weight };
        if !grad_weight::run::<T>(site, tried) {
            let arguments = GradWeight { input, grad_output, grad_weight };
            Direct.grad_weight(Site { geometry, level, workspace, is_packed }, arguments);
        }
    }
}

/// Convolution and 2x2 pooling in one pass: overwrites output and winners. Says whether all sums were finite; if not, what was
/// written is of no use.
pub(crate) fn pool<T: Tile>(site: &mut Site<'_>, reduce: Reduce, arguments: &mut PooledForward<'_>) -> bool {
    let PooledForward { input, weight, bias, activation, output, winners } = arguments;
    let Site { geometry, level, workspace, is_packed } = site;
    let product = &Product::forward(geometry);
    let batch = Batch { product, samples: geometry.n(), input, weight, bias: *bias, activation: *activation };
    let site = Site { geometry, level: *level, workspace, is_packed };
    batch::run::<T>(site, &batch, Output::Pool(reduce, output, winners))
}

/// Whether tiles of 2x2 outputs of a 3x3 kernel need more products than tiles of 4x4. If not, they round less, and have fewer
/// weights at the points.
pub(crate) fn is_small_tile_slower(g: &ConvGeometry, pass: Pass) -> bool {
    let of = |axis: &Axis| if pass == Pass::GradInput { axis.input() } else { axis.output() };
    products::<Two>([of(g.h()), of(g.w())]) > products::<Four>([of(g.h()), of(g.w())])
}

/// Products for an image of so many outputs, for a pair of channels.
fn products<T: Tile>(size: [usize; 2]) -> usize {
    T::POINTS * size[0].div_ceil(T::OUT) * size[1].div_ceil(T::OUT)
}
