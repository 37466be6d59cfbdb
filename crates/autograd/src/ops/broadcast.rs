//! A value repeated along its axes of size 1.

use rayon::prelude::*;
use stampnet_tensor::{MAX_RANK, Shape};

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `x` repeated along its axes of size 1 until it has the shape `dims`; `x` itself, if it has that shape already. All other
    /// axes stay, the first one, the batch, among them.
    ///
    /// # Errors
    /// `dims` has another number of axes, another first size, or another size where `x` has more than 1.
    pub fn broadcast(&mut self, x: Var, dims: &[usize]) -> Result<Var, AutogradError> {
        let (from, to) = (self.shape(x), Shape::new(dims)?);
        if from == to {
            return Ok(x);
        }
        let fits = from.rank() == to.rank() && from[0] == to[0];
        if !fits || from.iter().zip(to.iter()).any(|(&from, &to)| from != to && from != 1) {
            return Err(AutogradError::Shapes {
                op: "broadcast",
                rule: "all axes must have the same size, or size 1 in the first shape behind its first axis",
                left: from.into(),
                right: to.into(),
            });
        }
        Ok(self.record(Broadcast::new(from, to), &[x], to))
    }
}

struct Broadcast {
    /// The output's axes between the first and the last.
    middle: Vec<usize>,
    /// Rows of the input from one index of a middle axis to the next; 0 along repeated ones.
    steps: Vec<usize>,
    /// Elements of a row, the last axis, in input and output.
    widths: [usize; 2],
    /// Elements of a sample in input and output.
    samples: [usize; 2],
    /// The gradient of the input.
    sums: Vec<f64>,
}

impl Broadcast {
    fn new(from: Shape, to: Shape) -> Self {
        let last = from.rank() - 1;
        let mut steps = vec![0; last.saturating_sub(1)];
        let mut step = 1;
        for axis in (1..last).rev() {
            steps[axis - 1] = if from[axis] == to[axis] { step } else { 0 };
            step *= from[axis];
        }
        Self {
            middle: to.get(1..last).unwrap_or_default().to_vec(),
            steps,
            widths: [from[last], to[last]],
            samples: [from[1..].iter().product(), to[1..].iter().product()],
            sums: vec![0.0; from.len()],
        }
    }

    /// Calls `visit` for each row of a sample of the output, in order, with the row of the input that it repeats.
    fn rows(&self, mut visit: impl FnMut(usize, usize)) {
        let mut index = [0; MAX_RANK];
        for output in 0..self.middle.iter().product() {
            visit(output, index.iter().zip(&self.steps).map(|(index, step)| index * step).sum());
            for axis in (0..self.middle.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.middle[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let ([from, to], [narrow, wide], min) = (self.samples, self.widths, grain(output.len()));
        if output.is_empty() {
            return;
        }
        let x = inputs.get(0).data();
        output.par_chunks_exact_mut(to).zip(x.par_chunks_exact(from)).with_min_len(min).for_each(|(output, x)| {
            self.rows(|row, source| {
                let (output, x) = (&mut output[row * wide..][..wide], &x[source * narrow..][..narrow]);
                if narrow == wide {
                    output.copy_from_slice(x);
                } else {
                    output.fill(x[0]);
                }
            });
        });
    }

    /// An element gets the sum over its copies.
    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let ([from, to], [narrow, wide], min) = (self.samples, self.widths, grain(grad_output.len()));
        if grad_output.is_empty() {
            return grads.give(0, |grad| grad.fill(0.0));
        }
        let mut sums = std::mem::take(&mut self.sums);
        sums.fill(0.0);
        let samples = sums.par_chunks_exact_mut(from).zip(grad_output.par_chunks_exact(to));
        samples.with_min_len(min).for_each(|(sums, grad)| {
            self.rows(|row, source| {
                let (sums, grad) = (&mut sums[source * narrow..][..narrow], &grad[row * wide..][..wide]);
                if narrow == wide {
                    sums.iter_mut().zip(grad).for_each(|(sum, &grad)| *sum += f64::from(grad));
                } else {
                    sums[0] += grad.iter().map(|&grad| f64::from(grad)).sum::<f64>();
                }
            });
        });
        grads.give(0, |grad| grad.iter_mut().zip(&sums).for_each(|(grad, &sum)| *grad = sum as f32));
        self.sums = sums;
    }
}
