//! Small data sets, a small network, and the real binary.

#![allow(dead_code, reason = "every test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Height, width and classes of the small data set.
pub(crate) const H: usize = 6;
pub(crate) const W: usize = 5;
pub(crate) const CLASSES: usize = 3;

/// A folder with a data set in `data` and a network in `network.json`.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// 60 images to train on and 12 to test with: class `c` has light rows `2 c` and `2 c + 1`.
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.path("data")).unwrap();
        place.write("data/train-images-idx3-ubyte", &images(60));
        place.write("data/train-labels-idx1-ubyte", &labels(60));
        place.write("data/t10k-images-idx3-ubyte", &images(12));
        place.write("data/t10k-labels-idx1-ubyte", &labels(12));
        place.write("data/classes.txt", b"hat\nbelt\nshoe\n");
        place.write("network.json", network(3).as_bytes());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes a gray PNG.
    pub(crate) fn write_png(&self, name: &str, h: u32, w: u32, pixels: &[u8]) {
        let mut encoder = png::Encoder::new(fs::File::create(self.path(name)).unwrap(), w, h);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    }

    /// The binary, started in this folder, with words separated by spaces as arguments.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stampnet"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).env_remove("STAMPNET_SIMD");
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Trains the small network for two epochs into `run`.
    pub(crate) fn train(&self) -> Run {
        self.run("train --data data --model network.json --epochs 2 --batch 4 --lr 0.02 --threads 1 --out run")
    }

    /// The names in a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        list(&self.path(folder))
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// The names in `folder`, sorted.
fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Run {
    /// Fails unless the command succeeded.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let line = self.out.lines().last().unwrap_or_else(|| panic!("nothing printed: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// An IDX file of bytes.
pub(crate) fn idx(dims: &[usize], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|&dim| (dim as u32).to_be_bytes()));
    bytes.extend(data);
    bytes
}

pub(crate) fn images(count: usize) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count).flat_map(|image| pixels(image % CLASSES, image as u8 % 7)).collect();
    idx(&[count, H, W], &pixels)
}

pub(crate) fn labels(count: usize) -> Vec<u8> {
    let labels: Vec<u8> = (0..count).map(|image| (image % CLASSES) as u8).collect();
    idx(&[count], &labels)
}

/// An image of class `class`, a little darker by `shade`.
pub(crate) fn pixels(class: usize, shade: u8) -> Vec<u8> {
    let light = |row: usize| if row / 2 == class { 250 - shade } else { shade };
    (0..H).flat_map(|row| [light(row); W]).collect()
}

/// A network with a convolution whose kernel is `kernel` wide and high, as Keras writes it.
pub(crate) fn network(kernel: usize) -> String {
    let layer = |class: &str, config: &str| {
        let name = class.to_lowercase();
        format!(
            r#"{{"module":"keras.layers","class_name":"{class}","config":{{"name":"{name}",{config}}},"registered_name":null}}"#
        )
    };
    let layers = [
        layer("InputLayer", r#""batch_shape":[null,6,5,1],"dtype":"float32","sparse":false"#),
        layer("Conv2D", &format!(r#""filters":4,"kernel_size":[{kernel},{kernel}],"activation":"relu""#)),
        layer("Flatten", r#""data_format":"channels_last""#),
        layer("Dense", r#""units":3,"activation":"softmax""#),
    ];
    let layers = layers.join(",");
    format!(
        r#"{{"module":"keras","class_name":"Sequential","config":{{"name":"tiny","layers":[{layers}]}},"registered_name":null}}"#
    )
}
