//! ONNX's operators by StampNet's layers.
//!
//! ONNX has images as `[n, c, h, w]` and kernels as `[oc, c, kh, kw]`; they are permuted on the way in and out.

use serde_json::{Value, json};
use stampnet_autograd::Mode;
use stampnet_gemm::{Matrix, MatrixMut, gemm};
use stampnet_nn::layers::deserialize;
use stampnet_tensor::Tensor;

use crate::onnx::{Answer, Node};
use crate::recorded::{How, Recorded, build, permuted};

/// Computes a node, if StampNet has it.
///
/// # Errors
/// A layer refuses what the node asks for.
pub(crate) fn run(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    if node.dtype != "float32" {
        return Ok(Answer::NotApplicable("tensors are float32"));
    }
    if node.outputs > 1 && node.op == "MaxPool" {
        return Ok(Answer::NotApplicable("layers do not give the positions of maxima"));
    }
    match node.op.as_str() {
        "Conv" => convolution(node, inputs),
        "ConvTranspose" => transposed(node, inputs),
        "MaxPool" | "AveragePool" => pooling(node, inputs),
        "GlobalMaxPool" => on_images("GlobalMaxPooling2D", &json!({"keepdims": true}), inputs, &[]),
        "GlobalAveragePool" => on_images("GlobalAveragePooling2D", &json!({"keepdims": true}), inputs, &[]),
        "Gemm" => Ok(Answer::Outputs(vec![product(node, inputs)])),
        "BatchNormalization" => batch_normalization(node, inputs),
        "Flatten" => flatten(node, inputs),
        "Relu" => Ok(Answer::Outputs(layer("Activation", &json!({"activation": "relu"}), &inputs[0], &[])?)),
        "Softmax" | "LogSoftmax" => softmax(node, inputs),
        other => Err(format!("nobody expected the operator {other}")),
    }
}

/// Runs a layer on a batch. The outputs are its output and its state afterwards.
fn layer(class: &str, config: &Value, x: &Tensor, weights: &[Tensor]) -> Result<Vec<Tensor>, String> {
    layer_in(Mode::Inference, class, config, x, weights)
}

fn layer_in(mode: Mode, class: &str, config: &Value, x: &Tensor, weights: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let mut config = config.clone();
    config["name"] = "layer".into();
    let text = json!({"class_name": class, "config": config}).to_string();
    let layer = deserialize(&text).map_err(|error| error.to_string())?;
    let inputs = vec![x.clone()];
    let built = build(&*layer, &inputs).map_err(|error| error.to_string())?;
    assert_eq!(built.weights.len(), weights.len(), "weights of {class}");
    let recorded = Recorded::new(&*layer, &built, inputs, weights.to_vec(), How { mode, trainable: true })
        .map_err(|error| error.to_string())?;
    let states = built.weights.iter().zip(&recorded.weights).filter(|(spec, _)| !spec.trainable);
    let mut outputs = vec![recorded.value(recorded.y)];
    outputs.extend(states.map(|(_, &var)| recorded.value(var)));
    Ok(outputs)
}

/// Runs a layer on images that have their channels first.
fn on_images(class: &str, config: &Value, inputs: &[Tensor], weights: &[Tensor]) -> Result<Answer, String> {
    let y = layer(class, config, &channels_last(&inputs[0]), weights)?.swap_remove(0);
    Ok(Answer::Outputs(vec![channels_first(&y)]))
}

fn channels_last(x: &Tensor) -> Tensor {
    let rank = x.dims().len();
    let axes: Vec<usize> = std::iter::once(0).chain(2..rank).chain([1]).collect();
    permuted(x.clone(), &axes)
}

fn channels_first(x: &Tensor) -> Tensor {
    let rank = x.dims().len();
    let axes: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    permuted(x.clone(), &axes)
}

/// A kernel as Keras has it: ONNX's with its first two axes last, in the other order.
fn kernel(weight: &Tensor) -> Tensor {
    let axes: Vec<usize> = (2..weight.dims().len()).chain([1, 0]).collect();
    permuted(weight.clone(), &axes)
}

/// Windows along all axes.
struct Windows {
    kernel: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    /// Cells before and after.
    pads: Vec<[usize; 2]>,
}

impl Windows {
    fn new(node: &Node, size: &[usize], kernel: &[usize]) -> Self {
        let ones = vec![1; size.len()];
        let strides = node.sizes("strides").unwrap_or_else(|| ones.clone());
        let dilations = node.sizes("dilations").unwrap_or(ones);
        let given = node.sizes("pads").unwrap_or_else(|| vec![0; 2 * size.len()]);
        let pads = (0..size.len()).map(|i| {
            let (stride, extent) = (strides[i], (kernel[i] - 1) * dilations[i] + 1);
            let total = ((size[i].div_ceil(stride) - 1) * stride + extent).saturating_sub(size[i]);
            let [before, mut after] = match node.text("auto_pad") {
                "SAME_UPPER" => [total / 2, total.div_ceil(2)],
                "SAME_LOWER" => [total.div_ceil(2), total / 2],
                _ => [given[i], given[size.len() + i]],
            };
            if node.int("ceil_mode", 0) == 1 {
                // A last window that sticks out; none begins behind the image.
                let steps = (size[i] + before + after - extent).div_ceil(stride);
                let steps = steps.min((size[i] + before - 1) / stride);
                after = (steps * stride + extent).saturating_sub(size[i] + before);
            }
            [before, after]
        });
        let pads = pads.collect();
        Self { kernel: kernel.to_vec(), strides, dilations, pads }
    }

    fn are_dilated(&self) -> bool {
        self.dilations.iter().any(|&dilation| dilation > 1)
    }

    fn are_padded(&self) -> bool {
        self.pads.iter().any(|&pads| pads != [0, 0])
    }
}

fn convolution(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    let weight = &inputs[1];
    let windows = Windows::new(node, &inputs[0].dims()[2..], &weight.dims()[2..]);
    let config = json!({
        "filters": weight.dims()[0],
        "kernel_size": windows.kernel,
        "strides": windows.strides,
        "dilation_rate": windows.dilations,
        "padding": windows.pads,
        "groups": node.int("group", 1),
        "use_bias": inputs.len() > 2,
    });
    let weights: Vec<Tensor> = std::iter::once(kernel(weight)).chain(inputs.get(2).cloned()).collect();
    on_images("Conv2D", &config, inputs, &weights)
}

fn pooling(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    let size = &inputs[0].dims()[2..];
    let windows = Windows::new(node, size, &node.sizes("kernel_shape").expect("it is required"));
    if windows.are_dilated() {
        return Ok(Answer::NotApplicable("pooling windows have no dilation, as in Keras"));
    }
    let is_average = node.op == "AveragePool";
    if is_average && windows.are_padded() && node.int("count_include_pad", 0) == 1 {
        return Ok(Answer::NotApplicable("an average never counts padding, as in Keras"));
    }
    let class = format!("{}Pooling{}D", if is_average { "Average" } else { "Max" }, size.len());
    let padding = if windows.are_padded() { json!(windows.pads) } else { json!("valid") };
    let config = json!({"pool_size": windows.kernel, "strides": windows.strides, "padding": padding});
    on_images(&class, &config, inputs, &[])
}

/// A transposed convolution without padding, cropped by the pads.
fn transposed(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    if node.int("group", 1) > 1 {
        return Ok(Answer::NotApplicable("transposed convolution has no groups, as in Keras"));
    }
    let (weight, size) = (&inputs[1], &inputs[0].dims()[2..]);
    let rank = size.len();
    if rank == 3 {
        return Ok(Answer::NotApplicable("there is no Conv3DTranspose"));
    }
    let windows = Windows::new(node, size, &weight.dims()[2..]);
    let mut config = json!({
        "filters": weight.dims()[1],
        "kernel_size": windows.kernel,
        "strides": windows.strides,
        "dilation_rate": windows.dilations,
        "use_bias": false,
    });
    let output = node.sizes("output_shape");
    let extra = node.sizes("output_padding").or_else(|| {
        let reached =
            |i: usize| (size[i] - 1) * windows.strides[i] + (windows.kernel[i] - 1) * windows.dilations[i] + 1;
        Some(output?.iter().enumerate().map(|(i, &output)| output - reached(i)).collect())
    });
    if node.text("auto_pad") == "SAME_UPPER" {
        config["padding"] = "same".into();
    } else {
        config["output_padding"] = extra.unwrap_or_else(|| vec![0; rank]).into();
    }
    let y = layer(&format!("Conv{rank}DTranspose"), &config, &channels_last(&inputs[0]), &[kernel(weight)])?;
    if node.sizes("pads").is_none() {
        return Ok(Answer::Outputs(vec![channels_first(&y[0])]));
    }
    let y = layer("Cropping2D", &json!({"cropping": windows.pads}), &y[0], &[])?;
    Ok(Answer::Outputs(vec![channels_first(&y[0])]))
}

fn batch_normalization(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    let config = json!({"momentum": node.float("momentum", 0.9), "epsilon": node.float("epsilon", 1e-5)});
    let mode = if node.int("training_mode", 0) == 1 { Mode::Training } else { Mode::Inference };
    let mut outputs = layer_in(mode, "BatchNormalization", &config, &channels_last(&inputs[0]), &inputs[1..])?;
    outputs[0] = channels_first(&outputs[0]);
    outputs.truncate(node.outputs);
    Ok(Answer::Outputs(outputs))
}

fn flatten(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    let (axis, rank) = (node.int("axis", 1), inputs[0].dims().len() as i64);
    if axis.rem_euclid(rank) != 1 {
        return Ok(Answer::NotApplicable("Flatten keeps the first axis and joins all others, as in Keras"));
    }
    Ok(Answer::Outputs(layer("Flatten", &json!({}), &inputs[0], &[])?))
}

/// Activations work along the last axis; others are brought there.
fn softmax(node: &Node, inputs: &[Tensor]) -> Result<Answer, String> {
    let rank = inputs[0].dims().len();
    let axis = node.int("axis", -1).rem_euclid(rank as i64) as usize;
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(axis, rank - 1);
    let name = if node.op == "Softmax" { "softmax" } else { "log_softmax" };
    let y = layer("Activation", &json!({"activation": name}), &permuted(inputs[0].clone(), &axes), &[])?.swap_remove(0);
    Ok(Answer::Outputs(vec![permuted(y, &axes)]))
}

fn matrix(x: &Tensor, is_transposed: bool) -> Matrix<'_> {
    let matrix = Matrix::row_major(x.data(), x.dims()[0], x.dims()[1]);
    if is_transposed { matrix.transposed() } else { matrix }
}

/// `alpha A B + beta C`, where the left matrix takes the factor.
fn product(node: &Node, inputs: &[Tensor]) -> Tensor {
    let mut scaled = inputs[0].clone();
    scaled.data_mut().iter_mut().for_each(|x| *x *= node.float("alpha", 1.0) as f32);
    let a = matrix(&scaled, node.int("transA", 0) == 1);
    let b = matrix(&inputs[1], node.int("transB", 0) == 1);
    let (rows, columns) = (a.rows(), b.columns());
    let beta = node.float("beta", 1.0) as f32;
    let addend = |row: usize, column: usize| {
        let Some(c) = inputs.get(2) else { return 0.0 };
        let at = match *c.dims() {
            [m, n] => row.min(m - 1) * n + column.min(n - 1),
            _ => column.min(c.data().len() - 1),
        };
        beta * c.data()[at]
    };
    let mut data: Vec<f32> = (0..rows * columns).map(|i| addend(i / columns, i % columns)).collect();
    gemm(a, b, 1.0, MatrixMut::row_major(&mut data, rows, columns));
    Tensor::from_vec([rows, columns], data).expect("as many numbers as the shape says")
}
