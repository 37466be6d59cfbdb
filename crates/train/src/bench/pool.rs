//! One pooling, ready to be timed in every pass beside a plain walk over the same memory.

use std::hint::black_box;

use rayon::prelude::*;
use stampnet_geometry::PoolGeometry;
use stampnet_pool::{
    AverageForward, AverageGradInput, MaxForward, MaxGradInput, PoolError, average_forward, average_grad_input,
    max_forward, max_grad_input,
};
use stampnet_simd::{Kernel, Level, Simd};
use stampnet_tensor::{AlignedVec, Purpose, RandomStream};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolPass {
    MaxForward,
    MaxBackward,
    AverageForward,
    AverageBackward,
}

impl PoolPass {
    pub(crate) const ALL: [Self; 4] =
        [Self::MaxForward, Self::MaxBackward, Self::AverageForward, Self::AverageBackward];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MaxForward => "max forward",
            Self::MaxBackward => "max backward",
            Self::AverageForward => "average forward",
            Self::AverageBackward => "average backward",
        }
    }
}

/// A pooling and arrays for all of its passes.
pub(crate) struct PoolProblem {
    geometry: PoolGeometry,
    level: Level,
    /// As long as the input and as the output.
    large: AlignedVec<f32>,
    small: AlignedVec<f32>,
    argmax: Vec<u32>,
}

impl PoolProblem {
    /// Fills the input with random numbers, and the positions of maxima with what they are.
    ///
    /// # Errors
    /// The window is too large for positions.
    pub(crate) fn new(geometry: PoolGeometry) -> Result<Self, PoolError> {
        let mut stream = RandomStream::new(1, Purpose::Test, 0, 0);
        let values: Vec<f32> = (0..geometry.input().len()).map(|_| stream.uniform_in(-1.0, 1.0)).collect();
        let (large, small) = (AlignedVec::from_slice(&values), AlignedVec::zeroed(geometry.output().len()));
        let argmax = vec![0; geometry.output().len()];
        let mut problem = Self { geometry, level: Level::current(), large, small, argmax };
        problem.run(PoolPass::MaxForward)?;
        Ok(problem)
    }

    /// Runs a pass.
    ///
    /// # Errors
    /// The arrays do not fit, which cannot be.
    pub(crate) fn run(&mut self, pass: PoolPass) -> Result<(), PoolError> {
        let Self { geometry: g, level, large, small, argmax } = self;
        match pass {
            PoolPass::MaxForward => {
                max_forward(g, *level, MaxForward { input: large, output: small, argmax: Some(argmax) })
            }
            PoolPass::MaxBackward => {
                max_grad_input(g, *level, MaxGradInput { grad_output: small, argmax, grad_input: large })
            }
            PoolPass::AverageForward => average_forward(g, *level, AverageForward { input: large, output: small }),
            PoolPass::AverageBackward => {
                average_grad_input(g, *level, AverageGradInput { grad_output: small, grad_input: large })
            }
        }
    }

    /// Reads and writes once, with all threads, what `pass` reads and writes: the least that it could take.
    pub(crate) fn walk(&mut self, pass: PoolPass) {
        let Self { level, large, small, argmax, .. } = self;
        let level = *level;
        let positions: &mut [f32] = bytemuck::cast_slice_mut(argmax);
        let per_task = |len: usize, tasks: usize| len.div_ceil(tasks).max(1);
        let tasks = (large.len() / WALK_TASK).max(1);
        let [long, short] = [per_task(large.len(), tasks), per_task(small.len(), tasks)];
        match pass {
            PoolPass::MaxForward => {
                let outputs = small.par_chunks_mut(short).zip(positions.par_chunks_mut(short));
                large.par_chunks(long).zip(outputs).for_each(|(input, (output, positions))| {
                    level.run(Walk { read: [input, &[]], write: [output, positions] });
                });
            }
            PoolPass::AverageForward => {
                large.par_chunks(long).zip(small.par_chunks_mut(short)).for_each(|(input, output)| {
                    level.run(Walk { read: [input, &[]], write: [output, &mut []] });
                })
            }
            PoolPass::MaxBackward => {
                let inputs = small.par_chunks(short).zip(positions.par_chunks(short));
                large.par_chunks_mut(long).zip(inputs).for_each(|(output, (grad, positions))| {
                    level.run(Walk { read: [grad, positions], write: [output, &mut []] });
                });
            }
            PoolPass::AverageBackward => {
                large.par_chunks_mut(long).zip(small.par_chunks(short)).for_each(|(output, grad)| {
                    level.run(Walk { read: [grad, &[]], write: [output, &mut []] });
                });
            }
        }
    }
}

/// Elements of the larger array that a task of a walk takes.
const WALK_TASK: usize = 1 << 15;

/// Reads some arrays and overwrites others.
pub(super) struct Walk<'a> {
    pub(super) read: [&'a [f32]; 2],
    pub(super) write: [&'a mut [f32]; 2],
}

impl Kernel for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut sums = [s.splat(0.0); 4];
        for read in self.read {
            for block in read.chunks_exact(4 * S::LANES) {
                for (sum, values) in sums.iter_mut().zip(block.chunks_exact(S::LANES)) {
                    *sum = s.add(*sum, s.from_slice(values));
                }
            }
        }
        let total = s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3]));
        for write in self.write {
            for values in write.chunks_exact_mut(S::LANES) {
                s.to_slice(total, values);
            }
            black_box(write);
        }
    }
}
