//! Pooling by windows.

use serde_json::{Map, Value};
use stampnet_autograd::{Tape, Var};
use stampnet_conv::Pooling;
use stampnet_geometry::{Nhwc, Padding, PoolGeometry, PoolOptions};
use stampnet_tensor::Shape;

use super::Summary;
use crate::config::{Config, ConfigError, ConfigValue, entries};
use crate::{Built, Call, DataFormat, Extent, Layer, LayerError};

/// A pooling layer over `N` axes: [`MaxPooling2D`](crate::layers::MaxPooling2D) and the others are names for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool<K, const N: usize> {
    summary: K,
    pool_size: Extent<N>,
    strides: Extent<N>,
    padding: Padding,
    data_format: DataFormat,
}

impl<K: Summary, const N: usize> Pool<K, N> {
    /// Windows of `pool_size` (one number, or one for each axis), side by side.
    pub fn new(pool_size: impl Into<Extent<N>>) -> Self {
        let pool_size = pool_size.into();
        Self {
            summary: K::default(),
            pool_size,
            strides: pool_size,
            padding: Padding::Valid,
            data_format: DataFormat::ChannelsLast,
        }
    }

    /// Sets the cells from one window to the next (one number, or one for each axis); the pool size by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Into<Extent<N>>) -> Self {
        self.strides = strides.into();
        self
    }

    /// Sets the padding rule; `Valid` by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Sets where the channels of input and output stand; last by default.
    #[must_use]
    pub fn data_format(mut self, data_format: DataFormat) -> Self {
        self.data_format = data_format;
        self
    }

    pub(in crate::layers) fn from_config(config: &mut Config) -> Result<Self, ConfigError> {
        let mut layer = Self::new(2);
        config.optional("pool_size", &mut layer.pool_size)?;
        let mut strides = None;
        config.optional("strides", &mut strides)?;
        layer.strides = strides.unwrap_or(layer.pool_size);
        config.optional("padding", &mut layer.padding)?;
        config.optional("data_format", &mut layer.data_format)?;
        Ok(layer)
    }

    /// The windows along the last two axes.
    fn planar(&self) -> PoolOptions {
        PoolOptions { pool: self.pool_size.planar(), stride: self.strides.planar(), padding: self.padding }
    }

    /// The windows along the depth of a volume, as those of images whose width is left alone.
    fn depth(&self) -> PoolOptions {
        let [pool, stride] = [self.pool_size.0[0], self.strides.0[0]];
        PoolOptions { pool: (pool, 1).into(), stride: (stride, 1).into(), padding: self.padding }
    }
}

impl<K: Summary, const N: usize> Layer for Pool<K, N> {
    fn class_name(&self) -> &'static str {
        match (K::IS_MAX, N) {
            (true, 1) => "MaxPooling1D",
            (true, 2) => "MaxPooling2D",
            (true, _) => "MaxPooling3D",
            (false, 1) => "AveragePooling1D",
            (false, 2) => "AveragePooling2D",
            (false, _) => "AveragePooling3D",
        }
    }

    fn config(&self) -> Map<String, Value> {
        let own = [
            ("pool_size", self.pool_size.write()),
            ("padding", self.padding.write()),
            ("strides", self.strides.write()),
            ("data_format", self.data_format.write()),
        ];
        entries(own, &[])
    }

    fn build(&self, input: Shape) -> Result<Built, LayerError> {
        let last = self.data_format.channels_last(input)?;
        if last.rank() != N + 1 {
            return Err(LayerError::Rank { expected: self.data_format.expected(N), received: input.into() });
        }
        if N == 3 && matches!(self.padding, Padding::Explicit { .. }) {
            return Err(LayerError::Padding { expected: "'valid' or 'same'", received: self.padding });
        }
        let height = if N == 1 { 1 } else { last[N - 2] };
        let image = Nhwc { n: 1, h: height, w: last[N - 1], c: last[N] };
        let geometry = PoolGeometry::new(image, &self.planar())?;
        let mut dims = geometry.output().dims().to_vec();
        if N == 3 {
            let slices = Nhwc { n: 1, h: last[0], w: dims[1].saturating_mul(dims[2]), c: last[N] };
            dims[0] = PoolGeometry::new(slices, &self.depth())?.h().output();
        }
        let output = Shape::new(&dims[3 - N..])?;
        Built::stateless(&self.data_format.restored(output)?)
    }

    /// A volume is pooled slice by slice, then along the depth: the largest of the largest, or the mean of means, since all
    /// windows of a slice count the same cells.
    fn call(&self, tape: &mut Tape, call: &Call<'_>) -> Result<Var, LayerError> {
        let x = self.data_format.record_channels_last(tape, call.x)?;
        let shape = tape.shape(x);
        let y = match *shape.dims() {
            [n, w, c] if N == 1 => {
                let x = tape.reshape(x, &[n, 1, w, c])?;
                let y = K::windows(tape, x, &self.planar())?;
                let w = tape.shape(y)[2];
                tape.reshape(y, &[n, w, c])?
            }
            [n, d, h, w, c] if N == 3 => {
                let slices = tape.reshape(x, &[n * d, h, w, c])?;
                let pooled = K::windows(tape, slices, &self.planar())?;
                let (h, w) = (tape.shape(pooled)[1], tape.shape(pooled)[2]);
                let columns = tape.reshape(pooled, &[n, d, h * w, c])?;
                let y = K::windows(tape, columns, &self.depth())?;
                let d = tape.shape(y)[1];
                tape.reshape(y, &[n, d, h, w, c])?
            }
            _ => K::windows(tape, x, &self.planar())?,
        };
        self.data_format.record_restored(tape, y)
    }

    fn pooling(&self) -> Option<(Pooling, PoolOptions)> {
        let pooling = if K::IS_MAX { Pooling::Max } else { Pooling::Average };
        (N == 2 && self.data_format == DataFormat::ChannelsLast).then(|| (pooling, self.planar()))
    }
}
