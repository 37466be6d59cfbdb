//! The plan of a convolution with pooling.

use stampnet_geometry::{ConvGeometry, Nhwc};
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use super::winners::Spread;
use super::{forward, sparse_input, sparse_weight};
use crate::algorithm::{Algorithm, Site};
use crate::direct::product::{Operands, Product};
use crate::direct::{Direct, grad_weight};
use crate::error::check_length;
use crate::rule::{self, Answer};
use crate::winograd::{self, Four, Two, Winograd};
use crate::{Activation, ConvError, Declined, Pass};

/// Arguments of the forward pass: `output = maxpool2x2(activation(input * weight + bias))`.
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
    /// As `output`: the position of the first maximum in its window, `2 * row + column`. Overwritten.
    pub winners: &'a mut [u32],
}

/// Arguments of the input's gradient.
#[derive(Debug)]
pub struct PooledGradInput<'a> {
    /// The gradient of the pooled output before the activation, `[n, oh / 2, ow / 2, oc]`.
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
    /// The gradient of the pooled output before the activation, `[n, oh / 2, ow / 2, oc]`.
    pub grad_output: &'a [f32],
    /// What the forward pass wrote.
    pub winners: &'a [u32],
    /// `[kh, kw, c / groups, oc]`, overwritten.
    pub grad_weight: &'a mut [f32],
}

/// One pass of a convolution followed by 2x2 maximum pooling (stride 2, no padding), ready to run any number of times
/// without allocating.
///
/// ```
/// use stampnet_conv::{Activation, ConvPoolPlan, Pass, PooledForward};
/// use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
///
/// let input = Nhwc { n: 1, h: 2, w: 4, c: 1 };
/// let geometry = ConvGeometry::new(input, &ConvOptions::new(1, 1))?;
/// let (mut output, mut winners) = ([0.0; 2], [0; 2]);
/// ConvPoolPlan::new(geometry, Pass::Forward)?.forward(PooledForward {
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
    pass: Pass,
    level: Level,
    kind: Kind,
    workspace: AlignedVec<f32>,
}

/// How a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// On the direct kernels.
    Direct,
    /// Forward, on Winograd's tiles of 2x2 outputs.
    Winograd2x2,
    /// Forward, on Winograd's tiles of 4x4 outputs.
    Winograd4x4,
    /// Backward, over winners alone.
    Sparse,
}

impl ConvPoolPlan {
    /// A plan at the current SIMD level.
    ///
    /// # Errors
    /// The convolution's output has no 2x2 window, or the geometry needs another algorithm than the direct one.
    pub fn new(geometry: ConvGeometry, pass: Pass) -> Result<Self, ConvError> {
        Self::at_level(geometry, pass, Level::current())
    }

    /// A plan at `level`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn at_level(geometry: ConvGeometry, pass: Pass, level: Level) -> Result<Self, ConvError> {
        let kind = match pass {
            Pass::Forward => Self::forward_kind(&geometry, level),
            Pass::GradInput | Pass::GradWeight if Self::can_be_sparse(&geometry, level) => Kind::Sparse,
            _ => Kind::Direct,
        };
        Self::with(kind, geometry, pass, level)
    }

    /// A plan at `level` that sums products as the definition does: see [`ConvPlan::plain`](crate::ConvPlan::plain).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn plain(geometry: ConvGeometry, pass: Pass, level: Level) -> Result<Self, ConvError> {
        match pass {
            Pass::Forward => Self::with(Kind::Direct, geometry, pass, level),
            Pass::GradInput | Pass::GradWeight => Self::at_level(geometry, pass, level),
        }
    }

    fn with(kind: Kind, geometry: ConvGeometry, pass: Pass, level: Level) -> Result<Self, ConvError> {
        let declined = |reason| ConvError::Declined { name: "direct with pooling", pass, reason };
        let (oh, ow) = (geometry.h().output(), geometry.w().output());
        if oh < 2 || ow < 2 {
            return Err(declined(Declined(format!("pooling needs at least 2x2 outputs; there are {oh}x{ow}"))));
        }
        Direct.accepts(&geometry, pass).map_err(declined)?;
        let len = match (kind, pass) {
            (Kind::Sparse, Pass::GradInput) => sparse_input::workspace(&geometry),
            (Kind::Sparse, _) => sparse_weight::workspace(&geometry),
            (Kind::Winograd2x2, _) => Winograd(Two).workspace(&geometry, pass, level),
            (Kind::Winograd4x4, _) => Winograd(Four).workspace(&geometry, pass, level),
            (Kind::Direct, _) => Direct.workspace(&geometry, pass, level),
        };
        Ok(Self { geometry, pass, level, kind, workspace: AlignedVec::zeroed(len) })
    }

    /// As the convolution alone is computed.
    fn forward_kind(g: &ConvGeometry, level: Level) -> Kind {
        let takes = |algorithm: &dyn Algorithm| rule::answer(algorithm, g, Pass::Forward, level) == Answer::Takes;
        match (takes(&Winograd(Two)), takes(&Winograd(Four))) {
            (true, _) => Kind::Winograd2x2,
            (false, true) => Kind::Winograd4x4,
            (false, false) => Kind::Direct,
        }
    }

    /// The sparse kernels hold nine taps in registers, by whole vectors of input channels.
    fn can_be_sparse(g: &ConvGeometry, level: Level) -> bool {
        let is_plain = |axis: &stampnet_geometry::Axis| (axis.kernel(), axis.stride(), axis.dilation()) == (3, 1, 1);
        is_plain(g.h()) && is_plain(g.w()) && g.groups() == 1 && g.c().is_multiple_of(level.lanes())
    }

    /// Whether the pass visits winners alone.
    pub fn is_sparse(&self) -> bool {
        self.kind == Kind::Sparse
    }

    /// The algorithm behind the pass: `direct`, `winograd-2x2`, `winograd-4x4` or `sparse`.
    pub const fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Direct => "direct",
            Kind::Winograd2x2 => winograd::NAMES[0],
            Kind::Winograd4x4 => winograd::NAMES[1],
            Kind::Sparse => "sparse",
        }
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
    pub fn forward(&mut self, mut arguments: PooledForward<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::Forward)?;
        let g = &self.geometry;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        if let Some(bias) = arguments.bias {
            check_length("bias", &[g.oc()], bias.len())?;
        }
        check_length("output", &self.output().dims(), arguments.output.len())?;
        check_length("winners", &self.output().dims(), arguments.winners.len())?;
        let mut site = Site { geometry: g, level: self.level, workspace: &mut self.workspace };
        let is_done = match self.kind {
            Kind::Winograd2x2 => winograd::max_pool::<Two>(&mut site, &mut arguments),
            Kind::Winograd4x4 => winograd::max_pool::<Four>(&mut site, &mut arguments),
            Kind::Direct | Kind::Sparse => false,
        };
        if !is_done {
            forward::run(site, arguments);
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
            sparse_input::run(Site { geometry: g, level, workspace: &mut self.workspace }, arguments);
            return Ok(());
        }
        let product = Product::grad_input(g);
        product.pack(level, arguments.weight, &mut self.workspace);
        let source = &Spread::new(g, level, arguments.grad_output, arguments.winners);
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
        let site = Site { geometry: g, level, workspace: &mut self.workspace };
        if self.kind == Kind::Sparse {
            sparse_weight::run(site, arguments);
            return Ok(());
        }
        let PooledGradWeight { input, grad_output, winners, grad_weight } = arguments;
        let grad_output = &Spread::new(g, level, grad_output, winners);
        grad_weight::run(site, grad_weight::Operands { input, grad_output, grad_weight });
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

/// The shape of the pooled output.
pub(super) const fn pooled(g: &ConvGeometry) -> Nhwc {
    Nhwc { n: g.n(), h: g.h().output() / 2, w: g.w().output() / 2, c: g.oc() }
}
