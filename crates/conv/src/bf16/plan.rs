//! The plan of a bfloat16 convolution.

use half::bf16;
use stampnet_geometry::{Axis, ConvGeometry};
use stampnet_simd::bf16::Bf16Unit;
use stampnet_tensor::AlignedVec;

use super::grad_weight::Cut;
use super::product::{Operands, Product};
use super::widened::Widened;
use crate::error::check_length;
use crate::{Activation, ConvError, Pass};

/// Arguments of the forward pass: `output = activation(input * weight + bias)`.
#[derive(Debug)]
pub struct Bf16Forward<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [bf16],
    /// `[kh, kw, c / groups, oc]`, rounded where it is read.
    pub weight: &'a [f32],
    /// `[oc]`, not rounded.
    pub bias: Option<&'a [f32]>,
    /// Applied last, before the result is rounded.
    pub activation: Activation,
    /// `[n, oh, ow, oc]`, overwritten.
    pub output: &'a mut [bf16],
}

/// Arguments of the input's gradient.
#[derive(Debug)]
pub struct Bf16GradInput<'a> {
    /// `[n, oh, ow, oc]`.
    pub grad_output: &'a [bf16],
    /// `[kh, kw, c / groups, oc]`, rounded where it is read.
    pub weight: &'a [f32],
    /// `[n, h, w, c]`, overwritten.
    pub grad_input: &'a mut [bf16],
}

/// Arguments of the weight's gradient.
#[derive(Debug)]
pub struct Bf16GradWeight<'a> {
    /// `[n, h, w, c]`.
    pub input: &'a [bf16],
    /// `[n, oh, ow, oc]`.
    pub grad_output: &'a [bf16],
    /// `[kh, kw, c / groups, oc]`, overwritten.
    pub grad_weight: &'a mut [f32],
}

/// How a plan computes.
#[derive(Clone, Debug)]
enum Kind {
    /// On pairs of channels. Holds the packed weights.
    Channels(AlignedVec<bf16>),
    /// On pairs of pixels. Holds the sums.
    Pixels(AlignedVec<f32>),
    /// In float32.
    Widened(Box<Widened>),
}

/// One pass of one convolution on bfloat16 images, ready to run any number of times without allocating.
///
/// ```
/// use half::bf16;
/// use stampnet_conv::{Activation, Bf16ConvPlan, Bf16Forward, Pass};
/// use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
///
/// let input = Nhwc { n: 1, h: 1, w: 4, c: 1 };
/// let geometry = ConvGeometry::new(input, &ConvOptions::new(1, (1, 3)))?;
/// let x = [3.0, 1.0, 0.0, 7.0].map(bf16::from_f32);
/// let mut y = [bf16::ZERO; 2];
/// Bf16ConvPlan::new(geometry, Pass::Forward).forward(Bf16Forward {
///     input: &x,
///     weight: &[1.0, 2.0, 3.0],
///     bias: Some(&[0.5]),
///     activation: Activation::Linear,
///     output: &mut y,
/// })?;
/// assert_eq!(y.map(f32::from), [5.5, 22.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Bf16ConvPlan {
    geometry: ConvGeometry,
    pass: Pass,
    unit: Bf16Unit,
    kind: Kind,
}

impl Bf16ConvPlan {
    /// A plan on the current unit.
    pub fn new(geometry: ConvGeometry, pass: Pass) -> Self {
        Self::on_unit(geometry, pass, Bf16Unit::current())
    }

    /// A plan on `unit`.
    pub fn on_unit(geometry: ConvGeometry, pass: Pass, unit: Bf16Unit) -> Self {
        let g = &geometry;
        let kind = match pass {
            _ if !Self::is_served(g, pass) => Kind::Widened(Box::new(Widened::new(geometry, pass, unit))),
            Pass::Forward => Kind::Channels(AlignedVec::zeroed(Product::forward(g, unit).packed_len())),
            Pass::GradInput => Kind::Channels(AlignedVec::zeroed(Product::grad_input(g, unit).packed_len())),
            Pass::GradWeight => Kind::Pixels(AlignedVec::zeroed(Cut::new(g, unit).workspace())),
        };
        Self { geometry, pass, unit, kind }
    }

    /// One group; and for the input's gradient, as in float32, a stride or a dilation along an axis, not both.
    fn is_served(g: &ConvGeometry, pass: Pass) -> bool {
        let has_both = |axis: &Axis| axis.stride() > 1 && axis.dilation() > 1;
        g.groups() == 1 && !(pass == Pass::GradInput && (has_both(g.h()) || has_both(g.w())))
    }

    /// The algorithm that runs: `bf16`, or the name of that in float32.
    pub fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Widened(widened) => widened.algorithm(),
            _ => "bf16",
        }
    }

    /// The geometry.
    pub const fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// The pass.
    pub const fn pass(&self) -> Pass {
        self.pass
    }

    /// What multiplies.
    pub const fn unit(&self) -> Bf16Unit {
        self.unit
    }

    /// Runs the forward pass: overwrites `output`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn forward(&mut self, arguments: Bf16Forward<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::Forward)?;
        let g = &self.geometry;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        if let Some(bias) = arguments.bias {
            check_length("bias", &[g.oc()], bias.len())?;
        }
        check_length("output", &g.output().dims(), arguments.output.len())?;
        match &mut self.kind {
            Kind::Channels(packed) => {
                let Bf16Forward { input, weight, bias, activation, output } = arguments;
                let product = Product::forward(g, self.unit);
                product.pack(weight, packed);
                product.run(Operands { source: input, packed, bias, activation, target: output });
            }
            Kind::Widened(widened) => widened.forward(arguments),
            Kind::Pixels(_) => unreachable!("{PASS}"),
        }
        Ok(())
    }

    /// Runs the input's gradient: overwrites `grad_input`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn grad_input(&mut self, arguments: Bf16GradInput<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::GradInput)?;
        let g = &self.geometry;
        check_length("grad_output", &g.output().dims(), arguments.grad_output.len())?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        check_length("grad_input", &g.input().dims(), arguments.grad_input.len())?;
        match &mut self.kind {
            Kind::Channels(packed) => {
                let Bf16GradInput { grad_output, weight, grad_input } = arguments;
                let product = Product::grad_input(g, self.unit);
                product.pack(weight, packed);
                let (bias, activation) = (None, Activation::Linear);
                product.run(Operands { source: grad_output, packed, bias, activation, target: grad_input });
            }
            Kind::Widened(widened) => widened.grad_input(arguments),
            Kind::Pixels(_) => unreachable!("{PASS}"),
        }
        Ok(())
    }

    /// Runs the weight's gradient: overwrites `grad_weight`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn grad_weight(&mut self, arguments: Bf16GradWeight<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::GradWeight)?;
        let g = &self.geometry;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("grad_output", &g.output().dims(), arguments.grad_output.len())?;
        check_length("grad_weight", &g.weight_dims(), arguments.grad_weight.len())?;
        match &mut self.kind {
            Kind::Pixels(sums) => Cut::new(g, self.unit).run(sums, arguments),
            Kind::Widened(widened) => widened.grad_weight(arguments),
            Kind::Channels(_) => unreachable!("{PASS}"),
        }
        Ok(())
    }

    fn check_pass(&self, asked: Pass) -> Result<(), ConvError> {
        if self.pass == asked { Ok(()) } else { Err(ConvError::WrongPass { made: self.pass, asked }) }
    }
}

/// Why a plan has the kind of its pass.
const PASS: &str = "a plan is made for its pass, which was checked";
