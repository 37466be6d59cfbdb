//! The plan: which algorithm, at which level, with which workspace.

use stampnet_geometry::ConvGeometry;
use stampnet_simd::Level;
use stampnet_tensor::AlignedVec;

use crate::algorithm::{Algorithm, Site};
use crate::depthwise::Depthwise;
use crate::direct::Direct;
use crate::error::check_length;
use crate::im2col::Im2col;
use crate::pointwise::Pointwise;
use crate::reference::Reference;
use crate::rule;
use crate::winograd::{self, Winograd};
use crate::{Answer, Candidate, ConvError, Forward, GradInput, GradWeight, Pass};

/// All algorithms, in the order in which a plan asks them; the reference takes everything and comes last.
static LIST: &[&dyn Algorithm] = &[
    &Pointwise,
    &Depthwise,
    &Winograd(winograd::Two),
    &Winograd(winograd::Four),
    &Winograd(winograd::TwoOfFive),
    &Direct,
    &Im2col,
    &Reference,
];

/// The names of all algorithms, in the order in which a plan asks them.
pub fn algorithms() -> impl ExactSizeIterator<Item = &'static str> {
    LIST.iter().map(|algorithm| algorithm.name())
}

/// One pass of one convolution, ready to run any number of times: the chosen algorithm and its workspace.
///
/// ```
/// use stampnet_conv::{ConvPlan, Pass};
/// use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc};
/// use stampnet_simd::Level;
///
/// let input = Nhwc { n: 1, h: 8, w: 8, c: 16 };
/// let geometry = ConvGeometry::new(input, &ConvOptions::new(16, 3).groups(16))?;
/// let plan = ConvPlan::new(geometry, Pass::Forward);
/// assert_eq!(plan.algorithm(), "depthwise");
/// for candidate in ConvPlan::candidates(&geometry, Pass::Forward, Level::current()) {
///     println!("{}: {}, {} bytes", candidate.algorithm, candidate.answer, candidate.workspace_bytes);
/// }
/// let other = ConvPlan::forced("im2col+gemm", geometry, Pass::Forward, Level::current())?;
/// assert_eq!(other.algorithm(), "im2col+gemm");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ConvPlan {
    geometry: ConvGeometry,
    pass: Pass,
    level: Level,
    algorithm: &'static dyn Algorithm,
    workspace: AlignedVec<f32>,
    /// Whether the workspace holds the weight of the last run.
    is_packed: bool,
}

impl ConvPlan {
    /// The algorithm of the rule, at the current SIMD level: the first of the list that accepts and is not passed over.
    pub fn new(geometry: ConvGeometry, pass: Pass) -> Self {
        Self::at_level(geometry, pass, Level::current())
    }

    /// The algorithm of the rule, at `level`.
    pub fn at_level(geometry: ConvGeometry, pass: Pass, level: Level) -> Self {
        Self::first(geometry, pass, level, |_| true)
    }

    /// As [`at_level`](Self::at_level), among the algorithms that sum the products as the definition does: none that
    /// transforms them, as `winograd-2x2`, `winograd-4x4` and `winograd-2x2-5x5` do, with more rounding.
    pub fn plain(geometry: ConvGeometry, pass: Pass, level: Level) -> Self {
        Self::first(geometry, pass, level, |name| !winograd::NAMES.contains(&name))
    }

    fn first(geometry: ConvGeometry, pass: Pass, level: Level, is_allowed: impl Fn(&str) -> bool) -> Self {
        let picked = LIST.iter().find(|algorithm| {
            is_allowed(algorithm.name()) && rule::answer(**algorithm, &geometry, pass, level) == Answer::Takes
        });
        Self::with(*picked.expect("the reference takes everything"), geometry, pass, level)
    }

    /// The algorithm called `name`, at `level`.
    ///
    /// # Errors
    /// No algorithm has that name, or it declines.
    pub fn forced(name: &str, geometry: ConvGeometry, pass: Pass, level: Level) -> Result<Self, ConvError> {
        let named = LIST.iter().find(|algorithm| algorithm.name() == name);
        let Some(&algorithm) = named else {
            return Err(ConvError::UnknownAlgorithm { name: name.to_owned(), known: algorithms().collect() });
        };
        match algorithm.accepts(&geometry, pass) {
            Ok(()) => Ok(Self::with(algorithm, geometry, pass, level)),
            Err(reason) => Err(ConvError::Declined { name: algorithm.name(), pass, reason }),
        }
    }

    fn with(algorithm: &'static dyn Algorithm, geometry: ConvGeometry, pass: Pass, level: Level) -> Self {
        let workspace = AlignedVec::zeroed(algorithm.workspace(&geometry, pass, level));
        Self { geometry, pass, level, algorithm, workspace, is_packed: false }
    }

    /// What the rule says about every algorithm, in the order of the list. The first that takes the convolution is the one
    /// that [`at_level`](Self::at_level) picks.
    pub fn candidates(geometry: &ConvGeometry, pass: Pass, level: Level) -> Vec<Candidate> {
        let candidate = |algorithm: &&dyn Algorithm| {
            let answer = rule::answer(*algorithm, geometry, pass, level);
            let accepts = !matches!(answer, Answer::Declines(_));
            let workspace = if accepts { algorithm.workspace(geometry, pass, level) } else { 0 };
            Candidate { algorithm: algorithm.name(), answer, workspace_bytes: workspace * size_of::<f32>() }
        };
        LIST.iter().map(candidate).collect()
    }

    /// The algorithm that runs.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    /// The geometry.
    pub const fn geometry(&self) -> &ConvGeometry {
        &self.geometry
    }

    /// The pass.
    pub const fn pass(&self) -> Pass {
        self.pass
    }

    /// The SIMD level.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Bytes of workspace that the plan holds.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace.len() * size_of::<f32>()
    }

    /// Runs the forward pass: overwrites `output`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn forward(&mut self, arguments: Forward<'_>) -> Result<(), ConvError> {
        self.is_packed = false;
        self.forward_again(arguments)
    }

    /// As [`forward`](Self::forward), with the same weight as in the last run of this plan: an algorithm that packs or
    /// transforms weights does not do it again. How inference runs.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_again(&mut self, arguments: Forward<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::Forward)?;
        let g = &self.geometry;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        if let Some(bias) = arguments.bias {
            check_length("bias", &[g.oc()], bias.len())?;
        }
        check_length("output", &g.output().dims(), arguments.output.len())?;
        let (workspace, is_packed) = (&mut *self.workspace, &mut self.is_packed);
        self.algorithm.forward(Site { geometry: g, level: self.level, workspace, is_packed }, arguments);
        Ok(())
    }

    /// Runs the input's gradient: overwrites `grad_input`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn grad_input(&mut self, arguments: GradInput<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::GradInput)?;
        let g = &self.geometry;
        check_length("grad_output", &g.output().dims(), arguments.grad_output.len())?;
        check_length("weight", &g.weight_dims(), arguments.weight.len())?;
        check_length("grad_input", &g.input().dims(), arguments.grad_input.len())?;
        let (workspace, is_packed) = (&mut *self.workspace, &mut false);
        self.algorithm.grad_input(Site { geometry: g, level: self.level, workspace, is_packed }, arguments);
        Ok(())
    }

    /// Runs the weight's gradient: overwrites `grad_weight`.
    ///
    /// # Errors
    /// The plan is for another pass, or a slice has the wrong length.
    pub fn grad_weight(&mut self, arguments: GradWeight<'_>) -> Result<(), ConvError> {
        self.check_pass(Pass::GradWeight)?;
        let g = &self.geometry;
        check_length("input", &g.input().dims(), arguments.input.len())?;
        check_length("grad_output", &g.output().dims(), arguments.grad_output.len())?;
        check_length("grad_weight", &g.weight_dims(), arguments.grad_weight.len())?;
        let (workspace, is_packed) = (&mut *self.workspace, &mut false);
        self.algorithm.grad_weight(Site { geometry: g, level: self.level, workspace, is_packed }, arguments);
        Ok(())
    }

    fn check_pass(&self, asked: Pass) -> Result<(), ConvError> {
        if self.pass == asked { Ok(()) } else { Err(ConvError::WrongPass { made: self.pass, asked }) }
    }
}

impl std::fmt::Debug for ConvPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConvPlan")
            .field("algorithm", &self.algorithm())
            .field("pass", &self.pass)
            .field("level", &self.level)
            .field("geometry", &self.geometry)
            .finish_non_exhaustive()
    }
}
