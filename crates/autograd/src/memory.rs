//! Memory that values take in turns.

use stampnet_tensor::{AlignedVec, Shape, Tensor};

use crate::node::{Gradient, Node};
use crate::tape::{Mode, Tape, Var};

/// Memory of gradients that were used up, for those to come. Steps are alike, so after the first ones it has what a step
/// needs.
#[derive(Default)]
pub(crate) struct Spare(Vec<AlignedVec<f32>>);

impl Spare {
    /// At least `len` elements of any value: the smallest piece that is large enough; of equal ones the one used last, which
    /// may still be in a cache.
    pub(crate) fn take(&mut self, len: usize) -> AlignedVec<f32> {
        let best = (0..self.0.len()).rev().filter(|&i| self.0[i].len() >= len).min_by_key(|&i| self.0[i].len());
        best.map_or_else(|| AlignedVec::zeroed(len), |i| self.0.remove(i))
    }

    /// Takes back what is not needed any more.
    pub(crate) fn give(&mut self, data: AlignedVec<f32>) {
        if !data.is_empty() {
            self.0.push(data);
        }
    }
}

/// A value that is read to the end.
const FOREVER: usize = usize::MAX;

/// Memory that is handed out again: the length of each piece, and which ones are free.
#[derive(Default)]
struct Pieces {
    lens: Vec<usize>,
    free: Vec<usize>,
}

impl Pieces {
    /// A piece of `len` elements: the smallest free one that is large enough, or the largest one, which grows.
    fn take(&mut self, len: usize) -> usize {
        let lens = &self.lens;
        let best = (0..self.free.len()).min_by_key(|&i| {
            let size = lens[self.free[i]];
            if size >= len { (0, size - len) } else { (1, len - size) }
        });
        let piece = match best {
            Some(i) => self.free.swap_remove(i),
            None => {
                self.lens.push(0);
                self.lens.len() - 1
            }
        };
        self.lens[piece] = self.lens[piece].max(len);
        piece
    }
}

impl Tape {
    /// Lets computed values share memory, on a tape for inference: a value's memory is taken by another one when the last
    /// operation that reads it has run. Those of `kept`, leaves, and what follows from weights alone stay; no other value can be
    /// read from now on. Call it once, when everything is recorded. Results have the same bits.
    ///
    /// ```
    /// use stampnet_autograd::{Mode, Tape};
    /// use stampnet_tensor::Tensor;
    ///
    /// let mut tape = Tape::new(Mode::Inference);
    /// let x = tape.input(Tensor::from_vec([2], vec![1.0, -2.0])?);
    /// let mut y = x;
    /// for _ in 0..10 {
    ///     y = tape.mul(y, x)?;
    /// }
    /// tape.share_memory(&[y]);
    /// tape.replay(1);
    /// assert_eq!(tape.value(y).data(), [1.0, -2048.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the tape is for training: gradients read values again.
    pub fn share_memory(&mut self, kept: &[Var]) {
        assert_eq!(self.mode(), Mode::Inference, "gradients read values again");
        let last = self.last_reads(kept);
        let mut pieces = Pieces::default();
        let mut places = vec![None; self.buffers.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            if node.op.is_some() && last[node.buffer] != FOREVER {
                places[node.buffer] = Some(pieces.take(node.shape.len()));
            }
            let read = node.inputs.iter().map(|input| self.nodes[input.index()].buffer);
            for buffer in read.chain([node.buffer]).filter(|&buffer| last[buffer] == i) {
                // Once, though an operation may read a value twice.
                if let Some(piece) = places[buffer].filter(|piece| !pieces.free.contains(piece)) {
                    pieces.free.push(piece);
                }
            }
        }
        let first = self.buffers.len();
        for &len in &pieces.lens {
            self.buffers.push(Tensor::zeros(Shape::new(&[len]).expect("as long as a value")));
            self.grads.push(Gradient::default());
        }
        for node in &mut self.nodes {
            if let Some(piece) = places[node.buffer] {
                self.buffers[node.buffer] = Tensor::default();
                (node.buffer, node.is_kept) = (first + piece, false);
            }
        }
    }

    /// For each buffer the last node that reads it, or makes it if none does.
    fn last_reads(&self, kept: &[Var]) -> Vec<usize> {
        let mut last = vec![0; self.buffers.len()];
        let kept = kept.iter().map(|var| var.index());
        for (i, node) in self.nodes.iter().enumerate() {
            let read = node.inputs.iter().map(|input| self.nodes[input.index()].buffer);
            for buffer in read.chain([node.buffer]) {
                last[buffer] = i;
            }
        }
        let stays = |node: &Node| node.is_fixed || (node.op.is_none() && node.inputs.is_empty());
        for node in kept.map(|i| &self.nodes[i]).chain(self.nodes.iter().filter(|node| stays(node))) {
            last[node.buffer] = FOREVER;
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AutogradError;

    /// A row of operations around a shortcut, with a reshaped value on the way.
    fn record(tape: &mut Tape) -> Result<[Var; 3], AutogradError> {
        let numbers = |from: f32| Tensor::from_vec([6], (0..6).map(|i| i as f32 + from).collect());
        let (x, weight) = (tape.input(numbers(-2.0)?), tape.variable(numbers(1.0)?));
        let scaled_weight = tape.scale(weight, 0.5)?;
        let early = tape.mul(x, scaled_weight)?;
        let mut y = tape.relu(early)?;
        for _ in 0..3 {
            y = tape.mul(y, y)?;
            y = tape.reshape(y, &[2, 3])?;
            y = tape.scale(y, 0.25)?;
            y = tape.reshape(y, &[6])?;
        }
        let kept = tape.relu(y)?;
        let sum = tape.add(kept, early)?;
        let total = tape.sum(sum)?;
        Ok([x, kept, total])
    }

    #[test]
    fn values_that_do_not_live_together_share_memory() -> Result<(), AutogradError> {
        let (mut apart, mut shared) = (Tape::new(Mode::Inference), Tape::new(Mode::Inference));
        record(&mut apart)?;
        let [x, kept, total] = record(&mut shared)?;
        let before = shared.buffers.len();
        shared.share_memory(&[kept, total]);
        // One for what the shortcut keeps, two in turns.
        assert_eq!(shared.buffers[before..].iter().map(|piece| piece.shape().len()).collect::<Vec<_>>(), [6, 6, 6]);
        for step in 0..3 {
            for tape in [&mut apart, &mut shared] {
                tape.leaf_mut(x)[step] += 3.0;
            }
            apart.replay(1);
            if step == 1 {
                shared.replay_inputs(1)
            } else {
                shared.replay(1)
            }
            for var in [x, kept, total] {
                assert_eq!(shared.value(var).data(), apart.value(var).data(), "step {step}");
            }
        }
        Ok(())
    }

    #[test]
    #[should_panic(expected = "the memory of value 3 is shared; keep it in Tape::share_memory")]
    fn a_value_that_is_not_kept_cannot_be_read() {
        let mut tape = Tape::new(Mode::Inference);
        let [_, kept, _] = record(&mut tape).expect("shapes fit");
        tape.share_memory(&[kept]);
        tape.value(Var::at(3));
    }
}
