//! The axes in another order.

use rayon::prelude::*;
use stampnet_tensor::{MAX_RANK, Shape};

use crate::parallel::{TASK, grain};
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

impl Tape {
    /// `x` with its axes in another order: axis `i` of the result is axis `axes[i]` of `x`.
    ///
    /// # Errors
    /// `axes` does not name each axis of `x` once.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Inference);
    /// let x = tape.input(Tensor::from_vec([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?);
    /// let y = tape.permute(x, &[1, 0])?;
    /// assert_eq!(tape.shape(y).dims(), [3, 2]);
    /// assert_eq!(tape.value(y).data(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn permute(&mut self, x: Var, axes: &[usize]) -> Result<Var, AutogradError> {
        let shape = self.shape(x);
        let names_each = axes.len() == shape.rank() && (0..shape.rank()).all(|axis| axes.contains(&axis));
        if !names_each {
            return Err(AutogradError::Axes { op: "permute", axes: axes.to_vec(), shape });
        }
        if axes.is_sorted() {
            return Ok(x);
        }
        let dims: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
        let inverse: Vec<usize> =
            (0..axes.len()).map(|axis| axes.iter().position(|&from| from == axis).expect("each is named")).collect();
        let permuted = Shape::new(&dims)?;
        let (forward, backward) = (Walk::new(shape, axes), Walk::new(permuted, &inverse));
        let op = Permute { forward, backward, keeps_samples: axes[0] == 0 };
        Ok(self.record(op, &[x], permuted))
    }
}

struct Permute {
    forward: Walk,
    backward: Walk,
    /// Whether the first axis stays.
    keeps_samples: bool,
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn is_by_sample(&self, _: usize) -> bool {
        self.keeps_samples
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        self.forward.copy(inputs.get(0).data(), output);
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(0, |grad| self.backward.copy(grad_output, grad));
    }
}

/// A way through the elements of a tensor: sizes and strides of its axes in the order of the result.
struct Walk {
    rank: usize,
    dims: [usize; MAX_RANK],
    strides: [usize; MAX_RANK],
}

impl Walk {
    fn new(from: Shape, axes: &[usize]) -> Self {
        let mut walk = Self { rank: axes.len(), dims: [1; MAX_RANK], strides: [0; MAX_RANK] };
        for (i, &axis) in axes.iter().enumerate() {
            walk.dims[i] = from[axis];
            walk.strides[i] = from[axis + 1..].iter().product();
        }
        walk
    }

    /// Overwrites `to`, row by row along its last axis.
    fn copy(&self, from: &[f32], to: &mut [f32]) {
        let (outer, row, stride) = (self.rank - 1, self.dims[self.rank - 1], self.strides[self.rank - 1]);
        let rows = (TASK / row.max(1)).max(1);
        let min = grain(to.len());
        to.par_chunks_mut(rows * row.max(1)).with_min_len(min).enumerate().for_each(|(task, to)| {
            let mut at = self.position(task * rows);
            for to in to.chunks_exact_mut(row) {
                let start: usize = (0..outer).map(|axis| at[axis] * self.strides[axis]).sum();
                if stride == 1 {
                    to.copy_from_slice(&from[start..start + row]);
                } else {
                    for (to, from) in to.iter_mut().zip(from[start..].iter().step_by(stride)) {
                        *to = *from;
                    }
                }
                self.advance(&mut at);
            }
        });
    }

    /// The indices of row `row` of the result.
    fn position(&self, row: usize) -> [usize; MAX_RANK] {
        let (mut at, mut rest) = ([0; MAX_RANK], row);
        for axis in (0..self.rank - 1).rev() {
            at[axis] = rest % self.dims[axis];
            rest /= self.dims[axis];
        }
        at
    }

    /// Moves on to the next row.
    fn advance(&self, at: &mut [usize; MAX_RANK]) {
        for axis in (0..self.rank - 1).rev() {
            at[axis] += 1;
            if at[axis] < self.dims[axis] {
                return;
            }
            at[axis] = 0;
        }
    }
}
