//! What a tape keeps of each value.

use stampnet_simd::Level;
use stampnet_tensor::{AlignedVec, Shape, Tensor, View};

use crate::memory::Spare;
use crate::op::Op;
use crate::parallel::{Plus, map_in_place};
use crate::tape::Var;

/// A value on the tape and how it is computed.
pub(crate) struct Node {
    pub(crate) shape: Shape,
    /// Which buffer holds the value; a reshaped value shares its input's.
    pub(crate) buffer: usize,
    pub(crate) inputs: Vec<Var>,
    pub(crate) needs_grad: bool,
    pub(crate) is_state: bool,
    /// Whether the elements are bfloat16 numbers.
    pub(crate) is_bfloat16: bool,
    /// Whether the tape rounds what the operation computes, and the gradient that it gets.
    pub(crate) is_rounded: bool,
    /// Whether the value follows from variables and state alone.
    pub(crate) is_fixed: bool,
    /// Whether the value is there after a run. It is not if others take its memory: see [`Tape::share_memory`].
    pub(crate) is_kept: bool,
    pub(crate) op: Option<Box<dyn Op>>,
}

impl Node {
    /// A value without an operation, which no gradient goes through.
    pub(crate) const fn new(shape: Shape, buffer: usize, inputs: Vec<Var>) -> Self {
        let (needs_grad, is_state, is_bfloat16, is_rounded) = (false, false, false, false);
        let (is_fixed, is_kept, op) = (false, true, None);
        Self { shape, buffer, inputs, needs_grad, is_state, is_bfloat16, is_rounded, is_fixed, is_kept, op }
    }

    /// The value, which may have more memory than it needs.
    pub(crate) fn view<'a>(&self, buffers: &'a [Tensor]) -> View<'a> {
        let elements = &buffers[self.buffer].data()[..self.shape.len()];
        View::new(self.shape.dims(), elements).expect("a node's shape fits its elements")
    }
}

/// The gradient of a buffer.
#[derive(Default)]
pub(crate) struct Gradient {
    /// May be longer than the value.
    pub(crate) data: AlignedVec<f32>,
    pub(crate) is_set: bool,
    /// Whether it stays, with its memory: that of a leaf. Others are used up.
    pub(crate) is_kept: bool,
}

impl Gradient {
    /// Lets `write` overwrite `len` numbers, or add to what is there.
    pub(crate) fn add_in_place(&mut self, len: usize, spare: &mut Spare, write: impl FnOnce(&mut [f32], bool)) {
        let adds = std::mem::replace(&mut self.is_set, true);
        write(self.memory(len, spare), adds);
    }

    /// Memory for `len` numbers: what is there, if the gradient is set.
    fn memory(&mut self, len: usize, spare: &mut Spare) -> &mut [f32] {
        if self.data.len() < len {
            self.data = if self.is_kept { AlignedVec::zeroed(len) } else { spare.take(len) };
        }
        &mut self.data[..len]
    }

    /// Adds what `overwrite` writes, `len` numbers, to what is there.
    pub(crate) fn take(&mut self, len: usize, spare: &mut Spare, level: Level, overwrite: impl FnOnce(&mut [f32])) {
        if !std::mem::replace(&mut self.is_set, true) {
            return overwrite(self.memory(len, spare));
        }
        let mut part = spare.take(len);
        overwrite(&mut part[..len]);
        map_in_place(level, Plus, [&part[..len]], self.memory(len, spare));
        spare.give(part);
    }
}
