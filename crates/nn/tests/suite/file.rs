//! Model files.

use std::collections::HashMap;

use crate::common::{bits, uniform};
use safetensors::tensor::{Dtype, TensorView};
use stampnet_nn::layers::{BatchNormalization, Dense};
use stampnet_nn::{Model, Sequential, models};
use stampnet_testkit::temporary_folder;

fn small() -> Model {
    let mut model = Sequential::new(3).add(Dense::new(2)).add(BatchNormalization::new()).build(9).unwrap();
    model.metadata_mut().insert("classes".to_owned(), "no,yes".to_owned());
    model
}

fn refusal(bytes: &[u8]) -> String {
    Model::from_bytes(bytes).expect_err("the file is refused").to_string()
}

#[test]
fn a_model_comes_back_bit_for_bit() {
    let folder = temporary_folder();
    for (i, mut model) in [small(), models::book_cnn().build(3).unwrap()].into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.safetensors"));
        model.save(&path).unwrap();
        let mut again = Model::load(&path).unwrap();
        assert_eq!(bits(&again), bits(&model));
        assert_eq!((again.to_json(), again.seed()), (model.to_json(), model.seed()));
        assert_eq!(again.metadata(), model.metadata());
        assert_eq!(again.weights(), model.weights());
        let x = uniform(&[&[5], model.input_shape().dims()].concat(), 3);
        assert_eq!(again.predict(x.view()).unwrap(), model.predict(x.view()).unwrap());
        assert_eq!(again.to_bytes().unwrap(), std::fs::read(&path).unwrap(), "equal models give equal bytes");
    }
}

#[test]
fn other_readers_see_plain_tensors() {
    let bytes = small().to_bytes().unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    let norm = ["beta", "gamma", "moving_mean", "moving_variance"].map(|name| format!("batch_normalization/{name}"));
    assert_eq!(names[..4], norm);
    assert_eq!(names[4..], ["dense/bias", "dense/kernel"]);
    assert_eq!(file.tensor("dense/kernel").unwrap().shape(), [3, 2]);
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let bytes = small().to_bytes().unwrap();
    for len in [0, 1, 8, 100, bytes.len() - 1] {
        let text = refusal(&bytes[..len]);
        assert!(text.starts_with("a model file must be a whole safetensors file: "), "{len}: {text}");
    }
    let empty: [(&str, TensorView<'_>); 0] = [];
    assert_eq!(
        refusal(&safetensors::serialize(empty.clone(), None).unwrap()),
        "a model file must have an entry 'stampnet' in its metadata, the model's description; this one has no metadata"
    );
    let metadata = Some(HashMap::from([("format".to_owned(), "pt".to_owned())]));
    assert_eq!(
        refusal(&safetensors::serialize(empty.clone(), metadata).unwrap()),
        "a model file must have an entry 'stampnet' in its metadata, the model's description; this one has other metadata only"
    );
    let metadata = Some(HashMap::from([("stampnet".to_owned(), r#"{"format": 2}"#.to_owned())]));
    assert_eq!(
        refusal(&safetensors::serialize(empty, metadata).unwrap()),
        "a model file must have the format 1; received 2: use a newer stampnet"
    );
}

/// A file with the description of [`small`] and other tensors.
fn with_tensors(tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) -> Vec<u8> {
    let bytes = small().to_bytes().unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    safetensors::serialize(views, header.metadata().clone()).unwrap()
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let kernel = ("dense/kernel", Dtype::F32, &[3, 2][..], floats(&[0.5; 6]));
    assert_eq!(
        refusal(&with_tensors(std::slice::from_ref(&kernel))),
        "layer dense (Dense) needs the weight 'dense/bias', which the file lacks"
    );
    assert_eq!(
        refusal(&with_tensors(&[("dense/kernel", Dtype::F32, &[2, 3], floats(&[0.5; 6]))])),
        "layer dense (Dense) needs the weight 'dense/kernel' as float32 of shape (3, 2); the file has F32 of shape [2, 3]"
    );
    assert_eq!(
        refusal(&with_tensors(&[("dense/kernel", Dtype::F16, &[3, 2], vec![0; 12])])),
        "layer dense (Dense) needs the weight 'dense/kernel' as float32 of shape (3, 2); the file has F16 of shape [3, 2]"
    );
    assert_eq!(
        refusal(&with_tensors(&[("dense/kernel", Dtype::F32, &[3, 2], floats(&[0.0, 1.0, f32::NAN, 0.0, 0.0, 0.0]))])),
        "weights must be finite; layer dense (Dense), weight 'dense/kernel' has NaN at position 2"
    );
    let two = |name| (name, Dtype::F32, &[2][..], floats(&[1.0; 2]));
    let all =
        ["dense/bias", "batch_normalization/gamma", "batch_normalization/beta", "batch_normalization/moving_mean"];
    let mut tensors: Vec<_> = all.into_iter().map(two).collect();
    tensors.extend([two("batch_normalization/moving_variance"), kernel, two("dense_1/bias")]);
    assert_eq!(
        refusal(&with_tensors(&tensors)),
        "the file has a weight 'dense_1/bias', which no layer of its model has"
    );
}

#[test]
fn errors_name_the_file() {
    let folder = temporary_folder();
    let path = folder.path().join("model.safetensors");
    let text = Model::load(&path).expect_err("there is no file").to_string();
    assert!(text.starts_with(&format!("cannot read '{}': ", path.display())), "{text}");
    std::fs::write(&path, b"not a model").unwrap();
    let text = Model::load(&path).expect_err("not a model").to_string();
    assert!(text.starts_with(&format!("'{}' is not a usable model file: ", path.display())), "{text}");
    let text = small().save(folder.path().join("missing/model")).expect_err("there is no folder").to_string();
    assert!(text.contains("missing"), "{text}");
}
