//! One file per operation: its method on [`Tape`](crate::Tape), its forward run and, beside it, its gradient.

mod add;
mod avg_pool;
mod batch_norm;
mod broadcast;
mod concat;
mod conv2d;
mod conv2d_max_pool;
mod cross_entropy;
mod dense;
mod dropout;
mod epilogue;
mod gelu;
mod labels;
mod matmul;
mod max_pool;
mod mean_squared_error;
mod mul;
mod pointwise;
mod reduce;
mod relu;
mod scale;
mod sigmoid;
mod softmax;
mod softmax_cross_entropy;
mod tanh;

pub use batch_norm::BatchNorm;
