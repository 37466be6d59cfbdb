//! Pooling kernels: maximum, average and global, forward and gradients.
//!
//! Activations are NHWC. Padding never wins a maximum and never counts in the divisor of an average. Global pooling is
//! pooling with a window as large as the image, [`PoolGeometry::global`](stampnet_geometry::PoolGeometry::global).
