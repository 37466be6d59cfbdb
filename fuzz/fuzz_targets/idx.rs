//! IDX files: exactly the well-formed ones are read, and they are read right, plain or compressed.
#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use stampnet_data::{Dataset, Idx, ImageSet};

fuzz_target!(|bytes: &[u8]| {
    let file = Idx::from_bytes(bytes.to_vec());
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    let want = elements(bytes);
    check(&file, want.as_ref());
    check(&Idx::from_bytes(gzip(bytes)), want.as_ref());
    if let (Ok(images), Some((dims, elements))) = (file, want) {
        check_images(images, &dims, elements);
    }
});

/// The sizes and elements of a well-formed file of unsigned bytes, straight from the format's description.
fn elements(bytes: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let &[0, 0, 8, axes @ 1..=4, ..] = bytes else { return None };
    let (header, elements) = bytes.split_at_checked(4 + 4 * usize::from(axes))?;
    let size = |size: &[u8]| size.iter().fold(0, |size, &byte| size << 8 | usize::from(byte));
    let dims: Vec<usize> = header[4..].chunks(4).map(size).collect();
    let count: u128 = dims.iter().map(|&dim| dim as u128).product();
    (count == elements.len() as u128 && count > 0).then_some((dims, elements))
}

fn check(got: &Result<Idx, impl std::fmt::Display>, want: Option<&(Vec<usize>, &[u8])>) {
    match (got, want) {
        (Ok(got), Some((dims, elements))) => assert_eq!((got.dims(), got.data()), (dims.as_slice(), *elements)),
        (Err(error), None) => assert!(!error.to_string().is_empty()),
        (Ok(got), None) => panic!("a malformed file was read as {:?}", got.dims()),
        (Err(error), Some((dims, _))) => panic!("a file of {dims:?} was refused: {error}"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes any bytes");
    encoder.finish().expect("memory takes any bytes")
}

/// Uses the file as images, with labels made from its own bytes: some out of range.
fn check_images(images: Idx, dims: &[usize], pixels: &[u8]) {
    let n = dims[0];
    let labels: Vec<u8> = pixels.iter().take(n).map(|pixel| pixel % 64).collect();
    let count = u32::try_from(n).expect("the header has four bytes for it").to_be_bytes();
    let file = [[0, 0, 8, 1].as_slice(), &count, &labels].concat();
    let set = ImageSet::new(images, Idx::from_bytes(file).expect("the file is well-formed"), 63);
    let acceptable = dims.len() > 1 && !labels.contains(&63);
    assert_eq!(set.is_ok(), acceptable, "{dims:?}: {:?}", set.err());
    let Ok(set) = set else { return };
    let per_image = pixels.len() / n;
    let (mut sample, mut target) = (vec![f32::NAN; per_image], [f32::NAN]);
    for (index, (image, label)) in pixels.chunks(per_image).zip(labels).enumerate() {
        set.read(index, &mut sample, &mut target).expect("the index and the lengths are right");
        assert!(sample.iter().zip(image).all(|(&x, &pixel)| x == f32::from(pixel) / 255.0));
        assert_eq!(target, [f32::from(label)]);
    }
    assert!(set.read(n, &mut sample, &mut target).is_err(), "there is no image {n}");
}
