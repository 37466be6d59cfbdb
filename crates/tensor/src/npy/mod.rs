//! NumPy's `.npy` format, version 1.0 and 2.0, little-endian, row-major ("C order").
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

mod error;
mod header;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::marker::PhantomData;
use std::path::Path;

pub use error::NpyError;
use header::Header;

use crate::files::replace_file_with;
use crate::{MappedFile, Shape, Tensor, TensorError, View};

/// Numbers that a `.npy` file can hold.
pub trait Element: bytemuck::Pod {
    /// NumPy's name of the type, little-endian.
    const DESCR: &'static str;
}

impl Element for f32 {
    const DESCR: &'static str = "<f4";
}

impl Element for f64 {
    const DESCR: &'static str = "<f8";
}

impl Element for u8 {
    const DESCR: &'static str = "|u1";
}

impl Element for i32 {
    const DESCR: &'static str = "<i4";
}

impl Element for u32 {
    const DESCR: &'static str = "<u4";
}

impl Element for i64 {
    const DESCR: &'static str = "<i8";
}

// Elements are read and written as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"), "StampNet needs a little-endian machine");

impl<T: Element> Tensor<T> {
    /// Reads the `.npy` file at `path`.
    ///
    /// ```
    /// use stampnet_tensor::Tensor;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("images.npy");
    /// Tensor::from_vec([2, 2], vec![0.0_f32, 0.5, 1.0, 1.5])?.write_npy(&path)?;
    /// assert_eq!(Tensor::<f32>::read_npy(&path)?.data(), [0.0, 0.5, 1.0, 1.5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The file cannot be read; is not a `.npy` file of version 1.0 or 2.0; has another element type, byte order or axis
    /// order; or is not as long as its header says.
    pub fn read_npy(path: &Path) -> Result<Self, TensorError> {
        let file = MappedFile::open(path)?;
        Self::from_npy_bytes(&file)
            .map_err(|source| TensorError::Npy { path: path.to_owned(), source: Box::new(source) })
    }

    /// As [`read_npy`](Self::read_npy), from a file's bytes.
    ///
    /// # Errors
    /// As for [`read_npy`](Self::read_npy).
    pub fn from_npy_bytes(bytes: &[u8]) -> Result<Self, NpyError> {
        let (shape, elements) = parse::<T>(bytes)?;
        let mut tensor = Self::zeros(shape);
        bytemuck::cast_slice_mut(tensor.data_mut()).copy_from_slice(elements);
        Ok(tensor)
    }

    /// Writes a `.npy` file of version 1.0, which NumPy's `load` reads; see [`replace_file`](crate::replace_file) for how.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_npy(&self, path: &Path) -> Result<(), TensorError> {
        self.view().write_npy(path)
    }
}

impl<T: Element> View<'_, T> {
    /// As [`Tensor::write_npy`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_npy(&self, path: &Path) -> Result<(), TensorError> {
        replace_file_with(path, |file| {
            file.write_all(&Header::write(T::DESCR, self.shape()))?;
            file.write_all(bytemuck::cast_slice(self.data()))
        })
    }
}

/// A `.npy` file mapped into memory: an array that may be larger than memory, of which only what is touched is read.
///
/// The file must not be truncated while it is mapped; see [`MappedFile`].
///
/// ```
/// use stampnet_tensor::{MappedNpy, Tensor};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("large.npy");
/// Tensor::from_vec([2, 3], vec![1, 2, 3, 4, 5, 6])?.write_npy(&path)?;
/// let file = MappedNpy::<i32>::open(&path)?;
/// assert_eq!(file.view().row(1).data(), [4, 5, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MappedNpy<T = f32> {
    file: MappedFile,
    shape: Shape,
    /// Bytes before the first element.
    start: usize,
    element: PhantomData<T>,
}

impl<T: Element> MappedNpy<T> {
    /// Maps the `.npy` file at `path`.
    ///
    /// # Errors
    /// As for [`Tensor::read_npy`]. Also where the elements do not lie on a multiple of their size, which no version of
    /// NumPy writes.
    pub fn open(path: &Path) -> Result<Self, TensorError> {
        let file = MappedFile::open(path)?;
        let error = |source| TensorError::Npy { path: path.to_owned(), source: Box::new(source) };
        let (shape, elements) = parse::<T>(&file).map_err(error)?;
        let start = file.len() - elements.len();
        if bytemuck::try_cast_slice::<u8, T>(elements).is_err() {
            return Err(error(NpyError::Alignment { start, multiple: align_of::<T>() }));
        }
        Ok(Self { file, shape, start, element: PhantomData })
    }

    /// The array.
    pub fn view(&self) -> View<'_, T> {
        let elements = bytemuck::cast_slice(&self.file[self.start..]);
        View::new(self.shape, elements).expect("open() compared the lengths")
    }
}

/// The shape of a `.npy` file of `T`s and the bytes of its elements.
fn parse<T: Element>(bytes: &[u8]) -> Result<(Shape, &[u8]), NpyError> {
    let header = Header::parse(bytes)?;
    if header.descr != T::DESCR {
        return Err(NpyError::Type { expected: T::DESCR, received: header.descr });
    }
    if header.fortran_order && header.shape.rank() > 1 {
        return Err(NpyError::FortranOrder { shape: header.shape });
    }
    let elements = &bytes[header.len..];
    let expected = header.shape.len() * size_of::<T>();
    if elements.len() != expected {
        let (shape, descr) = (header.shape, T::DESCR);
        return Err(NpyError::Length { shape, descr, expected, received: elements.len() });
    }
    Ok((header.shape, elements))
}
