//! What initializers fill weights with.

use stampnet_tensor::{RandomStream, Shape};

/// The standard deviation of the standard normal distribution cut at two standard deviations.
pub(super) const CUT_DEVIATION: f64 = 0.879_625_661_034_239_8;

pub(super) fn fill_uniform(values: &mut [f32], variance: f64, stream: &mut RandomStream) {
    let limit = (3.0 * variance).sqrt() as f32;
    values.fill_with(|| stream.uniform_in(-limit, limit));
}

pub(super) fn fill_cut_normal(values: &mut [f32], variance: f64, stream: &mut RandomStream) {
    let deviation = (variance.sqrt() / CUT_DEVIATION) as f32;
    values.fill_with(|| deviation * cut_normal(stream));
}

/// A number of the standard normal distribution between -2 and 2, by rejection.
pub(super) fn cut_normal(stream: &mut RandomStream) -> f32 {
    loop {
        let x = stream.normal();
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

/// Orthogonal vectors of length `gain` along the shorter side of the weight as a matrix.
///
/// Random normal vectors, made orthogonal one after the other (Gram and Schmidt). Each is freed of the earlier ones twice:
/// after that what rounding leaves of them is nil. This is Keras's QR decomposition with the signs that make the diagonal of R
/// positive.
pub(super) fn orthogonal(values: &mut [f32], shape: Shape, gain: f64, stream: &mut RandomStream) {
    let columns = shape[shape.rank() - 1];
    let rows = values.len() / columns.max(1);
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..len).map(|_| f64::from(stream.normal())).collect();
        for _ in 0..2 {
            for other in &vectors {
                let share = dot(&vector, other);
                vector.iter_mut().zip(other).for_each(|(x, other)| *x -= share * other);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        vectors.push(vector);
    }
    for (i, value) in values.iter_mut().enumerate() {
        let (row, column) = (i / columns, i % columns);
        *value = (gain * if rows < columns { vectors[row][column] } else { vectors[column][row] }) as f32;
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `gain` where both indices of a matrix are equal.
pub(super) fn diagonal(values: &mut [f32], shape: Shape, gain: f32) {
    values.iter_mut().step_by(shape[1] + 1).take(shape[0].min(shape[1])).for_each(|value| *value = gain);
}

/// 1 at the middle tap of a kernel `[.., c, oc]` from channel `i` to channel `i`. The middle of an even axis is the later one
/// of two, as in PyTorch.
pub(super) fn dirac(values: &mut [f32], shape: Shape) {
    let (receptive, channels) = shape.split_at(shape.rank() - 2);
    let middle = receptive.iter().fold(0, |tap, &size| tap * size + size / 2);
    let matrix = channels[0] * channels[1];
    let own = &mut values[middle * matrix..][..matrix];
    own.iter_mut().step_by(channels[1] + 1).take(channels[0].min(channels[1])).for_each(|value| *value = 1.0);
}
