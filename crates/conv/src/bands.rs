//! Tasks that overwrite a batch of images: bands of rows.

use std::ops::Range;

use rayon::prelude::*;
use stampnet_geometry::Nhwc;

use crate::tasks;

/// Tasks that a batch is cut into, as far as its rows allow.
const TASKS: usize = 32;

/// Operations below which a task is not worth handing to a thread.
const MIN_WORK: f64 = 1e5;

/// A batch cut into bands of rows, one task each. The cut depends on the problem alone. Bands of one sample follow each
/// other, so neighbouring tasks share borders that are in cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bands {
    shape: Nhwc,
    rows: usize,
    min_samples: usize,
    work: f64,
}

/// The place of one task's rows.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    pub(crate) sample: usize,
    pub(crate) rows: Range<usize>,
}

impl Bands {
    /// Cuts a batch of `shape` of which all rows together cost `work` operations.
    pub(crate) fn new(shape: Nhwc, work: f64) -> Self {
        let per_sample = TASKS.div_ceil(shape.n);
        let worth = (MIN_WORK * (shape.n * shape.h) as f64 / work).ceil() as usize;
        let rows = shape.h.div_ceil(per_sample).max(worth).min(shape.h);
        Self { shape, rows, min_samples: worth.div_ceil(shape.h), work }
    }

    /// Calls `task` for every band with its elements of `images`, on the threads of the current pool.
    pub(crate) fn for_each(self, images: &mut [f32], task: impl Fn(Band, &mut [f32]) + Sync) {
        let row_len = self.shape.w * self.shape.c;
        let run = |sample, band, elements: &mut [f32]| {
            let first = band * self.rows;
            task(Band { sample, rows: first..first + elements.len() / row_len }, elements);
        };
        if !tasks::is_worth_sharing(self.work) {
            for (sample, image) in images.chunks_mut(self.shape.h * row_len).enumerate() {
                let bands = image.chunks_mut(self.rows * row_len).enumerate();
                bands.for_each(|(band, elements)| run(sample, band, elements));
            }
            return;
        }
        let samples = images.par_chunks_mut(self.shape.h * row_len).with_min_len(self.min_samples.max(1)).enumerate();
        samples.for_each(|(sample, image)| {
            let bands = image.par_chunks_mut(self.rows * row_len).enumerate();
            bands.for_each(|(band, elements)| run(sample, band, elements));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_every_row_once() {
        for (shape, work) in [
            (Nhwc { n: 1, h: 7, w: 2, c: 3 }, 1.0),
            (Nhwc { n: 1, h: 7, w: 2, c: 3 }, 1e9),
            (Nhwc { n: 3, h: 50, w: 1, c: 1 }, 3e6),
            (Nhwc { n: 100, h: 5, w: 2, c: 1 }, 1e12),
        ] {
            let mut images = vec![0.0; shape.len()];
            Bands::new(shape, work).for_each(&mut images, |band, elements| {
                for (row, cells) in band.rows.zip(elements.chunks_exact_mut(shape.w * shape.c)) {
                    for cell in cells {
                        *cell += (band.sample * shape.h + row + 1) as f32;
                    }
                }
            });
            for (row, cells) in images.chunks_exact(shape.w * shape.c).enumerate() {
                assert!(cells.iter().all(|&cell| cell == (row + 1) as f32), "{shape:?}, row {row}");
            }
        }
    }

    #[test]
    fn small_problems_are_one_task_and_large_ones_are_many() {
        let shape = Nhwc { n: 1, h: 64, w: 8, c: 8 };
        assert_eq!(Bands::new(shape, 1000.0).rows, 64);
        assert_eq!(Bands::new(shape, 1e9).rows, 2);
        assert_eq!(Bands::new(Nhwc { n: 32, ..shape }, 1e12).rows, 64);
    }
}
