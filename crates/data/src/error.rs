//! What can be wrong with data.

use stampnet_tensor::Shape;

/// Why a data set could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No samples.
    #[error("a data set must have at least one sample that is not empty; received samples of shape {shape}")]
    Empty {
        /// The shape of all samples.
        shape: Shape,
    },
    /// More samples than indices.
    #[error("a data set has at most {max} samples; received {received}; split it into parts", max = u32::MAX)]
    TooMany {
        /// Samples received.
        received: usize,
    },
    /// Samples and targets that do not pair up.
    #[error("each sample must have one target; received {samples} samples and {targets} targets")]
    Counts {
        /// Samples received.
        samples: usize,
        /// Targets received.
        targets: usize,
    },
    /// NaN or an infinity.
    #[error(
        "{what}s must be finite numbers; {what} {index} holds {value} at position {position}; \
         remove the {what} or repair the number"
    )]
    NotFinite {
        /// "sample" or "target".
        what: &'static str,
        /// Which one, along the first axis.
        index: usize,
        /// Which of its numbers, row-major.
        position: usize,
        /// The number.
        value: f32,
    },
    /// A class label that is no class.
    #[error("labels must be whole numbers from 0 to {last}; target {index} is {value}", last = classes - 1)]
    Label {
        /// Which target.
        index: usize,
        /// The label.
        value: f32,
        /// The number of classes.
        classes: usize,
    },
    /// Targets that cannot be class labels.
    #[error(
        "class labels are one number per sample and two classes or more; received targets of shape {shape} for {classes} classes"
    )]
    LabelShape {
        /// The shape of one target.
        shape: Shape,
        /// The number of classes.
        classes: usize,
    },
    /// An index beyond the samples.
    #[error("an index must be below the number of samples, {len}; received {index}")]
    Index {
        /// The index.
        index: usize,
        /// The number of samples.
        len: usize,
    },
    /// A subset without samples.
    #[error("a subset must have at least one sample; received no index into the {len} samples")]
    NoIndices {
        /// The number of samples to choose from.
        len: usize,
    },
    /// A fraction that leaves one side without samples.
    #[error(
        "the held-out fraction must lie between 0 and 1 and leave at least one sample on each side; \
         received {fraction} of {len} samples"
    )]
    Fraction {
        /// The fraction.
        fraction: f64,
        /// The number of samples.
        len: usize,
    },
    /// A buffer of the wrong length.
    #[error("the buffer for {what}s must hold {expected} numbers; received room for {received}")]
    Buffer {
        /// "sample" or "target".
        what: &'static str,
        /// Numbers that it must hold.
        expected: usize,
        /// Numbers that it can hold.
        received: usize,
    },
}
