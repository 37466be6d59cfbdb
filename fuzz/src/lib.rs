//! How the fuzz targets turn bytes into problems.
#![forbid(unsafe_code)]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use stampnet_geometry::{Padding, Size};

/// A size that is mostly small, sometimes of the order of a real image, and sometimes anything that a `usize` can hold.
///
/// # Errors
/// Never in practice: when the bytes run out, zeros follow.
pub fn any_size(u: &mut Unstructured<'_>) -> Result<usize> {
    match u.int_in_range(0..=7_u8)? {
        0..=4 => u.int_in_range(0..=20),
        5 => u.int_in_range(0..=5_000),
        6 => Ok(usize::MAX - u.int_in_range(0..=1_000_usize)?),
        _ => u.arbitrary(),
    }
}

/// A height and a width, each drawn by `size`.
///
/// # Errors
/// As `size`.
pub fn pair(u: &mut Unstructured<'_>, size: fn(&mut Unstructured<'_>) -> Result<usize>) -> Result<Size> {
    Ok(Size { h: size(u)?, w: size(u)? })
}

/// Any padding rule, explicit pads drawn by `size`.
///
/// # Errors
/// As `size`.
pub fn padding(u: &mut Unstructured<'_>, size: fn(&mut Unstructured<'_>) -> Result<usize>) -> Result<Padding> {
    Ok(match u.int_in_range(0..=3_u8)? {
        0 => Padding::Valid,
        1 => Padding::Same,
        2 => Padding::Causal,
        _ => Padding::Explicit { top: size(u)?, bottom: size(u)?, left: size(u)?, right: size(u)? },
    })
}
