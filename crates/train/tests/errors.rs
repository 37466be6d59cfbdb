//! Bad input: one message that names file, index or layer, the right exit code, and nothing half-written.

mod common;

use common::{CLASSES, H, Place, W, idx, images, labels, network};

/// Something wrong, what is done with it, and what must be said.
struct Case {
    name: &'static str,
    /// A file to write, and its bytes.
    file: Option<(&'static str, Vec<u8>)>,
    arguments: &'static str,
    code: i32,
    /// All of these are in the message.
    says: &'static [&'static str],
}

const TRAIN: &str = "train --data data --model network.json --epochs 1 --out run";

/// Runs every case in a new place and reports all that fail.
fn check(cases: Vec<Case>) {
    let mut failures = Vec::new();
    for case in cases {
        let place = Place::new();
        if let Some((file, bytes)) = &case.file {
            place.write(file, bytes);
        }
        let before = place.list("");
        let run = place.run(case.arguments);
        let mut wrong = Vec::new();
        if run.code != Some(case.code) {
            wrong.push(format!("exit code {:?}, want {}", run.code, case.code));
        }
        wrong.extend(case.says.iter().filter(|text| !run.err.contains(**text)).map(|text| format!("no '{text}'")));
        if !run.err.starts_with("error: ") || (case.code == 1 && run.err.lines().count() != 1) {
            wrong.push("not one line that begins with 'error: '".to_owned());
        }
        if place.list("") != before {
            wrong.push(format!("left {:?}", place.list("")));
        }
        if !wrong.is_empty() {
            failures.push(format!("{}: {}\n{}", case.name, wrong.join("; "), run.err));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn bad_file(name: &'static str, file: &'static str, bytes: Vec<u8>, says: &'static [&'static str]) -> Case {
    Case { name, file: Some((file, bytes)), arguments: TRAIN, code: 1, says }
}

fn bad_call(name: &'static str, arguments: &'static str, code: i32, says: &'static [&'static str]) -> Case {
    Case { name, file: None, arguments, code, says }
}

#[test]
fn bad_data_is_refused_by_file_and_index() {
    let cut = |bytes: Vec<u8>, len: usize| bytes[..len].to_vec();
    let mut oversized = labels(60);
    oversized[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut bad_label = labels(60);
    bad_label[8 + 37] = CLASSES as u8;
    check(vec![
        bad_file("truncated header", "data/train-images-idx3-ubyte", cut(images(60), 9), &["train-images-idx3-ubyte"]),
        bad_file(
            "truncated images",
            "data/train-images-idx3-ubyte",
            cut(images(60), 900),
            &["train-images-idx3-ubyte"],
        ),
        bad_file(
            "oversized header",
            "data/train-labels-idx1-ubyte",
            oversized,
            &["train-labels-idx1-ubyte", "4294967295"],
        ),
        bad_file("no IDX file", "data/t10k-labels-idx1-ubyte", b"hello".to_vec(), &["t10k-labels-idx1-ubyte"]),
        bad_file(
            "label without a class",
            "data/train-labels-idx1-ubyte",
            bad_label,
            &["label 37", "train-labels", "3"],
        ),
        bad_file("empty set", "data/train-images-idx3-ubyte", idx(&[0, H, W], &[]), &["train-images-idx3-ubyte"]),
        bad_file("counts differ", "data/train-labels-idx1-ubyte", labels(59), &["60 images", "59 labels"]),
        bad_file(
            "wrong checksum",
            "data/SHA256SUMS",
            format!("{}  train-labels-idx1-ubyte\n", "0".repeat(64)).into_bytes(),
            &["data"],
        ),
        bad_file(
            "other size of test images",
            "data/t10k-images-idx3-ubyte",
            idx(&[12, 2, 2], &[0; 48]),
            &["t10k-images"],
        ),
    ]);
}

#[test]
fn bad_networks_are_refused_by_file_and_layer() {
    let network_file = |name, bytes, says| bad_file(name, "network.json", bytes, says);
    check(vec![
        network_file(
            "kernel larger than input",
            network(7).into_bytes(),
            &["network.json", "conv2d (Conv2D)", "7", "6"],
        ),
        network_file("no JSON", b"{".to_vec(), &["cannot make the network of 'network.json': ", "JSON"]),
        network_file("empty file", Vec::new(), &["cannot make the network of 'network.json': ", "JSON"]),
        network_file(
            "misspelt argument",
            network(3).replace("\"activation\"", "\"actiavtion\"").into_bytes(),
            &["conv2d (Conv2D) has no argument 'actiavtion'; did you mean 'activation'?"],
        ),
        network_file(
            "unknown layer",
            network(3).replace("\"Flatten\"", "\"Flaten\"").into_bytes(),
            &["network.json", "Flaten"],
        ),
        network_file(
            "other input",
            network(3).replace("[null,6,5,1]", "[null,8,8,1]").into_bytes(),
            &["(None, 8, 8, 1)"],
        ),
        network_file("too few outputs", network(3).replace("\"units\":3", "\"units\":2").into_bytes(), &["3", "dense"]),
        Case {
            name: "no such network",
            file: None,
            arguments: "train --data data --model lenet --out run",
            code: 1,
            says: &[
                "there is no network 'lenet'",
                "it is neither built in (dense, cnn, cnn-average, vgg, resnet, mobilenet)",
            ],
        },
        Case {
            name: "unreadable model file",
            file: Some(("broken.safetensors", vec![7; 100])),
            arguments: "evaluate broken.safetensors --data data",
            code: 1,
            says: &["broken.safetensors"],
        },
        bad_call(
            "a folder as a network",
            "train --data data --model data --out run",
            1,
            &["cannot read the network 'data'"],
        ),
        bad_call(
            "a network with a typing error",
            "train --data data --model CNN --out run",
            1,
            &["nor a file that is there; did you mean 'cnn'?"],
        ),
        bad_call(
            "no model file",
            "evaluate nothing.safetensors --data data",
            1,
            &["there is no trained network 'nothing.safetensors': give the folder of a run, or a model file"],
        ),
        bad_call(
            "a folder without a model",
            "summary data",
            1,
            &["the folder 'data' is not that of a run: it holds no model.safetensors"],
        ),
        Case {
            name: "empty model file",
            file: Some(("empty.safetensors", Vec::new())),
            arguments: "predict empty.safetensors picture.png",
            code: 1,
            says: &["'empty.safetensors' is not a usable model file"],
        },
    ]);
}

#[test]
fn bad_settings_are_refused_by_file_and_key() {
    let settings = |name, text: &str, says| Case {
        name,
        file: Some(("recipe.json", text.as_bytes().to_vec())),
        arguments: "train --settings recipe.json --data data --out run",
        code: 1,
        says,
    };
    check(vec![
        settings("misspelt key", r#"{"epoch": 3}"#, &["'recipe.json'", "'epoch'", "did you mean 'epochs'?"]),
        settings("no JSON", "epochs: 3", &["'recipe.json'", "JSON"]),
        settings("empty file", "", &["'recipe.json'", "JSON"]),
        settings("no such network", r#"{"model": "lenet.json"}"#, &["'lenet.json'", "built in"]),
        settings(
            "rate out of range",
            r#"{"model": "network.json", "optimizer": {"class_name": "SGD", "config": {"learning_rate": -1}}}"#,
            &["learning_rate", "-1"],
        ),
        settings(
            "unknown argument of a layer",
            r#"{"model": {"class_name": "Sequential", "config": {"layers": [{"class_name": "InputLayer", "config":
                {"batch_shape": [null, 6, 5, 1]}}, {"class_name": "Dense", "config": {"name": "d", "unit": 3}}]}}}"#,
            &["'recipe.json'", "'units' is missing; did you mean it by 'unit'?"],
        ),
        bad_call("no settings", "train --settings none.json --out run", 1, &["cannot read the settings 'none.json'"]),
        bad_call("a folder of settings", "train --settings data --out run", 1, &["cannot read the settings 'data'"]),
    ]);
}

#[test]
fn bad_folders_are_refused_before_any_work() {
    check(vec![
        bad_call("no data folder", "train --data nowhere --model network.json --out run", 1, &["'nowhere'"]),
        bad_call(
            "folder without data",
            "train --data . --model network.json --out run",
            1,
            &["train-images-idx3-ubyte"],
        ),
        bad_call(
            "unwritable run folder",
            "train --data data --model network.json --out network.json/run",
            1,
            &["network.json/run"],
        ),
        bad_call(
            "run folder in use",
            "train --data data --model network.json --out data",
            1,
            &["the run folder must be new or empty, so that no earlier run is lost; 'data' is not empty", "--out"],
        ),
    ]);
}

#[test]
fn wrong_usage_ends_with_code_2() {
    check(vec![
        bad_call("batch 0", "train --batch 0", 2, &["--batch", "'0'"]),
        bad_call("epochs 0", "train --epochs 0", 2, &["--epochs"]),
        bad_call("epochs in words", "train --epochs ten", 2, &["'ten'", "give a whole number from 1"]),
        bad_call("negative epochs", "train --epochs -3", 2, &["'-3'", "give a whole number from 1"]),
        bad_call("half a batch", "evaluate run --batch 1.5", 2, &["'1.5'", "give a whole number from 1"]),
        bad_call("threads 0", "bench step --threads 0", 2, &["--threads"]),
        bad_call("too many threads", "train --threads 100000", 2, &["give a number of threads from 1 to 1024"]),
        bad_call("learning rate", "train --lr -1", 2, &["--lr"]),
        bad_call("unknown command", "trian", 2, &["trian", "train"]),
        bad_call("unknown option", "train --epoch 3", 2, &["--epoch", "--epochs"]),
        bad_call("no images", "predict run", 2, &["IMAGE"]),
        bad_call("no such shape", "bench conv --only nothing", 1, &["no shape of the list has 'nothing' in its name"]),
        bad_call("unknown pass", "bench conv --pass backward", 2, &["forward"]),
    ]);
}

/// The beginning of a PNG file with a picture of `side` by `side` gray pixels.
fn png_header(side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap();
    bytes
}

#[test]
fn bad_pictures_are_refused_by_name() {
    let place = Place::new();
    place.train().succeeded();
    place.write("text.png", b"not a picture");
    place.write("huge.png", &png_header(70_000));
    for (arguments, says) in [
        ("predict run text.png", ["images must be PNG files; 'text.png' is not one that can be read: ", ""]),
        ("predict run huge.png", ["images may have at most 268435456 pixels; 'huge.png' has 70000 x 70000", ""]),
        ("predict run none.png", ["cannot read the image 'none.png'", ""]),
        ("predict run run", ["cannot read the image 'run'", ""]),
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, Some(1), "{arguments}");
        assert!(says.iter().all(|text| run.err.contains(text)) && run.out.is_empty(), "{arguments}: {run:?}");
    }
}

#[test]
fn a_wrong_level_in_the_environment_is_named() {
    let place = Place::new();
    let output = place.command("summary").env("STAMPNET_SIMD", "sse9").output().unwrap();
    let run = common::Run::from(output);
    assert_eq!(run.code, Some(1));
    assert!(run.err.starts_with("error: STAMPNET_SIMD: ") && run.err.contains("'sse9'"), "{}", run.err);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run() {
    let place = Place::new();
    let run = place.run("train --data data --model network.json --epochs 50 --batch 4 --lr 1e30 --out run");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.err.contains("learning rate") && run.err.contains("epoch"), "{}", run.err);
    assert!(place.list("run").iter().all(|name| !name.contains("tmp")));
}

/// The device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Place::new().command("summary").stdout(full).output().unwrap();
    let run = common::Run::from(output);
    assert_eq!(run.code, Some(1));
    assert!(run.err.starts_with("error: cannot print the results: "), "{}", run.err);
}
