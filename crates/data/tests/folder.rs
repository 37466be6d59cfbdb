//! Folders of IDX files: names, class names, checksums, and every error.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{idx, images, labels};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use stampnet_data::{Dataset, IdxFolder};
use tempfile::TempDir;

/// Writes `contents` to `name` in `folder`.
fn write(folder: &Path, name: &str, contents: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), contents).expect("the folder is writable");
}

/// Fills a folder with three training and two test images of three classes.
fn write_set(folder: &Path) {
    write(folder, "train-images-idx3-ubyte", images(3));
    write(folder, "train-labels-idx1-ubyte", labels(&[2, 0, 1]));
    write(folder, "t10k-images-idx3-ubyte", images(2));
    write(folder, "t10k-labels-idx1-ubyte", labels(&[1, 2]));
}

fn set() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_set(folder.path());
    folder
}

fn open(folder: &TempDir) -> IdxFolder {
    IdxFolder::open(folder.path()).expect("the set is sound")
}

/// The error, with the folder's path written as `DIR`.
fn message(folder: &TempDir) -> String {
    let text = IdxFolder::open(folder.path()).expect_err("the set is bad").to_string();
    text.replace(&folder.path().display().to_string(), "DIR")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory is writable");
    encoder.finish().expect("memory is writable")
}

/// Replaces a file by its compressed form.
fn compress(folder: &Path, name: &str) {
    let bytes = fs::read(folder.join(name)).expect("the file exists");
    write(folder, &format!("{name}.gz"), gzip(&bytes));
    fs::remove_file(folder.join(name)).expect("the file exists");
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of a correct `SHA256SUMS`.
fn sums(folder: &Path) -> Vec<String> {
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
        .map(|name| format!("{}  {name}", sum(&fs::read(folder.join(name)).expect("the file exists"))))
        .to_vec()
}

#[test]
fn a_plain_set_is_read() {
    let set = open(&set());
    assert_eq!((set.train.len(), set.test.len()), (3, 2));
    assert_eq!(set.train.sample_shape().dims(), [2, 3, 1]);
    assert_eq!(set.train.target_shape().dims(), [0; 0]);
    assert_eq!((set.train.classes(), set.test.classes()), (Some(3), Some(3)));
    assert_eq!(set.class_names, ["0", "1", "2"]);
    assert_eq!((set.train.labels(), set.test.labels()), ([2, 0, 1].as_slice(), [1, 2].as_slice()));
    let (mut sample, mut target) = ([0.0; 6], [0.0]);
    set.train.read(2, &mut sample, &mut target).expect("there are three");
    assert_eq!(sample, [20.0, 21.0, 22.0, 23.0, 24.0, 25.0].map(|pixel: f32| pixel / 255.0));
    assert_eq!(target, [1.0]);
}

#[test]
fn names_may_have_dots_and_files_may_be_compressed() {
    let folder = set();
    let rename = |from: &str, to: &str| fs::rename(folder.path().join(from), folder.path().join(to)).expect("writable");
    rename("train-images-idx3-ubyte", "train-images.idx3-ubyte");
    rename("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte");
    compress(folder.path(), "train-images.idx3-ubyte");
    compress(folder.path(), "train-labels-idx1-ubyte");
    let set = open(&folder);
    assert_eq!((set.train.labels(), set.test.labels()), ([2, 0, 1].as_slice(), [1, 2].as_slice()));
}

#[test]
fn a_plain_file_is_preferred_to_a_compressed_one() {
    let folder = set();
    write(folder.path(), "train-labels-idx1-ubyte.gz", b"not read");
    assert_eq!(open(&folder).train.len(), 3);
}

#[test]
fn colour_images_and_lists_of_numbers_are_read() {
    let folder = set();
    for (axes, dims, shape) in [(4, [2, 3, 4].as_slice(), [2, 3, 4].as_slice()), (2, &[5], &[5])] {
        for (name, n) in [("train", 3), ("t10k", 2)] {
            let _ = fs::remove_file(folder.path().join(format!("{name}-images-idx3-ubyte")));
            let _ = fs::remove_file(folder.path().join(format!("{name}-images-idx4-ubyte")));
            let dims = [&[n], dims].concat();
            let elements = vec![1; dims.iter().product::<u32>() as usize];
            write(folder.path(), &format!("{name}-images-idx{axes}-ubyte"), idx(&dims, &elements));
        }
        assert_eq!(open(&folder).train.sample_shape().dims(), shape);
    }
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let folder = set();
    let missing = folder.path().join("missing");
    assert_eq!(
        IdxFolder::open(&missing).expect_err("no such folder").to_string(),
        format!("the data must be in a folder; there is no folder '{}'", missing.display())
    );
    for name in ["t10k-labels-idx1-ubyte", "train-images-idx3-ubyte"] {
        fs::remove_file(folder.path().join(name)).expect("the file exists");
        assert_eq!(message(&folder), format!("the folder 'DIR' must hold '{name}' or '{name}.gz'; it holds neither"));
    }
}

#[test]
fn classes_have_the_names_of_the_file() {
    let folder = set();
    write(folder.path(), "classes.txt", "shirt\r\n ankle boot \nbag\nhat");
    let set = open(&folder);
    assert_eq!(set.class_names, ["shirt", "ankle boot", "bag", "hat"]);
    assert_eq!(set.test.classes(), Some(4));
}

#[test]
fn one_label_makes_two_classes() {
    let folder = set();
    write(folder.path(), "train-labels-idx1-ubyte", labels(&[0, 0, 0]));
    write(folder.path(), "t10k-labels-idx1-ubyte", labels(&[1, 0]));
    assert_eq!(open(&folder).class_names, ["0", "1"]);
}

#[test]
fn bad_class_names_are_refused() {
    let folder = set();
    for (text, expected) in [
        ("shirt\n\nbag\n", "each line must name a class; line 2 of 'DIR/classes.txt' is blank"),
        ("shirt\n", "there must be at least two classes; 'DIR/classes.txt' names 1"),
        ("", "there must be at least two classes; 'DIR/classes.txt' names 0"),
    ] {
        write(folder.path(), "classes.txt", text);
        assert_eq!(message(&folder).replace('\\', "/"), expected);
    }
    write(folder.path(), "classes.txt", b"\xff\xfe");
    let text = message(&folder).replace('\\', "/");
    assert!(text.starts_with("cannot read 'DIR/classes.txt': "), "{text}");
}

#[test]
fn labels_that_are_no_class_are_refused() {
    let folder = set();
    write(folder.path(), "classes.txt", "a\nb\n");
    assert_eq!(
        message(&folder).replace('\\', "/"),
        "labels must be below 2, the number of classes; label 0 of 'DIR/train-labels-idx1-ubyte' is 2"
    );
    // Without names, the training labels say how many classes there are.
    fs::remove_file(folder.path().join("classes.txt")).expect("just written");
    write(folder.path(), "t10k-labels-idx1-ubyte", labels(&[1, 3]));
    assert_eq!(
        message(&folder).replace('\\', "/"),
        "labels must be below 3, the number of classes; label 1 of 'DIR/t10k-labels-idx1-ubyte' is 3"
    );
}

#[test]
fn files_that_do_not_fit_together_are_refused() {
    let cases: &[(&str, Vec<u8>, &str)] = &[
        (
            "train-labels-idx1-ubyte",
            labels(&[2, 0]),
            "each image must have one label; 'DIR/train-images-idx3-ubyte' has 3 images and \
             'DIR/train-labels-idx1-ubyte' has 2 labels",
        ),
        (
            "t10k-images-idx3-ubyte",
            images(3),
            "each image must have one label; 'DIR/t10k-images-idx3-ubyte' has 3 images and \
             'DIR/t10k-labels-idx1-ubyte' has 2 labels",
        ),
        (
            "t10k-images-idx3-ubyte",
            idx(&[2, 3, 2], &[0; 12]),
            "training and test images must have one size; 'DIR/train-images-idx3-ubyte' has the sizes [3, 2, 3] and \
             'DIR/t10k-images-idx3-ubyte' [2, 3, 2]",
        ),
        (
            "train-labels-idx1-ubyte",
            images(3),
            "labels must have one axis; 'DIR/train-labels-idx1-ubyte' has the sizes [3, 2, 3]",
        ),
        (
            "train-images-idx3-ubyte",
            labels(&[2, 0, 1]),
            "images must have two to four axes; 'DIR/train-images-idx3-ubyte' has the sizes [3]",
        ),
        (
            "train-images-idx3-ubyte",
            idx(&[0, 2, 3], &[]),
            "'DIR/train-images-idx3-ubyte' is not a usable IDX file: \
             every size must be at least 1; received the sizes [0, 2, 3]",
        ),
    ];
    for (name, contents, expected) in cases {
        let folder = set();
        write(folder.path(), name, contents);
        assert_eq!(message(&folder).replace('\\', "/"), *expected);
    }
}

#[test]
fn right_checksums_are_accepted_plain_and_compressed() {
    let folder = set();
    let lines = sums(folder.path());
    write(folder.path(), "SHA256SUMS", lines.join("\n"));
    assert_eq!(open(&folder).train.len(), 3);
    compress(folder.path(), "train-images-idx3-ubyte");
    // A star for binary files, blank lines, and lines about other files.
    let stars = lines.join("\n").replace("  ", " *");
    write(folder.path(), "SHA256SUMS", format!("\n{}  LICENSE\n{stars}\n", "0".repeat(64)));
    assert_eq!(open(&folder).train.len(), 3);
}

#[test]
fn a_wrong_checksum_is_refused() {
    let folder = set();
    let lines = sums(folder.path());
    write(folder.path(), "SHA256SUMS", lines.join("\n"));
    let damaged = idx(&[2, 2, 3], &[9; 12]);
    write(folder.path(), "t10k-images-idx3-ubyte", &damaged);
    let expected = format!(
        "'DIR/t10k-images-idx3-ubyte' is damaged or another version: its SHA-256 sum must be {}; received {}; \
         fetch the file again",
        &lines[2][..64],
        sum(&damaged)
    );
    assert_eq!(message(&folder).replace('\\', "/"), expected);
    compress(folder.path(), "t10k-images-idx3-ubyte");
    let expected = expected.replace("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz");
    assert_eq!(message(&folder).replace('\\', "/"), expected);
}

#[test]
fn a_list_of_checksums_must_be_whole_and_sound() {
    let folder = set();
    let lines = sums(folder.path());
    write(folder.path(), "SHA256SUMS", lines[..3].join("\n"));
    assert_eq!(
        message(&folder).replace('\\', "/"),
        "'DIR/SHA256SUMS' must list the sum of 't10k-labels-idx1-ubyte', decompressed; it does not; \
         add the sum or remove the list"
    );
    for bad in ["c59f  train-images-idx3-ubyte", &lines[0][..64], &lines[0].replace("  ", " "), &"x".repeat(80)] {
        write(folder.path(), "SHA256SUMS", format!("{}\n\n{bad}\n", lines[1]));
        assert_eq!(
            message(&folder).replace('\\', "/"),
            "a line must be 64 hexadecimal digits, two spaces and a name; line 3 of 'DIR/SHA256SUMS' is not"
        );
    }
}

#[test]
fn of_several_errors_the_first_file_s_is_reported() {
    for _ in 0..20 {
        let folder = set();
        write(folder.path(), "train-labels-idx1-ubyte", b"");
        write(folder.path(), "t10k-images-idx3-ubyte", b"");
        write(folder.path(), "t10k-labels-idx1-ubyte", b"");
        assert!(message(&folder).contains("train-labels-idx1-ubyte"));
    }
}
