//! Folders in the layout of MNIST: a training and a test set in four IDX files.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use stampnet_tensor::TensorError;

use crate::checksums::Checksums;
use crate::{DataError, Dataset, Idx, ImageSet};

/// The file that names the classes.
const CLASS_FILE: &str = "classes.txt";

/// The names of the four files up to the number of axes, and which numbers of axes they may have.
const FILES: [(&str, &[u8]); 4] =
    [("train-images", IMAGE_AXES), ("train-labels", &[1]), ("t10k-images", IMAGE_AXES), ("t10k-labels", &[1])];

/// The usual number first.
const IMAGE_AXES: &[u8] = &[3, 4, 2];

/// A training and a test set of images, and the names of their classes.
///
/// The folder holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, each plain or compressed as `.gz`; where both are there, the plain file is used. Names may
/// have a dot for the second hyphen (`train-images.idx3-ubyte`); colour images have `idx4` for `idx3`, lists of numbers
/// `idx2`.
///
/// Two more files are optional. `SHA256SUMS`, in the format of the command `sha256sum`, gives the sums of the decompressed
/// files, which then are checked. `classes.txt` names the classes, one a line, beginning with class 0; without it there are
/// as many classes as the largest training label demands, two at least, and their names are their numbers.
///
/// ```no_run
/// use std::path::Path;
///
/// use stampnet_data::{Dataset, IdxFolder};
///
/// let folder = IdxFolder::open(Path::new("datasets/fashion-mnist"))?;
/// assert_eq!((folder.train.len(), folder.test.len()), (60_000, 10_000));
/// assert_eq!(folder.class_names[9], "Ankle boot");
/// # Ok::<(), stampnet_data::DataError>(())
/// ```
#[derive(Debug)]
pub struct IdxFolder {
    /// The images to train on.
    pub train: ImageSet,
    /// The images to test with.
    pub test: ImageSet,
    /// The name of each class.
    pub class_names: Vec<String>,
}

impl IdxFolder {
    /// Opens the four files, in parallel, and checks them.
    ///
    /// # Errors
    /// A file is missing, cannot be read, is no IDX file, or differs from its checksum; numbers of images and labels
    /// differ; a label is no class; or the sizes of training and test images differ.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        if !folder.is_dir() {
            return Err(DataError::NoFolder { folder: folder.to_owned() });
        }
        let checksums = Checksums::read(folder)?;
        let open = |(name, axes)| {
            let path = find(folder, name, axes)?;
            // A file that is not listed is reported only if it is an IDX file.
            let mut sum = checksums.sum_of(&path);
            let file = Idx::open_watched(&path, |bytes| {
                if let Ok(Some(sum)) = &mut sum {
                    sum.add(bytes);
                }
            })?;
            sum?.map_or(Ok(()), |sum| sum.check(&path))?;
            Ok(file)
        };
        // All four end before the first error is reported, so that it is the same one every time.
        let mut files = FILES.par_iter().copied().map(open).collect::<Vec<Result<Idx, DataError>>>().into_iter();
        let mut next = || files.next().expect("there are four files");
        let (train_images, train_labels, test_images, test_labels) = (next()?, next()?, next()?, next()?);

        let class_names = match read_class_names(folder)? {
            Some(names) => names,
            None => numbers_as_names(&train_labels),
        };
        let train = ImageSet::new(train_images, train_labels, class_names.len())?;
        let test = ImageSet::new(test_images, test_labels, class_names.len())?;
        if train.sample_shape() != test.sample_shape() {
            return Err(DataError::ImageSizes {
                train: train.images().path().to_owned(),
                train_dims: train.images().dims().to_vec(),
                test: test.images().path().to_owned(),
                test_dims: test.images().dims().to_vec(),
            });
        }
        Ok(Self { train, test, class_names })
    }
}

/// The first file that there is of those that `name` may be.
fn find(folder: &Path, name: &str, axes: &[u8]) -> Result<PathBuf, DataError> {
    let plain = axes.iter().flat_map(|axes| ['-', '.'].map(|dot| format!("{name}{dot}idx{axes}-ubyte")));
    let candidates = plain.flat_map(|plain| [folder.join(&plain), folder.join(plain + ".gz")]);
    candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| DataError::MissingFile {
        folder: folder.to_owned(),
        name: format!("{name}-idx{}-ubyte", axes[0]),
    })
}

/// The lines of `classes.txt`, if there is such a file.
fn read_class_names(folder: &Path) -> Result<Option<Vec<String>>, DataError> {
    let path = folder.join(CLASS_FILE);
    let Some(text) = read_optional(&path)? else { return Ok(None) };
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if let Some(blank) = names.iter().position(String::is_empty) {
        return Err(DataError::BlankClass { path, line: blank + 1 });
    }
    if names.len() < 2 {
        return Err(DataError::FewClasses { path, received: names.len() });
    }
    Ok(Some(names))
}

/// "0", "1", ... up to the largest label, and at least up to "1".
fn numbers_as_names(labels: &Idx) -> Vec<String> {
    let largest = labels.data().iter().max().expect("an IDX file is not empty");
    (0..=(*largest).max(1)).map(|label| label.to_string()).collect()
}

/// The text of `path`, or nothing if there is no such file.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, TensorError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TensorError::Io { action: "read", path: path.to_owned(), source }),
    }
}
