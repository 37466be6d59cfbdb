//! A layer with what a model knows of it beside its arguments.

use std::sync::Arc;

use stampnet_autograd::Precision;

use crate::{Layer, NnError, Symbol, Symbols};

/// A layer to put into a model, perhaps with a name of its own, frozen, or in several places: a cheap handle.
///
/// Layers turn into handles by themselves wherever one is asked for. A handle that is applied twice is one layer in the model:
/// one set of weights, whose gradients add up.
///
/// ```
/// use stampnet_nn::layers::{Concatenate, Dense};
/// use stampnet_nn::{Functional, Layer, input};
///
/// let (left, right) = (input(8)?, input(8)?);
/// let features = Dense::new(4).named("features");
/// let both = Concatenate::new().apply([features.apply(&left)?, features.apply(&right)?])?;
/// let model = Functional::new([&left, &right], &both)?.build(42)?;
/// assert_eq!(model.parameters(), 8 * 4 + 4);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerHandle(Arc<Described>);

/// A layer, its name if it has one, whether it is trained, and its precision.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) name: Option<String>,
    pub(crate) trainable: bool,
    pub(crate) precision: Precision,
    pub(crate) layer: Arc<dyn Layer>,
}

impl<L: Layer + 'static> From<L> for LayerHandle {
    fn from(layer: L) -> Self {
        Self::from(Arc::new(layer) as Arc<dyn Layer>)
    }
}

impl From<Arc<dyn Layer>> for LayerHandle {
    fn from(layer: Arc<dyn Layer>) -> Self {
        let precision = Precision::Float32;
        Self(Arc::new(Described { name: None, trainable: true, precision, layer }))
    }
}

impl LayerHandle {
    /// Names the layer. Without a name it is named after its class, as Keras does: `conv2d`, `conv2d_1`.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let described = Described { name: Some(name.into()), ..self.take() };
        Self(Arc::new(described))
    }

    /// Sets whether the optimizer changes the layer's weights; it does by default.
    #[must_use]
    pub fn trainable(self, trainable: bool) -> Self {
        Self(Arc::new(Described { trainable, ..self.take() }))
    }

    /// Sets the layer's precision, Keras's `dtype`; float32 by default. [`Model::set_precision`](crate::Model::set_precision) sets
    /// that of all layers.
    #[must_use]
    pub fn precision(self, precision: Precision) -> Self {
        Self(Arc::new(Described { precision, ..self.take() }))
    }

    /// Applies the layer to one symbol, or to several where it merges.
    ///
    /// # Errors
    /// The layer cannot take these inputs; the error shows their shapes.
    pub fn apply(&self, inputs: impl Into<Symbols>) -> Result<Symbol, NnError> {
        Symbol::of_layer(self.clone(), inputs.into())
    }

    pub(crate) fn described(&self) -> &Described {
        &self.0
    }

    /// Whether both are one layer.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn take(self) -> Described {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| (*shared).clone())
    }
}

/// A layer and its name in a model.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) trainable: bool,
    pub(crate) precision: Precision,
    pub(crate) layer: Arc<dyn Layer>,
}

impl Named {
    /// Name and class, as summaries and errors show them.
    pub(crate) fn label(&self) -> String {
        label(&self.name, self.layer.class_name())
    }
}

/// Name and class, as summaries and errors show them.
pub(crate) fn label(name: &str, class: &str) -> String {
    format!("{name} ({class})")
}

/// The first of `conv2d`, `conv2d_1`, `conv2d_2`.. for the class `Conv2D` that is free.
pub(crate) fn name_after(class: &str, is_free: impl Fn(&str) -> bool) -> String {
    let base = snake_case(class);
    let numbered = (0_usize..).map(|n| if n == 0 { base.clone() } else { format!("{base}_{n}") });
    numbered.into_iter().find(|name| is_free(name)).expect("one of endlessly many names is free")
}

/// A class name as Keras names its layers: `MaxPooling2D` becomes `max_pooling2d`.
fn snake_case(class: &str) -> String {
    let mut name = String::new();
    let mut before = None;
    let mut chars = class.chars().peekable();
    while let Some(c) = chars.next() {
        let begins_word = chars.peek().is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && before.is_some_and(|before: char| before.is_ascii_lowercase() || begins_word) {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
        before = Some(c);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_become_layer_names_as_in_keras() {
        for (class, name) in [
            ("Conv2D", "conv2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("GlobalAveragePooling1D", "global_average_pooling1d"),
            ("BatchNormalization", "batch_normalization"),
            ("Dense", "dense"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("PReLU", "p_re_lu"),
        ] {
            assert_eq!(snake_case(class), name);
        }
    }
}
