//! Limits on gradients.

use rayon::prelude::*;
use stampnet_simd::{Kernel, Level, Simd};

use super::check_range;
use super::sweep::CHUNK;
use crate::TrainError;

/// At most one of Keras's three limits on gradients.
#[derive(Clone, Debug, Default)]
pub(super) struct Clip {
    pub(super) norm: Option<f64>,
    pub(super) value: Option<f64>,
    pub(super) global_norm: Option<f64>,
    /// The factor that the global norm gives in this step.
    global_scale: f32,
    parts: Vec<f64>,
}

impl Clip {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let all = [("clipnorm", self.norm), ("clipvalue", self.value), ("global_clipnorm", self.global_norm)];
        let mut given = all.iter().filter_map(|&(name, limit)| Some((name, limit?)));
        let (Some((name, limit)), second) = (given.next(), given.next()) else { return Ok(()) };
        if let Some((second, _)) = second {
            return Err(TrainError::TwoClips { first: name, second });
        }
        check_range(name, limit, "above 0", limit > 0.0 && limit.is_finite())
    }

    /// Looks at all gradients of a step, if it must.
    pub(super) fn begin_step(&mut self, gradients: &mut dyn Iterator<Item = &[f32]>, level: Level) {
        let Some(limit) = self.global_norm else { return };
        let mut squares = 0.0;
        for gradient in gradients {
            squares += self.square_sum(gradient, level);
        }
        self.global_scale = scale(squares, limit);
    }

    /// The factor for this gradient and the largest size of what it gives.
    pub(super) fn of(&mut self, gradient: &[f32], level: Level) -> (f32, f32) {
        match (self.norm, self.value, self.global_norm) {
            (Some(limit), ..) => (scale(self.square_sum(gradient, level), limit), f32::INFINITY),
            (_, Some(limit), _) => (1.0, limit as f32),
            (.., Some(_)) => (self.global_scale, f32::INFINITY),
            _ => (1.0, f32::INFINITY),
        }
    }

    /// The sum of the squares, in parts that are added in order.
    fn square_sum(&mut self, gradient: &[f32], level: Level) -> f64 {
        gradient.par_chunks(CHUNK).map(|part| level.run(Squares(part))).collect_into_vec(&mut self.parts);
        self.parts.iter().sum()
    }
}

/// `limit / norm` where the norm is above its limit, else 1. A norm that is not finite gives NaN, as in Keras.
fn scale(squares: f64, limit: f64) -> f32 {
    let norm = squares.sqrt();
    if norm.is_finite() { (limit / norm.max(limit)) as f32 } else { f32::NAN }
}

/// The sum of squares of a slice, in eight strands that run side by side.
struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        let mut strands = [0.0; 8];
        let blocks = self.0.chunks_exact(strands.len());
        let rest = blocks.remainder();
        for block in blocks {
            for (strand, &x) in strands.iter_mut().zip(block) {
                *strand += f64::from(x) * f64::from(x);
            }
        }
        for (strand, &x) in strands.iter_mut().zip(rest) {
            *strand += f64::from(x) * f64::from(x);
        }
        strands.iter().sum()
    }
}
