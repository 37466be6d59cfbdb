//! Keras-conformant layers, losses, optimizers and the fit loop.
//!
//! A [`Sequential`] describes a model; [`Sequential::build`] makes a [`Model`] of it, with weights. A model is compiled with an
//! optimizer and a loss, trained with [`Model::fit`], and asked with [`Model::predict`]. Names, defaults and shapes are those
//! of [Keras](https://keras.io/api/); images are `[n, h, w, c]`. The page `docs/from-keras.md` of the repository puts what people
//! write in Keras beside what they write here, and says where the two differ.
//!
//! ```
//! use stampnet_data::TensorSet;
//! use stampnet_nn::layers::Dense;
//! use stampnet_nn::{Activation, Adam, FitOptions, Loss, Sequential};
//! use stampnet_tensor::Tensor;
//!
//! // Exclusive or: the label is 1 where just one of two inputs is.
//! let points = Tensor::from_vec([4, 2], vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?;
//! let labels = Tensor::from_vec([4], vec![0.0, 1.0, 1.0, 0.0])?;
//! let data = TensorSet::new(points.view(), labels.view())?.with_classes(2)?;
//!
//! let mut model = Sequential::new(2)
//!     .add(Dense::new(16).activation(Activation::Tanh))
//!     .add(Dense::new(2).activation(Activation::Softmax))
//!     .build(42)?;
//! model.compile(Adam::new(0.05), Loss::SparseCategoricalCrossentropy)?;
//! let history = model.fit(&data, FitOptions::new(100))?;
//! assert!(history.last().unwrap().loss < 0.1);
//! assert_eq!(model.evaluate(&data, 4)?.accuracy, Some(1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

/// Runs the page's Rust texts.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/from-keras.md")]
struct FromKeras;

mod activation;
mod callback;
mod config;
mod constraint;
mod data_format;
mod error;
mod extent;
mod functional;
mod handle;
mod initializer;
mod json;
mod layer;
pub mod layers;
mod loss;
pub mod metrics;
mod model;
pub mod models;
mod optimizer;
mod regularizer;
pub mod schedules;
mod sequential;
mod symbol;
mod train_error;

pub use activation::{Activation, ParseActivationError};
pub use callback::{
    BatchLog, CSVLogger, Callback, Control, EarlyStopping, EpochLog, LearningRateScheduler, ModelCheckpoint,
    MonitorMode, ProgbarLogger, ReduceLROnPlateau, SwapEMAWeights, TerminateOnNaN, TrainLog, Verbose,
};
pub use config::{Config, ConfigError, ConfigValue, suggestion};
pub use constraint::Constraint;
pub use data_format::{DataFormat, ParseDataFormatError};
pub use error::{BatchShape, LayerError, NnError};
pub use extent::Extent;
pub use functional::Functional;
pub use handle::LayerHandle;
pub use initializer::{Distribution, FanMode, Initializer};
pub use layer::{Built, Call, Layer, Next, WeightSpec};
pub use loss::{Loss, Objective, ParseLossError};
pub use model::{
    Evaluation, FitOptions, History, Losses, Model, ModelFileError, ModelLayer, ModelLayerMut, OutputEvaluation,
    ProfileRow, StepPart, StepProfile, StripSize, Weight,
};
pub use optimizer::{Adagrad, Adam, AdamW, Lion, Nadam, Optimizer, RMSprop, Sgd};
pub use regularizer::Regularizer;
pub use sequential::{InputShape, Sequential};
pub use stampnet_autograd::Precision;
pub use symbol::{Symbol, Symbols, input, input_named};
pub use train_error::TrainError;

/// What optimizers are made of, to write one's own.
pub mod optimizers {
    pub use crate::optimizer::{
        AdagradRule, AdamRule, Descent, LionRule, NadamRule, RMSpropRule, Rule, STATES, SgdRule, TINY, WeightStep,
        deserialize, flush, flush_gradient,
    };
}
