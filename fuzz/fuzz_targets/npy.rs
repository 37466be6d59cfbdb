//! `.npy` files never panic; what is read is the end of the file, bit for bit, and what is written is read again.
#![no_main]

use std::fmt::Debug;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stampnet_tensor::{Element, MappedNpy, Tensor};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("the system's temporary folder is writable"));

fuzz_target!(|bytes: &[u8]| {
    check(bytes, f32::to_le_bytes);
    check(bytes, f64::to_le_bytes);
    check(bytes, u8::to_le_bytes);
    check(bytes, i32::to_le_bytes);
    check(bytes, u32::to_le_bytes);
    check(bytes, i64::to_le_bytes);
});

fn check<T: Element + Debug, const N: usize>(bytes: &[u8], le_bytes: fn(T) -> [u8; N]) {
    let tensor = match Tensor::<T>::from_npy_bytes(bytes) {
        Ok(tensor) => tensor,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let encode = |values: &[T]| -> Vec<u8> { values.iter().flat_map(|&x| le_bytes(x)).collect() };
    let elements = encode(tensor.data());
    assert!(bytes.ends_with(&elements));
    let count: u128 = tensor.dims().iter().map(|&dim| dim as u128).product();
    assert_eq!(count, tensor.data().len() as u128);
    let header = String::from_utf8_lossy(&bytes[..bytes.len() - elements.len()]);
    assert!(header.contains(T::DESCR), "elements of {header} were read as {}", T::DESCR);
    for dim in tensor.dims() {
        assert!(header.contains(&dim.to_string()), "{header} was read as {:?}", tensor.dims());
    }

    let path = FOLDER.path().join("array.npy");
    tensor.write_npy(&path).expect("the temporary folder is writable");
    let read = Tensor::<T>::read_npy(&path).expect("it was just written");
    let mapped = MappedNpy::<T>::open(&path).expect("it was just written");
    assert_eq!((read.dims(), encode(read.data())), (tensor.dims(), elements.clone()));
    assert_eq!((mapped.view().dims(), encode(mapped.view().data())), (tensor.dims(), elements));
}
