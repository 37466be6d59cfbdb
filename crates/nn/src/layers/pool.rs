//! What the pooling layers share.

use serde_json::{Map, Value};
use stampnet_geometry::{Nhwc, PoolGeometry, PoolOptions, Size};

use crate::config::{Config, ConfigError, ConfigValue, Fixed, Length, entries};
use crate::{Built, LayerError};

const FIXED: &[(&str, Fixed)] = &[("data_format", Fixed::Text("channels_last"))];

/// Reads the options of a layer on images. Strides that are absent or null equal the pool size.
pub(super) fn read_2d(config: &mut Config) -> Result<PoolOptions, ConfigError> {
    let mut options = PoolOptions::new(2);
    config.optional("pool_size", &mut options.pool)?;
    let mut strides: Option<Size> = None;
    config.optional("strides", &mut strides)?;
    options.stride = strides.unwrap_or(options.pool);
    config.optional("padding", &mut options.padding)?;
    config.only(FIXED)?;
    Ok(options)
}

/// Reads the options of a layer on sequences.
pub(super) fn read_1d(config: &mut Config) -> Result<PoolOptions, ConfigError> {
    let (mut pool, mut strides) = (Length(2), None);
    config.optional("pool_size", &mut pool)?;
    config.optional("strides", &mut strides)?;
    let mut options = options_1d(pool.0).stride((1, strides.unwrap_or(pool).0));
    config.optional("padding", &mut options.padding)?;
    config.only(FIXED)?;
    Ok(options)
}

/// Windows of `pool_size` steps, side by side.
pub(super) fn options_1d(pool_size: usize) -> PoolOptions {
    PoolOptions::new((1, pool_size))
}

pub(super) fn write_2d(options: &PoolOptions) -> Map<String, Value> {
    let (pool, strides) = (options.pool.write(), options.stride.write());
    entries([("pool_size", pool), ("padding", options.padding.write()), ("strides", strides)], FIXED)
}

pub(super) fn write_1d(options: &PoolOptions) -> Map<String, Value> {
    let (pool, strides) = (Length(options.pool.w).write(), Length(options.stride.w).write());
    entries([("pool_size", pool), ("padding", options.padding.write()), ("strides", strides)], FIXED)
}

pub(super) fn build_2d(options: &PoolOptions, input: Nhwc) -> Result<Built, LayerError> {
    Built::stateless(&PoolGeometry::new(input, options)?.output().dims()[1..])
}

pub(super) fn build_1d(options: &PoolOptions, input: Nhwc) -> Result<Built, LayerError> {
    Built::stateless(&PoolGeometry::new(input, options)?.output().dims()[2..])
}

/// Reads whether a global pooling layer keeps the axes that it pools.
pub(super) fn read_global(config: &mut Config) -> Result<bool, ConfigError> {
    let mut keepdims = false;
    config.optional("keepdims", &mut keepdims)?;
    config.only(FIXED)?;
    Ok(keepdims)
}

pub(super) fn write_global(keepdims: bool) -> Map<String, Value> {
    entries([("keepdims", keepdims.write())], FIXED)
}

/// The shape that global pooling leaves of `spatial` axes and `c` channels.
pub(super) fn global_dims(spatial: usize, c: usize, keepdims: bool) -> Vec<usize> {
    let mut dims = vec![1; if keepdims { spatial } else { 0 }];
    dims.push(c);
    dims
}
