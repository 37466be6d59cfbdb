//! Tests of `.npy` files against files that NumPy wrote (`tests/npy/make.py`), and of every error.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use stampnet_testkit::temporary_folder;

/// A file that NumPy wrote.
fn numpy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npy").join(name)
}

/// The bytes of a file of version 1.0 with this dictionary and these elements.
fn file(dictionary: &str, elements: &[u8]) -> Vec<u8> {
    let len = u16::try_from(dictionary.len()).expect("test headers are short");
    [b"\x93NUMPY\x01\x00", len.to_le_bytes().as_slice(), dictionary.as_bytes(), elements].concat()
}

fn message(bytes: &[u8]) -> String {
    Tensor::<f32>::from_npy_bytes(bytes).expect_err("the file is bad").to_string()
}

#[test]
fn files_of_numpy_are_read() {
    let floats = Tensor::<f32>::read_npy(&numpy("float32.npy")).expect("NumPy wrote it");
    assert_eq!(floats.dims(), [2, 3, 4]);
    let expected: Vec<f32> = (0..24_u8).map(|i| f32::from(i) / 8.0 - 1.0).collect();
    assert_eq!(floats.data(), expected);

    let version_2 = Tensor::<i64>::read_npy(&numpy("int64_version_2.npy")).expect("NumPy wrote it");
    assert_eq!((version_2.dims(), version_2.data()), ([3].as_slice(), [-1, 1 << 40, 7].as_slice()));

    let scalar = Tensor::<u8>::read_npy(&numpy("uint8_scalar.npy")).expect("NumPy wrote it");
    assert_eq!((scalar.dims(), scalar.data()), ([].as_slice(), [200].as_slice()));
}

#[test]
fn files_of_numpy_are_mapped() {
    let floats = MappedNpy::<f32>::open(&numpy("float32.npy")).expect("NumPy wrote it");
    assert_eq!(floats.view(), Tensor::read_npy(&numpy("float32.npy")).expect("NumPy wrote it").view());
    assert_eq!(floats.view().row(1).row(2).data(), [1.5, 1.625, 1.75, 1.875]);
}

#[test]
fn what_is_written_equals_what_numpy_wrote() {
    let folder = temporary_folder();
    let path = folder.path().join("again.npy");
    let original = std::fs::read(numpy("float32.npy")).expect("the file is committed");
    Tensor::<f32>::from_npy_bytes(&original).expect("NumPy wrote it").write_npy(&path).expect("writable");
    assert_eq!(std::fs::read(&path).expect("just written"), original);
    let original = std::fs::read(numpy("uint8_scalar.npy")).expect("the file is committed");
    Tensor::<u8>::from_npy_bytes(&original).expect("NumPy wrote it").write_npy(&path).expect("writable");
    assert_eq!(std::fs::read(&path).expect("just written"), original);
}

#[test]
fn dictionaries_in_other_notations_are_read() {
    let elements = [1.0_f32, 2.0].map(f32::to_le_bytes).concat();
    for dictionary in [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{\"shape\":(2),\"descr\":\"<f4\",\"fortran_order\":False}",
        "  { 'fortran_order' : False , 'shape' : ( 2 , ) , 'descr' : '<f4' , } \n\n",
        // The orders are one for a single axis.
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }",
    ] {
        let tensor = Tensor::<f32>::from_npy_bytes(&file(dictionary, &elements)).expect(dictionary);
        assert_eq!((tensor.dims(), tensor.data()), ([2].as_slice(), [1.0, 2.0].as_slice()), "{dictionary}");
    }
}

#[test]
fn files_of_other_kinds_are_refused() {
    for (name, expected) in [
        (
            "fortran.npy",
            "the array must be in C order; received Fortran order for the shape (2, 3); \
             convert it with NumPy's ascontiguousarray",
        ),
        (
            "big_endian.npy",
            "the elements must be of type '<f4'; received '>f4'; \
             convert the array with NumPy's array.astype('<f4')",
        ),
        (
            "int64_version_2.npy",
            "the elements must be of type '<f4'; received '<i8'; \
             convert the array with NumPy's array.astype('<f4')",
        ),
    ] {
        let path = numpy(name);
        let expected = format!("'{}' is not a usable .npy file: {expected}", path.display());
        assert_eq!(Tensor::<f32>::read_npy(&path).expect_err(name).to_string(), expected);
        assert_eq!(MappedNpy::<f32>::open(&path).expect_err(name).to_string(), expected);
    }
}

#[test]
fn bad_headers_are_refused() {
    let cases: &[(&str, &str)] = &[
        ("", "at byte 10 there must be '{'"),
        ("{'descr': '<f4', ", "at byte 27 there must be a quoted name"),
        ("{descr: '<f4'}", "at byte 11 there must be a quoted name"),
        ("{'descr' '<f4'}", "at byte 19 there must be ':'"),
        ("{'descr': '<f4' 'shape': ()}", "at byte 26 there must be ',' or '}'"),
        ("{'descr': '<f4", "at byte 24 there must be a quote that ends the name"),
        ("{'order': 'C'}", "at byte 11 there must be 'descr', 'fortran_order' or 'shape'"),
        ("{'fortran_order': 0}", "at byte 28 there must be True or False"),
        (
            "{'descr': [('x', '<f4')]}",
            "at byte 20 there must be the name of one number type; structured arrays are not supported",
        ),
        ("{'shape': 3}", "at byte 20 there must be '('"),
        ("{'shape': (-3,)}", "at byte 21 there must be a whole number that fits in memory's size"),
        ("{'shape': (99999999999999999999,)}", "at byte 21 there must be a whole number that fits in memory's size"),
        ("{'shape': (3 4)}", "at byte 23 there must be ',' or ')'"),
        ("{'shape': ()} 1", "at byte 24 there must be space up to the end of the header"),
    ];
    for (dictionary, expected) in cases {
        let expected = format!("the header must be a dictionary as NumPy writes it; {expected}");
        assert_eq!(message(&file(dictionary, &[])), expected, "{dictionary}");
    }
    let many = format!("{{'shape': ({})}}", "1,".repeat(100));
    assert!(message(&file(&many, &[])).ends_with("at byte 149 there must be ')'"));
    for (dictionary, key) in [
        ("{'fortran_order': False, 'shape': (1,)}", "descr"),
        ("{'descr': '<f4', 'shape': (1,)}", "fortran_order"),
        ("{'descr': '<f4', 'fortran_order': False}", "shape"),
    ] {
        let expected =
            format!("the header must have the keys 'descr', 'fortran_order' and 'shape'; '{key}' is missing");
        assert_eq!(message(&file(dictionary, &[])), expected);
    }
}

#[test]
fn beginnings_of_other_files_are_refused() {
    let magic = "the first six bytes must be [147, 78, 85, 77, 80, 89]; received [137, 80, 78, 71, 13, 10]";
    let cases: &[(&[u8], &str)] = &[
        (b"", "the header takes 10 bytes; the file has 0; it was cut short"),
        (b"\x93NUMPY\x01", "the header takes 10 bytes; the file has 7; it was cut short"),
        (b"\x93NUMPY\x02\x00\x01\x00\x00", "the header takes 12 bytes; the file has 11; it was cut short"),
        (b"\x93NUMPY\x01\x00\x76\x00{", "the header takes 128 bytes; the file has 11; it was cut short"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "the header takes 2147483659 bytes; the file has 13; it was cut short"),
        (b"\x89PNG\r\n\x1a\n", magic),
        (b"\x93NUMPY\x03\x00\x01\x00\x00\x00{", "the version must be 1.0 or 2.0; received 3.0"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(message(bytes), *expected);
    }
}

#[test]
fn lengths_that_differ_from_the_header_are_refused_before_memory_is_taken() {
    let cut = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    for (shape, received, expected) in [
        ("(2, 3)", 23, "an array of shape (2, 3) and type '<f4' takes 24 bytes; received 23"),
        ("(2, 3)", 25, "an array of shape (2, 3) and type '<f4' takes 24 bytes; received 25"),
        ("()", 0, "an array of shape () and type '<f4' takes 4 bytes; received 0"),
        ("(0, 7)", 4, "an array of shape (0, 7) and type '<f4' takes 0 bytes; received 4"),
        ("(1000, 1000, 30)", 8, "an array of shape (1000, 1000, 30) and type '<f4' takes 120000000 bytes; received 8"),
        ("(1, 1, 1, 1, 1, 1, 1)", 4, "a tensor has at most 6 axes; received 7 in the shape [1, 1, 1, 1, 1, 1, 1]"),
    ] {
        assert_eq!(message(&file(&cut(shape), &vec![0; received])), expected);
    }
    let max = isize::MAX as usize / 64;
    let expected = format!("a tensor has at most {max} elements; received the shape [{max}, 2]");
    assert_eq!(message(&file(&cut(&format!("({max}, 2)")), &[0; 8])), expected);
}

#[test]
fn a_misaligned_file_is_read_but_not_mapped() {
    let folder = temporary_folder();
    let path = folder.path().join("misaligned.npy");
    let dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}";
    std::fs::write(&path, file(dictionary, &1.5_f32.to_le_bytes())).expect("writable");
    assert_eq!(Tensor::<f32>::read_npy(&path).expect("the file is sound").data(), [1.5]);
    let expected = format!(
        "'{}' is not a usable .npy file: elements of a mapped file must begin at a multiple of 4 bytes; \
         they begin at 65; read the file instead of mapping it",
        path.display()
    );
    assert_eq!(MappedNpy::<f32>::open(&path).expect_err("misaligned").to_string(), expected);
}

#[test]
fn a_missing_file_is_named() {
    let path = numpy("missing.npy");
    let text = Tensor::<f32>::read_npy(&path).expect_err("no such file").to_string();
    assert!(text.starts_with(&format!("cannot read '{}': ", path.display())), "{text}");
}

fn round_trip<T: Element + PartialEq + std::fmt::Debug>(dims: &[usize], values: &[T]) {
    let len = dims.iter().product();
    let values: Vec<T> = values.iter().copied().cycle().take(len).collect();
    let tensor = Tensor::from_vec(dims, values).expect("the lengths are equal");
    let folder = temporary_folder();
    let path = folder.path().join("tensor.npy");
    tensor.write_npy(&path).expect("writable");
    assert_eq!(Tensor::read_npy(&path).expect("just written"), tensor);
    let mapped = MappedNpy::open(&path).expect("just written");
    assert_eq!(mapped.view(), tensor.view());
}

proptest! {
    #![proptest_config(stampnet_testkit::cases(16))]

    #[test]
    fn every_type_and_shape_survives_a_file(dims in prop::collection::vec(0_usize..5, 0..=6)) {
        round_trip(&dims, &[0.0_f32, -1.5, f32::MAX, f32::INFINITY]);
        round_trip(&dims, &[0.1_f64, -1e300]);
        round_trip(&dims, &[0_u8, 1, 255]);
        round_trip(&dims, &[i32::MIN, 0, 7, i32::MAX]);
        round_trip(&dims, &[0, 7, u32::MAX]);
        round_trip(&dims, &[i64::MIN, 0, 7, i64::MAX]);
    }

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        cut in 0_usize..=224,
        (at, byte) in (0_usize..128, any::<u8>()),
    ) {
        let _ = Tensor::<f32>::from_npy_bytes(&bytes);
        let mut sound = std::fs::read(numpy("float32.npy")).expect("the file is committed");
        prop_assert_eq!(Tensor::<f32>::from_npy_bytes(&sound[..cut]).is_ok(), cut == sound.len());
        sound[at] = byte;
        let _ = Tensor::<f32>::from_npy_bytes(&sound);
    }
}
