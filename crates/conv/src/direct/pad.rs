//! Padded copies.

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
