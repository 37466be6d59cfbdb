//! What can be wrong with data.

use std::path::PathBuf;

use stampnet_tensor::{Shape, TensorError};

use crate::IdxError;

/// Why a data set could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No samples.
    #[error("a data set must have at least one {what} that is not empty; received {what}s of shape {shape}")]
    Empty {
        /// "sample" or "target".
        what: &'static str,
        /// The shape of all together.
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
    /// Inputs and targets of different lengths.
    #[error("all inputs and targets must have the same number of rows; received {first} and {other}")]
    RowCounts {
        /// Rows of the first input.
        first: usize,
        /// Rows of another input or target.
        other: usize,
    },
    /// No inputs or no targets.
    #[error("a data set must have at least one {what}; received none")]
    NoParts {
        /// `sample` or `target`.
        what: &'static str,
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
        "class labels are one number per sample and two classes or more; received targets of shape {shape} and {classes} as the number of classes"
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
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] TensorError),
    /// A file that is not an IDX file.
    #[error("'{}' is not a usable IDX file: {source}", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// The rule and what was found.
        source: Box<IdxError>,
    },
    /// A folder that is none.
    #[error("the data must be in a folder; there is no folder '{}'", folder.display())]
    NoFolder {
        /// The path.
        folder: PathBuf,
    },
    /// A file that a folder lacks.
    #[error("the folder '{}' must hold '{name}' or '{name}.gz'; it holds neither", folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: String,
    },
    /// Images that are not images or labels that are not labels.
    #[error("{rule}; '{}' has the sizes {dims:?}", path.display())]
    FileAxes {
        /// The file.
        path: PathBuf,
        /// What is expected.
        rule: &'static str,
        /// The sizes of the file's axes.
        dims: Vec<usize>,
    },
    /// Images and labels that do not pair up.
    #[error(
        "each image must have one label; '{}' has {image_count} images and '{}' has {label_count} labels",
        images.display(), labels.display()
    )]
    ImageCounts {
        /// The file of the images.
        images: PathBuf,
        /// The file of the labels.
        labels: PathBuf,
        /// Images in the file.
        image_count: usize,
        /// Labels in the file.
        label_count: usize,
    },
    /// A label in a file that is no class.
    #[error("labels must be below {classes}, the number of classes; label {index} of '{}' is {value}", path.display())]
    FileLabel {
        /// The file.
        path: PathBuf,
        /// Which label, from 0.
        index: usize,
        /// The label.
        value: u8,
        /// The number of classes.
        classes: usize,
    },
    /// Training and test images of different sizes.
    #[error(
        "training and test images must have one size; '{}' has the sizes {train_dims:?} and '{}' {test_dims:?}",
        train.display(), test.display()
    )]
    ImageSizes {
        /// The file of the training images.
        train: PathBuf,
        /// The sizes of its axes.
        train_dims: Vec<usize>,
        /// The file of the test images.
        test: PathBuf,
        /// The sizes of its axes.
        test_dims: Vec<usize>,
    },
    /// A file that differs from its checksum.
    #[error(
        "'{}' is damaged or another version: its SHA-256 sum must be {expected}; received {received}; \
         fetch the file again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The listed sum, in hexadecimal.
        expected: String,
        /// The sum of the decompressed file.
        received: String,
    },
    /// A file without a checksum.
    #[error(
        "'{}' must list the sum of '{name}', decompressed; it does not; add the sum or remove the list",
        path.display()
    )]
    NotListed {
        /// The list of sums.
        path: PathBuf,
        /// The file that is not listed.
        name: String,
    },
    /// A line of the list of checksums that is none.
    #[error("a line must be 64 hexadecimal digits, two spaces and a name; line {line} of '{}' is not", path.display())]
    ChecksumLine {
        /// The list of sums.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A class without a name.
    #[error("each line must name a class; line {line} of '{}' is blank", path.display())]
    BlankClass {
        /// The file of the names.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Too few classes.
    #[error("there must be at least two classes; '{}' names {received}", path.display())]
    FewClasses {
        /// The file of the names.
        path: PathBuf,
        /// Names in the file.
        received: usize,
    },
}
