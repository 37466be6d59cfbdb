//! How the fuzz targets turn bytes into problems, and what several of them need to run those.
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use rayon::{ThreadPool, ThreadPoolBuilder};
use stampnet_geometry::{ConvOptions, Nhwc, Padding, PoolOptions, Size};
use stampnet_testkit::{ConvProblem, PoolProblem};

/// A pool of one thread.
pub static ONE_THREAD: LazyLock<ThreadPool> = LazyLock::new(|| threads(1));

/// A pool of three threads.
pub static THREE_THREADS: LazyLock<ThreadPool> = LazyLock::new(|| threads(3));

fn threads(count: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(count).build().expect("the system has threads to give")
}

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

/// Channels of one group: often a few, sometimes enough to fill several vector registers and leave a rest.
fn channels(u: &mut Unstructured<'_>) -> Result<usize> {
    if u.ratio(3, 4)? { u.int_in_range(1..=9) } else { u.int_in_range(1..=100) }
}

/// Input cells along one axis.
fn cells(u: &mut Unstructured<'_>) -> Result<usize> {
    u.int_in_range(1..=20)
}

/// Stride, dilation or pad cells, zero included.
fn step(u: &mut Unstructured<'_>) -> Result<usize> {
    u.int_in_range(0..=5)
}

/// Taps along one axis.
fn taps(u: &mut Unstructured<'_>) -> Result<usize> {
    u.int_in_range(1..=6)
}

/// A convolution of a size that the reference computes at once. Its window need not fit.
///
/// # Errors
/// As [`any_size`].
pub fn conv_problem(u: &mut Unstructured<'_>) -> Result<ConvProblem> {
    let depthwise = u.ratio(1, 4)?;
    let (groups, group_c) = if depthwise { (channels(u)?, 1) } else { (u.int_in_range(1..=4)?, channels(u)?) };
    let group_oc = if depthwise { u.int_in_range(1..=3)? } else { channels(u)? };
    let input = Nhwc { n: u.int_in_range(1..=3)?, h: cells(u)?, w: cells(u)?, c: groups * group_c };
    let options = ConvOptions {
        filters: groups * group_oc,
        kernel: pair(u, taps)?,
        stride: pair(u, step)?,
        dilation: pair(u, step)?,
        padding: padding(u, step)?,
        groups,
    };
    Ok(ConvProblem { input, options })
}

/// A convolution that the kernels for a plain 3x3 window take: stride and dilation 1, whole vectors of input channels.
///
/// # Errors
/// As [`any_size`].
pub fn conv_3x3_problem(u: &mut Unstructured<'_>) -> Result<ConvProblem> {
    let input = Nhwc { n: u.int_in_range(1..=3)?, h: cells(u)?, w: cells(u)?, c: 16 * u.int_in_range(1..=3)? };
    let options = ConvOptions::new(u.int_in_range(1..=40)?, 3).padding(padding(u, step)?);
    Ok(ConvProblem { input, options })
}

/// A pooling of a size that the reference computes at once. Its window need not fit.
///
/// # Errors
/// As [`any_size`].
pub fn pool_problem(u: &mut Unstructured<'_>) -> Result<PoolProblem> {
    let input = Nhwc { n: u.int_in_range(1..=3)?, h: cells(u)?, w: cells(u)?, c: channels(u)? };
    let options = PoolOptions { pool: pair(u, taps)?, stride: pair(u, step)?, padding: padding(u, step)? };
    Ok(PoolProblem { input, options })
}
