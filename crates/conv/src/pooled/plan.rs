//! The plan of a convolution with pooling.

use stampnet_geometry::{Axis, ConvGeometry, Nhwc};
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::spread::Spread;
use super::{Reduce, few_channels, forward, patches, sparse_input, sparse_weight};
use crate::algorithm::{Algorithm, Site};
use crate::direct::product::{Operands, Product};
use crate::direct::{Direct, grad_weight};
use crate::error::check_length;
use crate::rule::{self, Answer};
use crate::winograd::{self, Four, Two, TwoOfFive, Winograd};
use crate::{Activation, ConvError, ConvPlan, Declined, GradInput, GradWeight, Pass};

/// How windows are pooled, and what the forward pass notes in `winners` for the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The maximum. Noted is the position of the first maximum in its window, `2 * row + column`.
    Max,
    /// The mean. Noted is a set: bit `2 * row + column` tells whether the activation lets the gradient of that cell pass.
    Average,
}

/// Arguments of the forward pass: `output = pool2x2(activation(input * weight + bias))`.
#[derive(Debug)]
pub struct PooledForward<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [f32],
    /// `[kh, kw, c / groups, oc]`.
    pub weight: &'a [f32],
    /// `[oc]`.
    pub bias: Option<&'a [f32]>,
    /// Applied before pooling.
    pub activation: Activation,
    /// `[n, oh / 2, ow / 2, oc]`, overwritten.
    pub output: &'a mut [f32],
    /// As `output`: see [`Pooling`]. Overwritten.
    pub winners: &'a mut [u32],
}

/// Arguments of the input's gradient.
#[derive(Debug)]
pub struct PooledGradInput<'a> {
    /// `[n, oh / 2, ow / 2, oc]`: with maximum pooling the gradient of the pooled output before the activation, with average
    /// pooling that of the output.
    pub grad_output: &'a [f32],
    /// What the forward pass wrote.
    pub winners: &'a [u32],
    /// `[kh, kw, c / groups, oc]`.
    pub weight: &'a [f32],
    /// `[n, h, w, c]`, overwritten.
    pub grad_input: &'a mut [f32],
}

/// Arguments of the weight's gradient.
#[derive(Debug)]
pub struct PooledGradWeight<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [f32],
    /// `[n, oh / 2, ow / 2, oc]`: with maximum pooling the gradient of the pooled output before the activation, with average
    /// pooling that of the output.
    pub grad_output: &'a [f32],
    /// What the forward pass wrote.
    pub winners: &'a [u32],
    /// `[kh, kw, c / groups, oc]`, overwritten.
    pub grad_weight: &'a mut [f32],
}

/// One pass of a convolution followed by 2x2 pooling (stride 2, no padding), ready to run any number of times without
/// allocating.
///
/// # Infinities and NaN
/// The forward pass does what the definition says. Gradients of maximum pooling, where [sparse](Self::is_sparse), leave out
/// zeros of the output's gradient: there nothing is added, whatever the zero would be multiplied with. Other gradients
/// multiply them, so that a zero times an infinity is a NaN.
///
/// ```
/// use stampnet_conv::{Activation, ConvPoolPlan, Pass, PooledForward, Pooling};
/// use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
///
/// let input = Nhwc { n: 1, h: 2, w: 4, c: 1 };
/// let geometry = ConvGeometry::new(input, &ConvOptions::new(1, 1))?;
/// let (mut output, mut winners) = ([0.0; 2], [0; 2]);
/// ConvPoolPlan::new(geometry, Pooling::Max, Pass::Forward)?.forward(PooledForward {
///     input: &[1.0, 2.0, 8.0, 7.0, 4.0, 3.0, 5.0, 6.0],
///     weight: &[10.0],
///     bias: None,
///     activation: Activation::Linear,
///     output: &mut output,
///     winners: &mut winners,
/// })?;
/// assert_eq!((output, winners), ([40.0, 80.0], [2, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConvPoolPlan {
    geometry: ConvGeometry,
    pooling: Pooling,
    pass: Pass,
    level: Level,
    kind: Kind,
    /// For a [spread](Kind::Spread) gradient.
    dense: Option<ConvPlan>,
    workspace: AlignedVec<f32>,
    /// Whether the workspace holds the weight of the last run.
    is_packed: bool,
}

/// How a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// On the direct kernels; backward on a gradient that is spread some rows at a time.
    Direct,
    /// Forward, few channels, pooled in registers.
    FewChannels,
    /// Forward, on Winograd's tiles of 2x2 outputs.
    Winograd2x2,
    /// Forward, on Winograd's tiles of 4x4 outputs.
    Winograd4x4,
    /// Forward, on Winograd's tiles of 2x2 outputs of 5x5 kernels.
    Winograd5x5,
    /// Backward, over winners alone.
    Sparse,
    /// The weight's gradient with few channels, over winners alone.
    Patches,
    /// Backward, by the plan of the convolution alone, on a gradient that is spread before.
    Spread,
}

impl ConvPoolPlan {
    /// A plan at the current SIMD level.
    ///
    /// # Errors
    /// The convolution's output has no 2x2 window, or the geometry needs another algorithm than the direct one.
    pub fn new(geometry: ConvGeometry, pooling: Pooling, pass: Pass) -> Result<Self, ConvError> {
        Self::at_level(geometry, pooling, pass, Level::current())
    }

    /// A plan at `level`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn at_level(geometry: ConvGeometry, pooling: Pooling, pass: Pass, level: Level) -> Result<Self, ConvError> {
        Self::with(geometry, pooling, (pass, level), true)
    }

    /// A plan at `level` that sums products as the definition does: see [`ConvPlan::plain`](crate::ConvPlan::plain).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn plain(geometry: ConvGeometry, pooling: Pooling, pass: Pass, level: Level) -> Result<Self, ConvError> {
        Self::with(geometry, pooling, (pass, level), false)
    }

    fn with(
        geometry: ConvGeometry,
        pooling: Pooling,
        (pass, level): (Pass, Level),
        has_winograd: bool,
    ) -> Result<Self, ConvError> {
        let declined = |reason| ConvError::Declined { name: "direct with pooling", pass, reason };
        let (oh, ow) = (geometry.h().output(), geometry.w().output());
        if oh < 2 || ow < 2 {
            return Err(declined(Declined(format!("pooling needs at least 2x2 outputs; there are {oh}x{ow}"))));
        }
        Direct.accepts(&geometry, pass).map_err(declined)?;
        let (g, direct) = (&geometry, Direct.workspace(&geometry, pass, level));
        let mut dense = None;
        let kind = match (pass, pooling) {
            (Pass::Forward, _) => Self::forward_kind(g, level, has_winograd),
            (_, Pooling::Max) if is_sparse(g, level) => Kind::Sparse,
            (Pass::GradWeight, Pooling::Max) if patches::accepts(g, level) => Kind::Patches,
            _ => {
                let make = if has_winograd { ConvPlan::at_level } else { ConvPlan::plain };
                dense = Some(make(geometry, pass, level)).filter(|plan| plan.algorithm() != Direct.name());
                if dense.is_some() { Kind::Spread } else { Kind::Direct }
            }
        };
        let len = match kind {
            Kind::Sparse if pass == Pass::GradInput => sparse_input::workspace(g),
            Kind::Sparse => sparse_weight::workspace(g),
            Kind::Patches => patches::workspace(g),
            Kind::Winograd2x2 => Winograd(Two).workspace(g, pass, level),
            Kind::Winograd4x4 => Winograd(Four).workspace(g, pass, level),
            Kind::Winograd5x5 => Winograd(TwoOfFive).workspace(g, pass, level),
            Kind::FewChannels => few_channels::workspace(g, level).max(direct),
            Kind::Spread => g.output().len(),
            Kind::Direct => direct,
        };
        Ok(Self { geometry, pooling, pass, level, kind, dense, workspace: AlignedVec::zeroed(len), is_packed: false })
    }

    /// As the convolution alone is computed.
    fn forward_kind(g: &ConvGeometry, level: Level, has_winograd: bool) -> Kind {
        let takes = |algorithm: &dyn Algorithm| {
            has_winograd && rule::answer(algorithm, g, Pass::Forward, level) == Answer::Takes
        };
        match () {
            () if takes(&Winograd(Two)) => Kind::Winograd2x2,
            () if takes(&Winograd(Four)) => Kind::Winograd4x4,
            () if takes(&Winograd(TwoOfFive)) => Kind::Winograd5x5,
            () if few_channels::accepts(g) => Kind::FewChannels,
            () => Kind::Direct,
        }
    }

    /// Whether the pass visits winners alone.
    pub const fn is_sparse(&self) -> bool {
        matches!(self.kind, Kind::Sparse | Kind::Patches)
    }

    /// The algorithm behind the pass: `direct`, `sparse`, or that of the convolution alone.
    pub fn algorithm(&self) -> &'static str {
        match (self.kind, &self.dense) {
            (Kind::Winograd2x2, _) => winograd::NAMES[0],
            (Kind::Winograd4x4, _) => winograd::NAMES[1],
            (Kind::Winograd5x5, _) => winograd::NAMES[2],
            (Kind::Sparse | Kind::Patches, _) => "sparse",
            (Kind::Spread, Some(plan)) => plan.algorithm(),
            _ => Direct.name(),
        }
    }

    /// How windows are pooled.
    pub const fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The geometry of the convolution.
    pub const fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// The shape of the pooled output. An odd last row or column of the convolution is in no window.
    pub const fn output(&self) -> Nhwc {
        pooled(&self.geometry)
    }

    /// Runs the forward pass: overwrites `output` and `winners`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn forward(&mut self, arguments: PooledForward<'_>) -> Result<(), ConvError> {
        self.is_packed = false;
        self.forward_again(arguments)
    }

    /// As [`forward`](Self::forward), with the same weight as in the last run of this plan, which is not packed again.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_again(&mut self, mut arguments: PooledForward<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::Forward)?;
        let g = &self.geometry;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        if let Some(bias) = arguments.bias {
            check_length("bias", &[g.oc()], bias.len())?;
        }
        check_length("output", &self.output().dims(), arguments.output.len())?;
        check_length("winners", &self.output().dims(), arguments.winners.len())?;
        let is_packed = &mut self.is_packed;
        let mut site = Site { geometry: g, level: self.level, workspace: &mut self.workspace, is_packed };
        let reduce = Reduce { pooling: self.pooling, activation: arguments.activation };
        let is_done = match self.kind {
            Kind::Winograd2x2 => winograd::pool::<Two>(&mut site, reduce, &mut arguments),
            Kind::Winograd4x4 => winograd::pool::<Four>(&mut site, reduce, &mut arguments),
            Kind::Winograd5x5 => winograd::pool::<TwoOfFive>(&mut site, reduce, &mut arguments),
            Kind::FewChannels => few_channels::run(&mut site, reduce, &mut arguments),
            _ => false,
        };
        if !is_done {
            // The others pack in another way.
            let is_direct = matches!(self.kind, Kind::Direct);
            *site.is_packed &= is_direct;
            forward::run(site, reduce, arguments);
            self.is_packed = is_direct;
        }
        Ok(())
    }

    /// Runs the input's gradient: overwrites `grad_input`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn grad_input(&mut self, arguments: PooledGradInput<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::GradInput)?;
        let (g, level) = (&self.geometry, self.level);
        self.check_gradient(arguments.grad_output, arguments.winners)?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        check_length("grad_input", &g.input().dims(), arguments.grad_input.len())?;
        if self.kind == Kind::Sparse {
            sparse_input::run(
                Site { geometry: g, level, workspace: &mut self.workspace, is_packed: &mut false },
                arguments,
            );
            return Ok(());
        }
        let spread = Spread::new(g, level, self.pooling, (arguments.grad_output, arguments.winners));
        if let Some(plan) = &mut self.dense {
            let PooledGradInput { weight, grad_input, .. } = arguments;
            spread.fill(g, &mut self.workspace);
            return plan.grad_input(GradInput { grad_output: &self.workspace, weight, grad_input });
        }
        let product = Product::grad_input(g);
        product.pack(level, arguments.weight, &mut self.workspace);
        let source = &spread;
        let (packed, bias, activation) = (&*self.workspace, None, Activation::Linear);
        product.run(level, Operands { source, packed, bias, activation, target: arguments.grad_input });
        Ok(())
    }

    /// Runs the weight's gradient: overwrites `grad_weight`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn grad_weight(&mut self, arguments: PooledGradWeight<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::GradWeight)?;
        let (g, level) = (&self.geometry, self.level);
        self.check_gradient(arguments.grad_output, arguments.winners)?;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("grad_weight", &g.weight_dims(), arguments.grad_weight.len())?;
        let spread = Spread::new(g, level, self.pooling, (arguments.grad_output, arguments.winners));
        let site = Site { geometry: g, level, workspace: &mut self.workspace, is_packed: &mut false };
        match (self.kind, &mut self.dense) {
            (Kind::Sparse, _) => sparse_weight::run(site, arguments),
            (Kind::Patches, _) => patches::run(site, arguments),
            (_, Some(plan)) => {
                let PooledGradWeight { input, grad_weight, .. } = arguments;
                spread.fill(g, &mut self.workspace);
                plan.grad_weight(GradWeight { input, grad_output: &self.workspace, grad_weight })?;
            }
            (_, None) => {
                let PooledGradWeight { input, grad_weight, .. } = arguments;
                grad_weight::run(site, grad_weight::Operands { input, grad_output: &spread, grad_weight });
            }
        }
        Ok(())
    }

    fn check_gradient(&self, grad_output: &[f32], winners: &[u32]) -> Result<(), ConvError> {
        check_length("grad_output", &self.output().dims(), grad_output.len())?;
        check_length("winners", &self.output().dims(), winners.len())
    }

    fn check_pass(&self, asked: Pass) -> Result<(), ConvError> {
        if self.pass == asked { Ok(()) } else { Err(ConvError::WrongPass { made: self.pass, asked }) }
    }
}

/// The sparse kernels hold nine taps in registers, by whole vectors of input channels.
fn is_sparse(g: &ConvGeometry, level: Level) -> bool {
    is_three_by_three(g) && g.c().is_multiple_of(level.lanes())
}

/// Whether the kernel is 3x3, with stride 1, dilation 1 and one group.
pub(super) fn is_three_by_three(g: &ConvGeometry) -> bool {
    let is_plain = |axis: &Axis| (axis.kernel(), axis.stride(), axis.dilation()) == (3, 1, 1);
    is_plain(g.h()) && is_plain(g.w()) && g.groups() == 1
}

/// The shape of the pooled output.
pub(super) const fn pooled(g: &ConvGeometry) -> Nhwc {
    Nhwc { n: g.n(), h: g.h().output() / 2, w: g.w().output() / 2, c: g.oc() }
}
