//! What an algorithm is, and the arguments of each pass.

use std::fmt;

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;

/// Which of the three products of a convolution layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Output from input and weight.
    Forward,
    /// Gradient of the input from gradient of the output and weight.
    GradInput,
    /// Gradient of the weight from input and gradient of the output.
    GradWeight,
}

impl Pass {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Forward, Self::GradInput, Self::GradWeight];
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::GradInput => "grad_input",
            Self::GradWeight => "grad_weight",
        })
    }
}

/// What is applied to each sum while it is still in a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    #[default]
    Linear,
    /// `max(0, x)`; a NaN stays a NaN.
    Relu,
}

/// Arguments of the forward pass: `output = activation(input * weight + bias)`.
#[derive(Debug)]
pub struct Forward<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [f32],
    /// `[kh, kw, c / groups, oc]`.
    pub weight: &'a [f32],
    /// `[oc]`.
    pub bias: Option<&'a [f32]>,
    /// Applied last.
    pub activation: Activation,
    /// `[n, oh, ow, oc]`, overwritten.
    pub output: &'a mut [f32],
}

/// Arguments of the input's gradient.
#[derive(Debug)]
pub struct GradInput<'a> {
    /// `[n, oh, ow, oc]`.
    pub grad_output: &'a [f32],
    /// `[kh, kw, c / groups, oc]`.
    pub weight: &'a [f32],
    /// `[n, h, w, c]`, overwritten.
    pub grad_input: &'a mut [f32],
}

/// Arguments of the weight's gradient.
#[derive(Debug)]
pub struct GradWeight<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [f32],
    /// `[n, oh, ow, oc]`.
    pub grad_output: &'a [f32],
    /// `[kh, kw, c / groups, oc]`, overwritten.
    pub grad_weight: &'a mut [f32],
}

/// Why an algorithm does not take a geometry: the rule and the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declined(pub(crate) String);

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an algorithm runs: the resolved geometry, the SIMD level, and workspace of the size that it asked for. The
/// workspace begins on a cache line; its content is whatever the last run left.
pub(crate) struct Site<'a> {
    pub(crate) geometry: &'a ConvGeometry,
    pub(crate) level: Level,
    pub(crate) workspace: &'a mut [f32],
    /// Whether the workspace holds the weight of this run, packed by the last one. An algorithm that packs sets it.
    pub(crate) is_packed: &'a mut bool,
}

/// One way to compute a convolution. The plan has checked all lengths before it calls a pass.
pub(crate) trait Algorithm: Sync {
    /// The name by which it can be forced, in lower case.
    fn name(&self) -> &'static str;

    /// Accepts `geometry` for `pass`, or says why not. Only accepted passes are called.
    fn accepts(&self, geometry: &ConvGeometry, pass: Pass) -> Result<(), Declined>;

    /// Elements of workspace that `pass` needs, shared by all its tasks.
    fn workspace(&self, geometry: &ConvGeometry, pass: Pass, level: Level) -> usize;

    /// Overwrites `output`.
    fn forward(&self, site: Site<'_>, arguments: Forward<'_>);

    /// Overwrites `grad_input`.
    fn grad_input(&self, site: Site<'_>, arguments: GradInput<'_>);

    /// Overwrites `grad_weight`.
    fn grad_weight(&self, site: Site<'_>, arguments: GradWeight<'_>);
}
