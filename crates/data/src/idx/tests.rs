//! Tests of sound, damaged and arbitrary files, plain and compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::gzip::{MAX_DEFLATE_RATIO, decompress};
use super::*;

/// An IDX file with this type, these sizes and these elements.
fn file(code: u8, dims: &[u32], elements: &[u8]) -> Vec<u8> {
    let axes = u8::try_from(dims.len()).expect("few axes");
    let sizes = dims.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, code, axes].into_iter().chain(sizes).chain(elements.iter().copied()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory is writable");
    encoder.finish().expect("memory is writable")
}

fn message(bytes: &[u8]) -> String {
    Idx::from_bytes(bytes.to_vec()).expect_err("the file is bad").to_string()
}

#[test]
fn one_to_four_axes_are_read() {
    for dims in [[5].as_slice(), &[2, 3], &[2, 3, 4], &[2, 3, 4, 5]] {
        let len = u8::try_from(dims.iter().product::<u32>()).expect("small");
        let elements: Vec<u8> = (0..len).collect();
        let plain = file(8, dims, &elements);
        for bytes in [gzip(&plain), plain] {
            let idx = Idx::from_bytes(bytes).expect("the file is sound");
            assert!(idx.dims().iter().map(|&size| size as u32).eq(dims.iter().copied()));
            assert_eq!(idx.data(), elements);
        }
    }
}

#[test]
fn gzip_files_of_several_members_are_read_whole() {
    let plain = file(8, &[6], &[1, 2, 3, 4, 5, 6]);
    let (first, second) = plain.split_at(10);
    let idx = Idx::from_bytes([gzip(first), gzip(second)].concat()).expect("gzip allows members");
    assert_eq!(idx.data(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn damaged_files_are_refused_plain_and_compressed() {
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("nothing", vec![], "the header takes 4 bytes; the file has 0; it was cut short"),
        ("half a magic", vec![0, 0, 8], "the header takes 4 bytes; the file has 3; it was cut short"),
        ("half a header", vec![0, 0, 8, 3, 0, 0], "the header takes 16 bytes; the file has 6; it was cut short"),
        (
            "a picture",
            b"\x89PNG\r\n\x1a\n".to_vec(),
            "the first two bytes must be zero, or 31 and 139 for gzip; received 137 and 80",
        ),
        (
            "floats",
            file(0x0d, &[1], &[0; 4]),
            "the elements must be unsigned bytes, type 8; received type 13 (32-bit floats)",
        ),
        ("no type", file(0xff, &[1], &[0]), "the elements must be unsigned bytes, type 8; received type 255"),
        ("no axes", file(8, &[], &[0]), "there must be 1 to 4 axes; received 0"),
        ("five axes", file(8, &[1; 5], &[0]), "there must be 1 to 4 axes; received 5"),
        ("no images", file(8, &[0, 28, 28], &[]), "every size must be at least 1; received the sizes [0, 28, 28]"),
        ("no pixels", file(8, &[3, 0, 28], &[]), "every size must be at least 1; received the sizes [3, 0, 28]"),
        (
            "more than memory",
            file(8, &[u32::MAX; 4], &[1]),
            "the sizes [4294967295, 4294967295, 4294967295, 4294967295] are more than memory can hold",
        ),
        (
            "a byte missing",
            file(8, &[2, 3, 5], &[7; 29]),
            "the sizes (2, 3, 5) take 30 bytes after the header; received 29; the file was cut short",
        ),
        (
            "a huge promise",
            file(8, &[4_000_000_000, 1000], &[7; 29]),
            "the sizes (4000000000, 1000) take 4000000000000 bytes after the header; received 29; the file was cut short",
        ),
        (
            "a byte more",
            file(8, &[2, 3, 5], &[7; 31]),
            "the sizes (2, 3, 5) take 30 bytes after the header; received at least 31",
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(message(bytes), *expected, "{name}");
        assert_eq!(message(&gzip(bytes)), *expected, "{name}, compressed");
    }
}

#[test]
fn decompression_stops_at_what_the_header_announces() {
    let bomb = gzip(&file(8, &[2, 30], &vec![0; 50_000_000]));
    assert!(bomb.len() < 500_000);
    let bytes = decompress(&bomb, |_| {}).expect("the stream is sound");
    assert_eq!(bytes.len(), 12 + 60 + 1);
    assert_eq!(message(&bomb), "the sizes (2, 30) take 60 bytes after the header; received at least 61");
}

#[test]
fn memory_is_taken_for_what_the_stream_can_deliver() {
    let liar = gzip(&file(8, &[u32::MAX, 1000], &[1, 2, 3]));
    let bytes = decompress(&liar, |_| {}).expect("the stream is sound");
    assert!(bytes.memory() <= liar.len() * MAX_DEFLATE_RATIO, "{}", bytes.memory());
}

#[test]
fn the_whole_file_is_watched_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Some pieces and a bit.
    let elements: Vec<u8> = (0..1_300_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    let plain = file(8, &[1300, 1000], &elements);
    for (name, bytes) in [("plain", plain.clone()), ("compressed", gzip(&plain))] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        let mut seen = Vec::new();
        let idx = Idx::open_watched(&path, |piece| seen.extend_from_slice(piece)).expect("the file is sound");
        assert!(idx.data() == elements && seen == plain, "{name}");
    }
}

#[test]
fn damaged_compression_is_refused() {
    let sound = gzip(&file(8, &[4, 5], &[7; 20]));
    let mut wrong_checksum = sound.clone();
    let at = sound.len() - 8;
    wrong_checksum[at] ^= 1;
    for bytes in [&sound[..sound.len() - 1], &sound[..12], &[0x1f, 0x8b], &wrong_checksum] {
        let text = message(bytes);
        assert!(text.starts_with("the gzip file is damaged or cut short: "), "{text}");
    }
}

#[test]
fn files_are_mapped_or_decompressed_by_their_contents() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = file(8, &[2, 2], &[1, 2, 3, 4]);
    for (name, bytes, mapped) in [("plain", plain.clone(), true), ("compressed", gzip(&plain), false)] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        let idx = Idx::open(&path).expect("the file is sound");
        assert_eq!((idx.data(), idx.path()), ([1, 2, 3, 4].as_slice(), path.as_path()));
        assert_eq!(matches!(idx.bytes, Bytes::Mapped(_)), mapped, "{name}");
    }
}

#[test]
fn a_bad_file_and_a_missing_one_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("train-images-idx3-ubyte");
    let text = Idx::open(&path).expect_err("no such file").to_string();
    assert!(text.starts_with(&format!("cannot read '{}': ", path.display())), "{text}");
    std::fs::write(&path, [0, 0, 8]).expect("writable");
    assert_eq!(
        Idx::open(&path).expect_err("cut short").to_string(),
        format!(
            "'{}' is not a usable IDX file: the header takes 4 bytes; the file has 3; it was cut short",
            path.display()
        )
    );
}

proptest! {
    #[test]
    fn every_cut_is_refused_and_the_whole_is_read(dims in prop::collection::vec(1_u32..5, 1..=4), value: u8) {
        let len = dims.iter().product::<u32>() as usize;
        let plain = file(8, &dims, &vec![value; len]);
        for cut in 0..=plain.len() {
            prop_assert_eq!(Idx::from_bytes(plain[..cut].to_vec()).is_ok(), cut == plain.len());
        }
        let compressed = gzip(&plain);
        for cut in 0..=compressed.len() {
            prop_assert_eq!(Idx::from_bytes(compressed[..cut].to_vec()).is_ok(), cut == compressed.len());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), kind in 0_usize..3) {
        let beginning = [[].as_slice(), &[0, 0, 8], &[0x1f, 0x8b, 8, 0]][kind];
        let bytes = [beginning, &bytes].concat();
        if let Ok(idx) = Idx::from_bytes(bytes.clone()) {
            prop_assert_eq!(idx.data().len(), idx.dims().iter().product::<usize>());
        }
        if let Ok(idx) = Idx::from_bytes(gzip(&bytes)) {
            prop_assert_eq!(idx.data().len(), idx.dims().iter().product::<usize>());
        }
    }
}
