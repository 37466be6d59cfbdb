//! Margins of zeros around images, and their removal: each is the other's gradient.

use rayon::prelude::*;
use stampnet_geometry::{GeometryError, Nhwc};
use stampnet_tensor::Shape;

use crate::parallel::grain;
use crate::{AutogradError, InputGrads, Inputs, Op, Saved, Step, Tape, Var};

/// Cells on each side of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Margins {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns on the left.
    pub left: usize,
    /// Columns on the right.
    pub right: usize,
}

impl Tape {
    /// `x`, `[n, h, w, c]`, with margins of zeros: `[n, top + h + bottom, left + w + right, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, or the result would be too large.
    pub fn zero_pad2d(&mut self, x: Var, margins: Margins) -> Result<Var, AutogradError> {
        let inner = self.images("zero_pad2d", x)?;
        let Margins { top, bottom, left, right } = margins;
        let grown =
            |size: usize, before, after| size.checked_add(before).and_then(|size: usize| size.checked_add(after));
        let (Some(h), Some(w)) = (grown(inner.h, top, bottom), grown(inner.w, left, right)) else {
            let (what, factors) = ("padded image", vec![top, inner.h, bottom, left, inner.w, right]);
            return Err(GeometryError::TooLarge { what, factors, max: usize::MAX }.into());
        };
        let outer = Nhwc { h, w, ..inner };
        let frame = Frame { inner, outer, margins, is_pad: true };
        Ok(self.record(frame, &[x], Shape::new(&outer.dims())?))
    }

    /// `x`, `[n, h, w, c]`, without its margins: `[n, h - top - bottom, w - left - right, c]`.
    ///
    /// # Errors
    /// `x` is no batch of images, or nothing would be left.
    pub fn crop2d(&mut self, x: Var, margins: Margins) -> Result<Var, AutogradError> {
        let outer = self.images("crop2d", x)?;
        let Margins { top, bottom, left, right } = margins;
        let rest = |size: usize, before, after| {
            size.checked_sub(before).and_then(|size: usize| size.checked_sub(after)).filter(|&size| size > 0)
        };
        let (Some(h), Some(w)) = (rest(outer.h, top, bottom), rest(outer.w, left, right)) else {
            return Err(AutogradError::Crop { h: outer.h, w: outer.w, margins });
        };
        let inner = Nhwc { h, w, ..outer };
        let frame = Frame { inner, outer, margins, is_pad: false };
        Ok(self.record(frame, &[x], Shape::new(&inner.dims())?))
    }
}

struct Frame {
    inner: Nhwc,
    outer: Nhwc,
    margins: Margins,
    is_pad: bool,
}

impl Frame {
    /// Overwrites `outer` with `inner` and zeros around it.
    fn surround(&self, inner: &[f32], outer: &mut [f32]) {
        let min = grain(outer.len());
        let (inner_row, outer_row, left) = (self.inner.w * self.inner.c, self.outer.w * self.outer.c, self.left());
        outer.par_chunks_mut(outer_row).with_min_len(min).enumerate().for_each(|(row, outer)| {
            outer.fill(0.0);
            let (image, row) = (row / self.outer.h, row % self.outer.h);
            if let Some(row) = row.checked_sub(self.margins.top).filter(|&row| row < self.inner.h) {
                let inner = &inner[(image * self.inner.h + row) * inner_row..][..inner_row];
                outer[left..left + inner_row].copy_from_slice(inner);
            }
        });
    }

    /// Overwrites `inner` with the middle of `outer`.
    fn cut_out(&self, outer: &[f32], inner: &mut [f32]) {
        let min = grain(inner.len());
        let (inner_row, outer_row, left) = (self.inner.w * self.inner.c, self.outer.w * self.outer.c, self.left());
        inner.par_chunks_mut(inner_row).with_min_len(min).enumerate().for_each(|(row, inner)| {
            let (image, row) = (row / self.inner.h, row % self.inner.h);
            let start = (image * self.outer.h + row + self.margins.top) * outer_row + left;
            inner.copy_from_slice(&outer[start..start + inner_row]);
        });
    }

    const fn left(&self) -> usize {
        self.margins.left * self.inner.c
    }
}

impl Op for Frame {
    fn name(&self) -> &'static str {
        if self.is_pad { "zero_pad2d" } else { "crop2d" }
    }

    fn is_by_sample(&self, _: usize) -> bool {
        true
    }

    fn forward(&mut self, inputs: &mut Inputs<'_>, output: &mut [f32], _: Step) {
        let x = inputs.get(0);
        if self.is_pad { self.surround(x.data(), output) } else { self.cut_out(x.data(), output) }
    }

    fn backward(&mut self, _: &Saved<'_>, grad_output: &mut [f32], grads: &mut InputGrads<'_>) {
        grads.give(
            0,
            |grad| {
                if self.is_pad { self.cut_out(grad_output, grad) } else { self.surround(grad_output, grad) }
            },
        );
    }
}
