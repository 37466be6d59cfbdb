//! Where the time of training steps goes.

use std::fmt;
use std::time::Duration;

use stampnet_autograd::{ProfileEntry, Work};

use super::Model;
use super::program::{Program, Task};

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepPart {
    /// Samples and targets are gathered.
    Gather,
    /// Values.
    Forward,
    /// The gradient of a product's first factor, the layer's input.
    GradInput,
    /// The gradient of the second, the layer's weight.
    GradWeight,
    /// The gradients of bias and activation of a layer with a product.
    GradBias,
    /// All gradients of a layer without a product.
    Backward,
    /// The optimizer changes the weights.
    Update,
}

impl StepPart {
    fn of(entry: &ProfileEntry<'_>) -> Self {
        match entry.work {
            Work::Forward => Self::Forward,
            Work::Gradient(0) if entry.is_product => Self::GradInput,
            Work::Gradient(1) if entry.is_product => Self::GradWeight,
            _ if entry.is_product => Self::GradBias,
            _ => Self::Backward,
        }
    }
}

impl fmt::Display for StepPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gather => "gather",
            Self::Forward => "forward",
            Self::GradInput => "grad_input",
            Self::GradWeight => "grad_weight",
            Self::GradBias => "grad_bias",
            Self::Backward => "backward",
            Self::Update => "update",
        })
    }
}

/// What one layer takes for one part of a step, on average.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileRow {
    /// The layer's name, those of two that run as one operation, or `loss`, `batch`, `optimizer`.
    pub layer: String,
    /// Which part.
    pub part: StepPart,
    /// Seconds of a step.
    pub seconds: f64,
    /// Floating-point operations of the products, as their definition counts them: a multiply-add is two.
    pub operations: f64,
    /// Bytes that must be read or written at least, each array once; 0 if that is not known.
    pub bytes: f64,
}

/// The parts of a training step, in the order in which they run; gradients come beside their layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepProfile {
    /// Steps that were timed.
    pub steps: u64,
    /// What took time.
    pub rows: Vec<ProfileRow>,
}

/// Times of a program outside of its tape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    pub(super) steps: u64,
    pub(super) gather: Duration,
    pub(super) update: Duration,
}

impl StepProfile {
    pub(super) fn new(program: &Program) -> Self {
        let Clock { steps, gather, update } = *program.clock();
        let mut profile = Self { steps, rows: Vec::new() };
        profile.add("batch", StepPart::Gather, (gather, 0.0, 2.0 * program.batch_bytes()));
        let strips = program.strips() as f64;
        for entry in program.profile() {
            let layer = if entry.label.is_empty() { "loss" } else { entry.label };
            let counts = (entry.time, strips * entry.operations, strips * entry.bytes);
            profile.add(layer, StepPart::of(&entry), counts);
        }
        profile.add("optimizer", StepPart::Update, (update, 0.0, 0.0));
        profile
    }

    /// Adds to the row of a layer's part. Layers stay together, in the order of their first rows.
    fn add(&mut self, layer: &str, part: StepPart, (time, operations, bytes): (Duration, f64, f64)) {
        let seconds = time.as_secs_f64() / self.steps.max(1) as f64;
        let found = self.rows.iter_mut().find(|row| row.layer == layer && row.part == part);
        if let Some(row) = found {
            row.seconds += seconds;
            row.operations += operations;
            row.bytes += bytes;
            return;
        }
        let row = ProfileRow { layer: layer.to_owned(), part, seconds, operations, bytes };
        let after = self.rows.iter().rposition(|row| row.layer == layer).map_or(self.rows.len(), |last| last + 1);
        self.rows.insert(after, row);
    }
}

impl Model {
    /// Times every part of the training steps from now on, from zero. It costs two readings of the clock for each operation.
    pub fn start_profile(&mut self) {
        self.programs.start_profile();
    }

    /// Where the time of training steps has gone since [`start_profile`](Self::start_profile), for the batch size that was
    /// trained last; nothing if no step was timed.
    ///
    /// ```
    /// use stampnet_data::TensorSet;
    /// use stampnet_nn::layers::Dense;
    /// use stampnet_nn::{FitOptions, Loss, Sequential, Sgd};
    /// use stampnet_tensor::Tensor;
    ///
    /// let (x, y) = (Tensor::from_vec([2, 3], vec![0.5; 6])?, Tensor::from_vec([2, 1], vec![1.0; 2])?);
    /// let mut model = Sequential::new(3).add(Dense::new(1)).build(1)?;
    /// model.compile(Sgd::new(0.1), Loss::MeanSquaredError)?;
    /// model.start_profile();
    /// model.fit(&TensorSet::new(x.view(), y.view())?, FitOptions::new(2).batch_size(2))?;
    /// let profile = model.profile().expect("two steps");
    /// assert_eq!(profile.steps, 2);
    /// assert!(profile.rows.iter().any(|row| row.layer == "dense"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(&self) -> Option<StepProfile> {
        let program = self.programs.last(Task::Train)?;
        (program.clock().steps > 0).then(|| StepProfile::new(program))
    }
}
