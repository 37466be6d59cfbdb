//! Padded copies of bfloat16 samples, with an even number of channels, so that every pair is within a pixel.

use half::bf16;

use crate::direct::pad::PaddedPart;

/// A padded copy whose pixels have `channels` numbers, those beyond the image's zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct EvenPart {
    part: PaddedPart,
    channels: usize,
}

impl EvenPart {
    pub(super) const fn new(part: PaddedPart) -> Self {
        Self { part, channels: part.image[2].next_multiple_of(2) }
    }

    /// Numbers of a row of the copy.
    pub(super) const fn row_len(&self) -> usize {
        self.part.size[1] * self.channels
    }

    /// Numbers of the copy.
    pub(super) const fn len(&self) -> usize {
        self.part.size[0] * self.row_len()
    }

    /// Where the part begins in the image, and the numbers of a row there, if it can be read without a copy.
    pub(super) fn in_image(&self) -> Option<(usize, usize)> {
        let [_, columns, channels] = self.part.image;
        let row = columns * channels;
        (self.part.lies_inside() && channels == self.channels).then_some((self.part.first_row * row, row))
    }

    /// Overwrites `padded` with the part; cells outside the image are zero.
    pub(super) fn copy(&self, image: &[bf16], padded: &mut [bf16]) {
        let [rows, columns, channels] = self.part.image;
        let [top, left] = self.part.before;
        let left = left.min(self.part.size[1]);
        let copied = columns.min(self.part.size[1] - left);
        for (i, padded) in padded.chunks_exact_mut(self.row_len()).enumerate() {
            let Some(row) = (self.part.first_row + i).checked_sub(top).filter(|&row| row < rows) else {
                padded.fill(bf16::ZERO);
                continue;
            };
            let image = &image[row * columns * channels..][..copied * channels];
            let (border, rest) = padded.split_at_mut(left * self.channels);
            let (inside, after) = rest.split_at_mut(copied * self.channels);
            border.fill(bf16::ZERO);
            after.fill(bf16::ZERO);
            if channels == self.channels {
                inside.copy_from_slice(image);
            } else {
                for (pixel, image) in inside.chunks_exact_mut(self.channels).zip(image.chunks_exact(channels)) {
                    pixel[..channels].copy_from_slice(image);
                    pixel[channels..].fill(bf16::ZERO);
                }
            }
        }
    }
}
