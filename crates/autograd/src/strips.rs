//! Batches that run in strips: a few samples at a time, on a tape that is recorded for so many.

use crate::op::Step;
use crate::tape::{Tape, Var};

impl Tape {
    /// Says how many strips a batch will have, before operations are recorded: what is made of weights serves all of them. At
    /// first it is one.
    pub const fn set_strips(&mut self, count: usize) {
        self.strips = count;
    }

    /// Whether everything that is recorded treats samples alone, so that a batch can run [in strips](Self::replay_strip):
    /// `batch` are the inputs that hold `n` samples each, and no operation on them mixes samples or takes another input.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Training);
    /// let x = tape.input(Tensor::from_vec([2, 3], vec![1.0; 6])?);
    /// let y = tape.relu(x)?;
    /// assert!(tape.is_by_sample(&[x], 2));
    /// tape.permute(y, &[1, 0])?;
    /// assert!(!tape.is_by_sample(&[x], 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_by_sample(&self, batch: &[Var], n: usize) -> bool {
        // Whether each value holds samples; the others follow from weights.
        let mut has_samples = Vec::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            let is_leaf = node.op.is_none() && node.inputs.is_empty();
            let own = if is_leaf { !node.is_fixed } else { node.inputs.iter().any(|input| has_samples[input.index()]) };
            has_samples.push(own);
            if !own {
                continue;
            }
            let is_known = !is_leaf || batch.iter().any(|var| var.index() == i);
            let has_rows = node.shape.first().is_some_and(|rows| rows.is_multiple_of(n));
            let keeps = |(i, input): (usize, &Var)| {
                !has_samples[input.index()] || node.op.as_ref().is_none_or(|op| op.is_by_sample(i))
            };
            if !is_known || !has_rows || !node.inputs.iter().enumerate().all(keeps) {
                return false;
            }
        }
        true
    }

    /// The elements of all values that operations have computed from other inputs than weights: without gradients, what a run
    /// keeps.
    pub fn computed_len(&self) -> usize {
        self.nodes.iter().filter(|node| node.op.is_some() && !node.is_fixed).map(|node| node.shape.len()).sum()
    }

    /// As [`replay`](Self::replay), for strip `strip` of a batch, which is cut into strips of one size, that of the tape: the
    /// leaves of the batch hold its samples, while variables and state are those of the last run. Random operations draw for
    /// each sample what they would draw for the batch as a whole, if it [can run in strips](Self::is_by_sample).
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut whole = Tape::new(Mode::Training);
    /// let x = whole.input(Tensor::from_vec([8, 2], vec![1.0; 16])?);
    /// let y = whole.dropout(x, 0.5, 0)?;
    ///
    /// let mut strips = Tape::new(Mode::Training);
    /// let part = strips.input(Tensor::from_vec([4, 2], vec![1.0; 8])?);
    /// let left = strips.dropout(part, 0.5, 0)?;
    /// for strip in 0..2 {
    ///     strips.replay_strip(0, strip);
    ///     assert_eq!(strips.value(left).data(), whole.value(y).rows(4 * strip..4 * strip + 4).data());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay_strip(&mut self, index: u64, strip: usize) {
        self.run_all(Step { index, strip, ..self.step() }, true);
    }
}

#[cfg(test)]
mod tests {
    use stampnet_conv::Activation;
    use stampnet_tensor::{Shape, Tensor};

    use super::*;
    use crate::{AutogradError, Mode};

    const N: usize = 4;

    fn zeros(dims: &[usize]) -> Tensor {
        Tensor::zeros(Shape::new(dims).expect("a small shape"))
    }

    /// Whether what `record` does to a batch of `[4, 6]` can run in strips.
    fn is_by_sample(record: impl Fn(&mut Tape, Var) -> Result<Var, AutogradError>) -> bool {
        let mut tape = Tape::new(Mode::Training);
        let x = tape.input(zeros(&[N, 6]));
        record(&mut tape, x).expect("shapes fit");
        tape.is_by_sample(&[x], N)
    }

    #[test]
    fn what_mixes_samples_is_found() {
        let weight = |tape: &mut Tape, dims: &[usize]| tape.variable(zeros(dims));
        assert!(is_by_sample(|tape, x| {
            let weight = weight(tape, &[6, 3]);
            let weight = tape.scale(weight, 2.0)?;
            let y = tape.dense(x, weight, None, Activation::Relu)?;
            let pairs = tape.reshape(x, &[2 * N, 3])?;
            let pairs = tape.softmax(pairs)?;
            let pairs = tape.reshape(pairs, &[N, 6])?;
            tape.concat(&[y, pairs], 1)
        }));
        assert!(!is_by_sample(|tape, x| tape.mean(x)), "a mean");
        assert!(!is_by_sample(|tape, x| tape.permute(x, &[1, 0])), "a transposed batch");
        assert!(!is_by_sample(|tape, x| tape.concat(&[x, x], 0)), "a batch behind a batch");
        assert!(!is_by_sample(|tape, x| tape.reshape(x, &[2, 12])), "two samples in a row");
        assert!(
            !is_by_sample(|tape, x| {
                let a = weight(tape, &[8, N]);
                tape.matmul(a, x)
            }),
            "sums over samples"
        );
        assert!(
            !is_by_sample(|tape, x| {
                let constant = tape.input(zeros(&[N, 6]));
                tape.add(x, constant)
            }),
            "another input"
        );
        // Three numbers a sample do not fill blocks of four random words, twelve do.
        assert!(is_by_sample(|tape, x| tape.dropout(x, 0.5, 0)));
        let mut tape = Tape::new(Mode::Training);
        let x = tape.input(zeros(&[2, 3]));
        tape.dropout(x, 0.5, 0).expect("a rate");
        assert!(!tape.is_by_sample(&[x], 2));
    }

    #[test]
    fn gradients_of_strips_add_up() -> Result<(), AutogradError> {
        let numbers: Vec<f32> = (0..24).map(|i| (i % 7) as f32 - 3.0).collect();
        let gradient = |strips: usize| {
            let n = N / strips;
            let mut tape = Tape::new(Mode::Training);
            let (x, weight) = (tape.input(zeros(&[n, 6])), tape.variable(Tensor::from_vec([6, 1], vec![0.5; 6])?));
            let y = tape.dense(x, weight, None, Activation::Relu)?;
            let loss = tape.sum(y)?;
            for strip in 0..strips {
                tape.leaf_mut(x).copy_from_slice(&numbers[strip * n * 6..][..n * 6]);
                if strip == 0 {
                    tape.replay(1)
                } else {
                    tape.replay_strip(1, strip)
                }
                tape.backward(loss)?;
            }
            Ok::<_, AutogradError>(tape.grad(weight).expect("a gradient").data().to_vec())
        };
        // Sums of whole numbers are exact in any order.
        let whole = gradient(1)?;
        assert_eq!([gradient(2)?, gradient(4)?], [whole.clone(), whole]);
        Ok(())
    }
}
