//! The layers, one per file, and the registry that finds them by name.

mod activation;
mod adaptive_average_pooling2d;
mod adaptive_max_pooling2d;
mod add;
mod average;
mod average_pooling1d;
mod average_pooling2d;
mod average_pooling3d;
mod axes;
mod batch_normalization;
mod concatenate;
mod conv;
mod conv1d;
mod conv1d_transpose;
mod conv2d;
mod conv2d_transpose;
mod conv3d;
mod cropping2d;
mod dense;
mod depthwise_conv1d;
mod depthwise_conv2d;
mod dropout;
mod elu;
mod flatten;
mod gaussian_noise;
mod global_average_pooling1d;
mod global_average_pooling2d;
mod global_average_pooling3d;
mod global_max_pooling1d;
mod global_max_pooling2d;
mod global_max_pooling3d;
mod group_normalization;
mod layer_normalization;
mod leaky_relu;
mod margins;
mod max_pooling1d;
mod max_pooling2d;
mod max_pooling3d;
mod maximum;
mod merge;
mod multiply;
mod norm;
mod normalization;
mod numbers;
mod permute;
mod pool;
mod random;
mod random_contrast;
mod random_erasing;
mod random_flip;
mod random_rotation;
mod random_translation;
mod random_zoom;
mod relu;
mod rescaling;
mod reshape;
mod separable_conv1d;
mod separable_conv2d;
mod shape;
mod softmax;
mod spatial_dropout2d;
mod tail;
mod up_sampling2d;
mod warp;
mod weight_options;
mod zero_padding2d;

use std::sync::Arc;

pub use activation::Activation;
pub use adaptive_average_pooling2d::AdaptiveAveragePooling2D;
pub use adaptive_max_pooling2d::AdaptiveMaxPooling2D;
pub use add::Add;
pub use average::Average;
pub use average_pooling1d::AveragePooling1D;
pub use average_pooling2d::AveragePooling2D;
pub use average_pooling3d::AveragePooling3D;
pub use batch_normalization::BatchNormalization;
pub use concatenate::Concatenate;
pub use conv::{ConvLayer, Depthwise, Plain, Separable, Transposed};
pub use conv1d::Conv1D;
pub use conv1d_transpose::Conv1DTranspose;
pub use conv2d::Conv2D;
pub use conv2d_transpose::Conv2DTranspose;
pub use conv3d::Conv3D;
pub use cropping2d::Cropping2D;
pub use dense::Dense;
pub use depthwise_conv1d::DepthwiseConv1D;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use dropout::Dropout;
pub use elu::ELU;
pub use flatten::Flatten;
pub use gaussian_noise::GaussianNoise;
pub use global_average_pooling1d::GlobalAveragePooling1D;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use global_average_pooling3d::GlobalAveragePooling3D;
pub use global_max_pooling1d::GlobalMaxPooling1D;
pub use global_max_pooling2d::GlobalMaxPooling2D;
pub use global_max_pooling3d::GlobalMaxPooling3D;
pub use group_normalization::GroupNormalization;
pub use layer_normalization::LayerNormalization;
pub use leaky_relu::LeakyReLU;
pub use margins::Sides;
pub use max_pooling1d::MaxPooling1D;
pub use max_pooling2d::MaxPooling2D;
pub use max_pooling3d::MaxPooling3D;
pub use maximum::Maximum;
pub use multiply::Multiply;
pub use norm::{Batch, Groups, NormLayer, OfAxes};
pub use normalization::Normalization;
pub use numbers::Numbers;
pub use permute::Permute;
pub use pool::{AdaptivePool, GlobalPool, Pool};
pub use random::{Factor, FillMode};
pub use random_contrast::RandomContrast;
pub use random_erasing::RandomErasing;
pub use random_flip::{FlipMode, RandomFlip};
pub use random_rotation::RandomRotation;
pub use random_translation::RandomTranslation;
pub use random_zoom::RandomZoom;
pub use relu::ReLU;
pub use rescaling::Rescaling;
pub use reshape::Reshape;
pub use separable_conv1d::SeparableConv1D;
pub use separable_conv2d::SeparableConv2D;
pub use softmax::Softmax;
pub use spatial_dropout2d::SpatialDropout2D;
pub use up_sampling2d::UpSampling2D;
pub use warp::{Rotation, Translation, WarpLayer, Zoom};
pub use zero_padding2d::ZeroPadding2D;

use crate::Layer;
use crate::config::{Config, ConfigError};
pub use crate::json::{deserialize, serialize};

/// Makes a layer of its config.
type Constructor = fn(&mut Config) -> Result<Arc<dyn Layer>, ConfigError>;

/// Every layer that a config can name.
const REGISTRY: &[(&str, Constructor)] = &[
    ("Activation", |config| shared(Activation::from_config(config))),
    ("AdaptiveAveragePooling2D", |config| shared(AdaptiveAveragePooling2D::from_config(config))),
    ("AdaptiveMaxPooling2D", |config| shared(AdaptiveMaxPooling2D::from_config(config))),
    ("Add", |config| shared(Add::from_config(config))),
    ("Average", |config| shared(Average::from_config(config))),
    ("AveragePooling1D", |config| shared(AveragePooling1D::from_config(config))),
    ("AveragePooling2D", |config| shared(AveragePooling2D::from_config(config))),
    ("AveragePooling3D", |config| shared(AveragePooling3D::from_config(config))),
    ("BatchNormalization", |config| shared(BatchNormalization::from_config(config))),
    ("Concatenate", |config| shared(Concatenate::from_config(config))),
    ("Conv1D", |config| shared(Conv1D::from_config(config))),
    ("Conv1DTranspose", |config| shared(Conv1DTranspose::from_config(config))),
    ("Conv2D", |config| shared(Conv2D::from_config(config))),
    ("Conv2DTranspose", |config| shared(Conv2DTranspose::from_config(config))),
    ("Conv3D", |config| shared(Conv3D::from_config(config))),
    ("Cropping2D", |config| shared(Cropping2D::from_config(config))),
    ("Dense", |config| shared(Dense::from_config(config))),
    ("DepthwiseConv1D", |config| shared(DepthwiseConv1D::from_config(config))),
    ("DepthwiseConv2D", |config| shared(DepthwiseConv2D::from_config(config))),
    ("Dropout", |config| shared(Dropout::from_config(config))),
    ("ELU", |config| shared(ELU::from_config(config))),
    ("Flatten", |config| shared(Flatten::from_config(config))),
    ("GaussianNoise", |config| shared(GaussianNoise::from_config(config))),
    ("GlobalAveragePooling1D", |config| shared(GlobalAveragePooling1D::from_config(config))),
    ("GlobalAveragePooling2D", |config| shared(GlobalAveragePooling2D::from_config(config))),
    ("GlobalAveragePooling3D", |config| shared(GlobalAveragePooling3D::from_config(config))),
    ("GlobalMaxPooling1D", |config| shared(GlobalMaxPooling1D::from_config(config))),
    ("GlobalMaxPooling2D", |config| shared(GlobalMaxPooling2D::from_config(config))),
    ("GlobalMaxPooling3D", |config| shared(GlobalMaxPooling3D::from_config(config))),
    ("GroupNormalization", |config| shared(GroupNormalization::from_config(config))),
    ("LayerNormalization", |config| shared(LayerNormalization::from_config(config))),
    ("LeakyReLU", |config| shared(LeakyReLU::from_config(config))),
    ("MaxPooling1D", |config| shared(MaxPooling1D::from_config(config))),
    ("MaxPooling2D", |config| shared(MaxPooling2D::from_config(config))),
    ("MaxPooling3D", |config| shared(MaxPooling3D::from_config(config))),
    ("Maximum", |config| shared(Maximum::from_config(config))),
    ("Multiply", |config| shared(Multiply::from_config(config))),
    ("Normalization", |config| shared(Normalization::from_config(config))),
    ("Permute", |config| shared(Permute::from_config(config))),
    ("RandomContrast", |config| shared(RandomContrast::from_config(config))),
    ("RandomErasing", |config| shared(RandomErasing::from_config(config))),
    ("RandomFlip", |config| shared(RandomFlip::from_config(config))),
    ("RandomRotation", |config| shared(RandomRotation::from_config(config))),
    ("RandomTranslation", |config| shared(RandomTranslation::from_config(config))),
    ("RandomZoom", |config| shared(RandomZoom::from_config(config))),
    ("ReLU", |config| shared(ReLU::from_config(config))),
    ("Rescaling", |config| shared(Rescaling::from_config(config))),
    ("Reshape", |config| shared(Reshape::from_config(config))),
    ("SeparableConv1D", |config| shared(SeparableConv1D::from_config(config))),
    ("SeparableConv2D", |config| shared(SeparableConv2D::from_config(config))),
    ("Softmax", |config| shared(Softmax::from_config(config))),
    ("SpatialDropout2D", |config| shared(SpatialDropout2D::from_config(config))),
    ("UpSampling2D", |config| shared(UpSampling2D::from_config(config))),
    ("ZeroPadding2D", |config| shared(ZeroPadding2D::from_config(config))),
];

fn shared<L: Layer + 'static>(layer: Result<L, ConfigError>) -> Result<Arc<dyn Layer>, ConfigError> {
    Ok(Arc::new(layer?))
}

/// The constructor of a layer class.
pub(crate) fn find(class: &str) -> Option<Constructor> {
    REGISTRY.iter().find(|(name, _)| *name == class).map(|&(_, constructor)| constructor)
}

/// The names of all layer classes.
pub(crate) fn class_names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|&(name, _)| name)
}
