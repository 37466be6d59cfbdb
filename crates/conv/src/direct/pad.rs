//! Padded copies, and the samples that they are made of.

use std::ops::Range;

/// A part of an image of rows by columns by channels, with a border: which cells a padded copy has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaddedPart {
    /// Rows, columns and channels of the image.
    pub(crate) image: [usize; 3],
    /// Padding above and on the left.
    pub(crate) before: [usize; 2],
    /// The first padded row to copy.
    pub(crate) first_row: usize,
    /// Padded rows and columns to copy.
    pub(crate) size: [usize; 2],
}

impl PaddedPart {
    /// Elements of the copy.
    pub(crate) const fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.image[2]
    }

    /// Elements of a row of the copy.
    pub(crate) const fn row_len(&self) -> usize {
        self.size[1] * self.image[2]
    }

    /// Whether no cell lies in the padding, so that no copy is needed.
    pub(crate) fn lies_inside(&self) -> bool {
        self.before == [0, 0] && self.first_row + self.size[0] <= self.image[0] && self.size[1] <= self.image[1]
    }

    /// Overwrites `padded` with the part; cells outside the image are zero.
    pub(crate) fn copy(&self, image: &[f32], padded: &mut [f32]) {
        let [rows, columns, channels] = self.image;
        let [top, left] = self.before;
        let left = left.min(self.size[1]);
        let copied = columns.min(self.size[1] - left) * channels;
        for (i, padded) in padded.chunks_exact_mut(self.size[1] * channels).enumerate() {
            match (self.first_row + i).checked_sub(top).filter(|&row| row < rows) {
                Some(row) => {
                    let (border, rest) = padded.split_at_mut(left * channels);
                    border.fill(0.0);
                    rest[..copied].copy_from_slice(&image[row * columns * channels..][..copied]);
                    rest[copied..].fill(0.0);
                }
                None => padded.fill(0.0),
            }
        }
    }
}

/// A batch of samples that a kernel reads.
pub(crate) trait Samples: Sync {
    /// Some samples as they lie in memory, one after the other, if they do.
    fn samples(&self, range: Range<usize>) -> Option<&[f32]>;

    /// Overwrites `padded` with a part of sample `n`.
    fn copy(&self, n: usize, part: &PaddedPart, padded: &mut [f32]);
}

/// Samples that follow each other in memory.
pub(crate) struct Dense<'a> {
    /// All samples.
    pub(crate) data: &'a [f32],
    /// Elements of a sample.
    pub(crate) len: usize,
}

impl Samples for Dense<'_> {
    fn samples(&self, range: Range<usize>) -> Option<&[f32]> {
        Some(&self.data[range.start * self.len..range.end * self.len])
    }

    fn copy(&self, n: usize, part: &PaddedPart, padded: &mut [f32]) {
        part.copy(&self.data[n * self.len..][..self.len], padded);
    }
}
