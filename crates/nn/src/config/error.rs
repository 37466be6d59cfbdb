//! What can be wrong with a config.

/// Why a config was refused: where, the rule, and what was received.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Text that is not JSON.
    #[error("a config must be JSON: {source}")]
    Json {
        /// What the parser says, with line and column.
        #[from]
        source: serde_json::Error,
    },
    /// Part of the document is not what it must be.
    #[error("{place}{}{key} must be {expected}; received {received}", if place.is_empty() { "" } else { ": " })]
    Value {
        /// The layer, or "the model config"; may be empty.
        place: String,
        /// The key.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is.
        received: String,
    },
    /// A key that must be there.
    #[error("{place}: '{key}' is missing{hint}")]
    Missing {
        /// The layer, or "the model config".
        place: String,
        /// The key.
        key: String,
        /// "; did you mean it by 'kernel_sise'?", or empty.
        hint: String,
    },
    /// A key that the layer does not have.
    #[error("{place} has no argument '{key}'{hint}")]
    Unknown {
        /// The layer.
        place: String,
        /// The key.
        key: String,
        /// "; did you mean 'kernel_size'?", or empty.
        hint: String,
    },
    /// A layer class that does not exist here.
    #[error("{place}: there is no layer class '{class}'{hint}")]
    UnknownLayer {
        /// The layer's name, or its position.
        place: String,
        /// The class.
        class: String,
        /// "; did you mean 'Conv2D'?", or the list of classes.
        hint: String,
    },
    /// An optimizer, a schedule or a loss that does not exist here.
    #[error("there is no {kind} '{class}'{hint}")]
    UnknownClass {
        /// What is looked for: "optimizer".
        kind: &'static str,
        /// Its class or name.
        class: String,
        /// "; did you mean 'Adam'?", or the list of classes.
        hint: String,
    },
    /// A document of another kind.
    #[error("the model's class must be {expected}; received '{class}'")]
    Class {
        /// The classes that can be read.
        expected: &'static str,
        /// The class.
        class: String,
    },
    /// A connection to a layer that is not there.
    #[error("{place}: an input comes from the layer '{layer}', which the model lacks{hint}")]
    NoSuchLayer {
        /// The layer, or "the model config".
        place: String,
        /// The layer that is missing.
        layer: String,
        /// "; did you mean 'conv2d'?", or empty.
        hint: String,
    },
    /// A connection to a call that is not there.
    #[error("{place}: an input comes from call {call} of the layer '{layer}', whose {calls} calls are counted from 0")]
    NoSuchCall {
        /// The layer, or "the model config".
        place: String,
        /// The layer that is called.
        layer: String,
        /// The call.
        call: usize,
        /// The number of its calls.
        calls: usize,
    },
    /// A model within the model that cannot be.
    #[error("{place}: {source}")]
    Model {
        /// Its name and class.
        place: String,
        /// What is wrong.
        source: Box<crate::NnError>,
    },
    /// Layers in a circle.
    #[error("a model must have no circles; {place} depends on its own output")]
    Cycle {
        /// The layer.
        place: String,
    },
    /// A model that does not say what it takes.
    #[error(
        "the model config says no input shape: begin the model with keras.Input(shape), or build it before to_json()"
    )]
    NoInputShape,
}
