//! NumPy's `.npy` format, version 1.0 and 2.0, little-endian, C order.

/// Numbers that a `.npy` file can hold.
pub trait Element: bytemuck::Pod {
    /// NumPy's name of the type, little-endian.
    const DESCR: &'static str;
}

impl Element for f32 {
    const DESCR: &'static str = "<f4";
}
