//! What the tests share.

use stampnet_nn::Model;
use stampnet_tensor::{Purpose, RandomStream, Tensor};

/// Numbers in `[-1, 1)`.
pub(crate) fn uniform(dims: &[usize], minor: u32) -> Tensor {
    let mut stream = RandomStream::new(11, Purpose::Test, 0, minor);
    let values = (0..dims.iter().product::<usize>()).map(|_| stream.uniform_in(-1.0, 1.0)).collect();
    Tensor::from_vec(dims, values).unwrap()
}

/// All weights of a model as bits, so that NaN and signs of zero count.
pub(crate) fn bits(model: &Model) -> Vec<Vec<u32>> {
    model.weights().iter().map(|weight| weight.tensor().data().iter().map(|x| x.to_bits()).collect()).collect()
}

/// Images of two classes that a small network can tell apart: a bright column, or a bright row, in noise.
pub(crate) struct Bars {
    pub(crate) images: Tensor,
    pub(crate) labels: Tensor,
}

impl Bars {
    pub(crate) const SIDE: usize = 6;

    pub(crate) fn new(n: usize) -> Self {
        let mut images = uniform(&[n, Self::SIDE, Self::SIDE, 1], 1);
        let mut stream = RandomStream::new(11, Purpose::Test, 1, 0);
        let mut labels = Vec::new();
        for image in images.data_mut().chunks_exact_mut(Self::SIDE * Self::SIDE) {
            let (at, is_row) = (stream.below(6) as usize, stream.below(2) == 1);
            for i in 0..Self::SIDE {
                image[if is_row { at * Self::SIDE + i } else { i * Self::SIDE + at }] += 2.0;
            }
            labels.push(f32::from(u8::from(is_row)));
        }
        Self { images, labels: Tensor::from_vec([n], labels).unwrap() }
    }
}
