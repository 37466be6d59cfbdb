//! Geometry of sliding windows.
//!
//! Padding, stride, dilation and groups become one validated `Copy` value, built once. Every size read from it is right
//! by construction: non-zero, without overflow, and consistent with every other. Kernels take that value and derive no
//! size again.
//!
//! ```
//! use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding};
//!
//! let input = Nhwc { n: 1, h: 28, w: 28, c: 1 };
//! let options = ConvOptions::new(32, 3).padding(Padding::Same).stride((2, 1));
//! let g = ConvGeometry::new(input, &options)?;
//! assert_eq!(g.output().dims(), [1, 14, 28, 32]);
//! assert_eq!(g.weight_dims(), [3, 3, 1, 32]);
//! # Ok::<(), stampnet_geometry::GeometryError>(())
//! ```
#![forbid(unsafe_code)]

mod axis;
mod conv;
mod descriptor;
mod error;
mod padding;
mod pool;
mod size;
mod transposed;

pub use axis::{Axis, Window};
pub use conv::{ConvGeometry, ConvOptions};
pub use descriptor::{ConvDescriptor, ParseDescriptorError, PoolDescriptor};
pub use error::{AxisName, GeometryError};
pub use padding::{AxisPadding, Padding, ParsePaddingError};
pub use pool::{PoolGeometry, PoolOptions};
pub use size::{Nhwc, Size};
pub use transposed::TransposedOptions;
