//! What a model will compute, before there are numbers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stampnet_tensor::Shape;

use crate::{InputShape, LayerHandle, NnError};

/// The output of an input or of a layer in a model that is being described: Keras's symbolic tensor. A cheap handle, made by
/// [`input`] and by [`Layer::apply`](crate::Layer::apply), and used in any number of places.
///
/// ```
/// use stampnet_geometry::Padding;
/// use stampnet_nn::layers::Conv2D;
/// use stampnet_nn::{Layer, input};
///
/// let image = input((32, 32, 3))?;
/// let maps = Conv2D::new(16, 3).padding(Padding::Same).strides(2).apply(&image)?;
/// assert_eq!(maps.shape().dims(), [16, 16, 16]);
/// # Ok::<(), stampnet_nn::NnError>(())
/// ```
#[derive(Clone)]
pub struct Symbol(Arc<Node>);

struct Node {
    source: SymbolSource,
    inputs: Vec<Symbol>,
    shape: Shape,
    /// Counts symbols in the order in which they are made, over the whole program.
    created: u64,
}

/// Where a symbol comes from.
pub(crate) enum SymbolSource {
    /// An input, with its name if it has one.
    Input(Option<String>),
    Layer(LayerHandle),
}

/// An input of a model: samples of shape `shape`, without the batch axis.
///
/// # Errors
/// The shape has too many axes, or one of size 0.
pub fn input(shape: impl Into<InputShape>) -> Result<Symbol, NnError> {
    Symbol::of_input(None, shape.into())
}

/// As [`input`], with a name of its own; others are called `input_layer`, `input_layer_1`.
///
/// # Errors
/// As [`input`].
pub fn input_named(name: impl Into<String>, shape: impl Into<InputShape>) -> Result<Symbol, NnError> {
    Symbol::of_input(Some(name.into()), shape.into())
}

static CREATED: AtomicU64 = AtomicU64::new(0);

impl Symbol {
    fn of_input(name: Option<String>, shape: InputShape) -> Result<Self, NnError> {
        Ok(Self::new(SymbolSource::Input(name), Vec::new(), shape.check()?))
    }

    pub(crate) fn of_layer(handle: LayerHandle, inputs: Symbols) -> Result<Self, NnError> {
        let described = handle.described();
        let shapes: Vec<Shape> = inputs.0.iter().map(Self::shape).collect();
        let built = described.layer.build_many(&shapes).map_err(|source| {
            let class = described.layer.class_name();
            let label =
                described.name.as_ref().map_or_else(|| class.to_owned(), |name| crate::handle::label(name, class));
            NnError::layer(label, &shapes, source)
        })?;
        Ok(Self::new(SymbolSource::Layer(handle), inputs.0, built.output))
    }

    fn new(source: SymbolSource, inputs: Vec<Self>, shape: Shape) -> Self {
        Self(Arc::new(Node { source, inputs, shape, created: CREATED.fetch_add(1, Ordering::Relaxed) }))
    }

    /// The shape of a sample, without the batch axis.
    pub fn shape(&self) -> Shape {
        self.0.shape
    }

    pub(crate) fn source(&self) -> &SymbolSource {
        &self.0.source
    }

    pub(crate) fn inputs(&self) -> &[Self] {
        &self.0.inputs
    }

    /// Later symbols have larger numbers; equal ones are the same symbol.
    pub(crate) fn created(&self) -> u64 {
        self.0.created
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.0.source {
            SymbolSource::Input(_) => "input",
            SymbolSource::Layer(handle) => handle.described().layer.class_name(),
        };
        write!(f, "Symbol({what} {})", self.0.shape)
    }
}

/// One symbol or several, in order: what a layer is applied to, and what a model takes and gives.
#[derive(Clone, Debug)]
pub struct Symbols(pub(crate) Vec<Symbol>);

impl From<Symbol> for Symbols {
    fn from(symbol: Symbol) -> Self {
        Self(vec![symbol])
    }
}

impl From<&Symbol> for Symbols {
    fn from(symbol: &Symbol) -> Self {
        Self(vec![symbol.clone()])
    }
}

impl<const N: usize> From<[Symbol; N]> for Symbols {
    fn from(symbols: [Symbol; N]) -> Self {
        Self(symbols.into())
    }
}

impl<const N: usize> From<[&Symbol; N]> for Symbols {
    fn from(symbols: [&Symbol; N]) -> Self {
        Self(symbols.into_iter().cloned().collect())
    }
}

impl From<Vec<Symbol>> for Symbols {
    fn from(symbols: Vec<Symbol>) -> Self {
        Self(symbols)
    }
}

impl From<&[Symbol]> for Symbols {
    fn from(symbols: &[Symbol]) -> Self {
        Self(symbols.to_vec())
    }
}
