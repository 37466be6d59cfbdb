//! Direct convolution: hand-vectorized tiles on padded samples, without a matrix of windows.
//!
//! - `correlate`: the kernel of the forward pass and of the input's gradient,
//! - `dot`: the same for a few output channels,
//! - `accumulate`: the kernel of the weight's gradient,
//! - `sweep`: the input's gradient as correlations, one for each remainder of the stride,
//! - `pack`, `pad`: the layouts that the kernels read.
//!
//! Tasks are samples, or rows of samples when there are few; where they are cut depends on the geometry alone.

mod accumulate;
mod correlate;
mod dot;
pub(crate) mod grad_weight;
pub(crate) mod pack;
pub(crate) mod pad;
pub(crate) mod product;
pub(crate) mod sweep;
mod windows;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

use crate::algorithm::{Algorithm, Site};
use crate::{Activation, Declined, Forward, GradInput, GradWeight, Pass};
use pad::Dense;
use product::{Operands, Product};

/// The algorithm `direct`.
pub(crate) struct Direct;

impl Algorithm for Direct {
    fn name(&self) -> &'static str {
        "direct"
    }

    fn accepts(&self, g: &ConvGeometry, pass: Pass) -> Result<(), Declined> {
        for (axis, name) in [(g.h(), "height"), (g.w(), "width")] {
            if pass == Pass::GradInput && axis.stride() > 1 && axis.dilation() > 1 {
                return Err(Declined(format!(
                    "the direct input gradient takes a stride or a dilation, not both; along the {name} the stride is {} \
                     and the dilation {}",
                    axis.stride(),
                    axis.dilation()
                )));
            }
        }
        Ok(())
    }

    fn workspace(&self, g: &ConvGeometry, pass: Pass, level: Level) -> usize {
        match pass {
            Pass::Forward => Product::forward(g).packed_len(level.lanes()),
            Pass::GradInput => Product::grad_input(g).packed_len(level.lanes()),
            Pass::GradWeight => grad_weight::workspace(g, level),
        }
    }

    fn forward(&self, site: Site<'_>, arguments: Forward<'_>) {
        let Forward { input, weight, bias, activation, output } = arguments;
        let product = Product::forward(site.geometry);
        if !std::mem::replace(site.is_packed, true) {
            product.pack(site.level, weight, site.workspace);
        }
        let source = &Dense { data: input, len: site.geometry.input().sample_len() };
        product.run(site.level, Operands { source, packed: site.workspace, bias, activation, target: output });
    }

    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>) {
        let GradInput { grad_output, weight, grad_input } = arguments;
        let product = Product::grad_input(site.geometry);
        product.pack(site.level, weight, site.workspace);
        let source = &Dense { data: grad_output, len: site.geometry.output().sample_len() };
        let (bias, activation) = (None, Activation::Linear);
        product.run(site.level, Operands { source, packed: site.workspace, bias, activation, target: grad_input });
    }

    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>) {
        let GradWeight { input, grad_output, grad_weight } = arguments;
        let grad_output = &Dense { data: grad_output, len: site.geometry.output().sample_len() };
        grad_weight::run(site, grad_weight::Operands { input, grad_output, grad_weight });
    }
}
