//! Values side by side.

use rayon::prelude::*;
use stampnet_tensor::{Shape, TensorError};

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// The values of `inputs` one after the other along `axis`: its sizes add up, all others are equal.
    ///
    /// # Errors
    /// There are no inputs, they have no such axis, or their shapes differ in another axis.
    pub fn concat(&mut self, inputs: &[Var], axis: usize) -> Result<Var, AutogradError> {
        let op = "concat";
        let Some(&first) = inputs.first() else {
            return Err(AutogradError::NoInputs { op });
        };
        let first = self.shape(first);
        if axis >= first.rank() {
            return Err(AutogradError::Axis { op, axis, shape: first });
        }
        let mut dims = first.to_vec();
        dims[axis] = 0;
        for &input in inputs {
            let shape = self.shape(input);
            let is_equal = |i: usize| i == axis || shape[i] == first[i];
            if shape.rank() != first.rank() || !(0..first.rank()).all(is_equal) {
                let rule = "all axes but the one along which values are joined must have the same size";
                return Err(AutogradError::Shapes { op, rule, left: first.into(), right: shape.into() });
            }
            let too_large = || TensorError::TooLarge { dims: dims.clone(), max: usize::MAX };
            dims[axis] = dims[axis].checked_add(shape[axis]).ok_or_else(too_large)?;
        }
        let widths = inputs.iter().map(|&input| self.shape(input)[axis..].iter().product()).collect();
        let shape = Shape::new(&dims)?;
        let width = shape[axis..].iter().product();
        Ok(self.record(Concat { widths, width, keeps_samples: axis > 0 }, inputs, shape))
    }
}

/// A row of the output is one row of each input, in order; a row holds the axes from the joined one on.
struct Concat {
    /// Elements in a row of each input.
    widths: Vec<usize>,
    /// Elements in a row of the output.
    width: usize,
    /// Whether the first axis stays.
    keeps_samples: bool,
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        self.keeps_samples
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let mut at = 0;
        for (i, &width) in self.widths.iter().enumerate() {
            if width > 0 {
                let (rows, min) =
                    (inputs.get(i).data().par_chunks_exact(width), rows_per_task(output.len(), self.width));
                output.par_chunks_exact_mut(self.width).zip(rows).with_min_len(min).for_each(|(output, row)| {
                    output[at..at + width].copy_from_slice(row);
                });
            }
            at += width;
        }
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        let mut at = 0;
        for (i, &width) in self.widths.iter().enumerate() {
            if width > 0 {
                let rows = grad_output.par_chunks_exact(self.width);
                grads.give(i, |grad| {
                    let min = rows_per_task(grad.len(), width);
                    grad.par_chunks_exact_mut(width).zip(rows).with_min_len(min).for_each(|(grad, row)| {
                        grad.copy_from_slice(&row[at..at + width]);
                    });
                });
            }
            at += width;
        }
    }
}

/// How many rows of `width` elements a task copies at least.
fn rows_per_task(len: usize, width: usize) -> usize {
    grain(len).min((1 << 14) / width).max(1)
}
