//! Configs that are refused, and the words.

use serde_json::{Value, json};
use stampnet_geometry::Padding;
use stampnet_nn::layers::{AveragePooling1D, Conv2D, MaxPooling1D};
use stampnet_nn::{Initializer, Model, Sequential};

/// A model whose only layer has this class and config.
fn model(class: &str, config: &Value) -> String {
    let mut config = config.clone();
    config["name"] = "layer".into();
    json!({"class_name": "Sequential", "config": {"layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": [null, 12, 8, 4]}},
        {"class_name": class, "config": config},
    ]}})
    .to_string()
}

fn refusal(text: &str) -> String {
    Sequential::from_json(text).expect_err("the config is refused").to_string()
}

#[test]
fn arguments_that_change_the_meaning_are_refused() {
    for (class, config, expected) in [
        ("Conv2D", json!({"filters": 3}), "layer (Conv2D): 'kernel_size' is missing"),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_sise": 2}),
            "layer (Conv2D): 'kernel_size' is missing; did you mean it by 'kernel_sise'?",
        ),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": 2, "stride": 2}),
            "layer (Conv2D) has no argument 'stride'; did you mean 'strides'?",
        ),
        ("Conv2D", json!({"filters": 3, "kernel_size": 2, "xyzzy": 2}), "layer (Conv2D) has no argument 'xyzzy'"),
        (
            "Conv2D",
            json!({"filters": -3, "kernel_size": 2}),
            "layer (Conv2D): 'filters' must be a whole number that is not negative; received -3",
        ),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": [1, 2, 3]}),
            "layer (Conv2D): 'kernel_size' must be a whole number or two, [height, width]; received [1,2,3]",
        ),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": 2, "padding": "full"}),
            "layer (Conv2D): 'padding' must be 'valid', 'same', 'causal' or [[top, bottom], [left, right]]; received \"full\"",
        ),
        (
            "Conv2D",
            json!({"filters": 3, "kernel_size": 2, "data_format": "channels_second"}),
            "layer (Conv2D): 'data_format' must be 'channels_last' or 'channels_first'; received \"channels_second\"",
        ),
        (
            "Dense",
            json!({"units": 3, "activation": "rellu"}),
            "layer (Dense): 'activation' must be 'linear', 'relu', 'leaky_relu', 'elu', 'selu', 'gelu', 'gelu_tanh', 'silu', \
             'sigmoid', 'hard_sigmoid', 'tanh', 'softplus', 'softmax' or 'log_softmax'; received \"rellu\"",
        ),
        (
            "Dense",
            json!({"units": 3, "kernel_regularizer": {"class_name": "L2", "config": {"l3": 0.01}}}),
            "layer (Dense): kernel_regularizer has no argument 'l3'",
        ),
        (
            "Dense",
            json!({"units": 3, "bias_constraint": "max_nrom"}),
            "layer (Dense): 'bias_constraint' must be null or a constraint with valid arguments: 'max_norm', 'non_neg', 'unit_norm' \
             or 'min_max_norm', as a name or as an object; received \"max_nrom\"",
        ),
        (
            "Dense",
            json!({"units": 3, "kernel_initializer": "othogonal"}),
            "layer (Dense): 'kernel_initializer' must be an initializer with valid arguments, as a name or as an object: 'zeros', \
             'ones', 'constant', 'random_normal', 'random_uniform', 'truncated_normal', 'variance_scaling', 'glorot_uniform', \
             'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform', 'lecun_normal', 'orthogonal', 'identity' or 'dirac'; \
             received \"othogonal\"",
        ),
        ("Dense", json!({"units": 3, "trainable": 1}), "layer (Dense): 'trainable' must be true or false; received 1"),
        (
            "Dense",
            json!({"units": 3, "dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}}),
            "layer (Dense): 'dtype' must be 'float32' or 'mixed_bfloat16'; received \"mixed_float16\"",
        ),
        ("Conv2d", json!({}), "layer: there is no layer class 'Conv2d'; did you mean 'Conv2D'?"),
    ] {
        assert_eq!(refusal(&model(class, &config)), expected);
    }
}

/// Keras passes over most of these.
#[test]
fn a_typing_error_is_found_at_any_depth() {
    let layer = |key: &str, config: Value| json!({"class_name": "Dense", key: config});
    let dense = |more: Value| {
        let mut config = json!({"name": "d", "units": 3});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        layer("config", config)
    };
    let sequential =
        |key: &str, layers: Value| json!({"class_name": "Sequential", key: {"name": "s", "layers": layers}});
    let of = |layer: Value| {
        let input = json!({"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [null, 4]}});
        sequential("config", json!([input, layer]))
    };
    let initializer = json!({"class_name": "RandomNormal", "config": {"mean": 0.0, "stdev": 0.1}});
    let constraint = json!({"class_name": "MaxNorm", "config": {"max_valeu": 1.0}});
    for (document, expected) in [
        (sequential("confg", json!([])), "the model config has no argument 'confg'; did you mean 'config'?"),
        (
            json!({"clas_name": "Sequential", "config": {}}),
            "the model config has no argument 'clas_name'; did you mean 'class_name'?",
        ),
        (
            json!({"class_name": "Sequential", "config": {"layer": []}}),
            "the model config has no argument 'layer'; did you mean 'layers'?",
        ),
        (
            of(layer("confg", json!({"name": "d", "units": 3}))),
            "layer 1 of the model config has no argument 'confg'; did you mean 'config'?",
        ),
        (of(dense(json!({"use_bais": true}))), "d (Dense) has no argument 'use_bais'; did you mean 'use_bias'?"),
        (
            of(dense(json!({"kernel_initializer": initializer}))),
            "d (Dense): kernel_initializer has no argument 'stdev'; did you mean 'stddev'?",
        ),
        (
            of(dense(json!({"kernel_constraint": constraint}))),
            "d (Dense): kernel_constraint has no argument 'max_valeu'; did you mean 'max_value'?",
        ),
    ] {
        assert_eq!(refusal(&document.to_string()), expected);
        assert_eq!(Model::from_json(&document.to_string(), 1).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_class_that_resembles_none_is_answered_with_the_list() {
    let text = refusal(&model("Teleport", &json!({})));
    let start = "layer: there is no layer class 'Teleport'; there are Activation, ";
    assert!(text.starts_with(start) && text.contains(", Conv2D, ") && text.contains(", Dense, "), "{text}");
}

#[test]
fn documents_of_another_kind_are_refused() {
    for (text, expected) in [
        ("{", "a config must be JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "the model config: 'class_name' is missing"),
        (r#"{"class_name": 7}"#, "the model config: 'class_name' must be a string; received 7"),
        (r#"{"class_name": "Functional"}"#, "the model's class must be 'Sequential'; received 'Functional'"),
        (
            r#"{"class_name": "Sequential", "config": {"layers": 1}}"#,
            "the model config: 'layers' must be a list; received 1",
        ),
        (
            r#"{"class_name": "Sequential", "config": {"layers": [{"config": {}}]}}"#,
            "layer 0 of the model config: 'class_name' is missing",
        ),
        (
            r#"{"class_name": "Sequential", "config": {"layers": []}}"#,
            "the model config says no input shape: begin the model with keras.Input(shape), or build it before to_json()",
        ),
        (
            r#"{"class_name": "Sequential", "config": {"layers": [], "build_input_shape": [null, null, 3]}}"#,
            "the model config: 'build_input_shape' must be a list of the batch size (null) and known sizes; received \
             [null,null,3]",
        ),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

/// A graph of these layers, from the input `x` of shape `(4,)` to the layer `y`.
fn graph(layers: &Value) -> Value {
    let mut all = vec![json!({
        "class_name": "InputLayer", "name": "x", "inbound_nodes": [], "config": {"name": "x", "batch_shape": [null, 4]},
    })];
    all.extend(layers.as_array().unwrap().iter().cloned());
    let config = json!({"name": "m", "layers": all, "input_layers": ["x", 0, 0], "output_layers": [["y", 0, 0]]});
    json!({"class_name": "Functional", "config": config})
}

/// A dense layer that is applied to the first call of another one.
fn dense(name: &str, from: &str) -> Value {
    let tensor = json!({"class_name": "__keras_tensor__", "config": {"keras_history": [from, 0, 0]}});
    json!({
        "class_name": "Dense", "name": name, "config": {"name": name, "units": 4},
        "inbound_nodes": [{"args": [tensor], "kwargs": {"mask": null}}],
    })
}

#[test]
fn graphs_that_cannot_be_are_refused() {
    let changed = |path: &str, value: Value| {
        let mut document = graph(&json!([dense("y", "x")]));
        *document["config"]["layers"][1].pointer_mut(path).unwrap() = value;
        document
    };
    let mut misspelt = dense("y", "x");
    misspelt["config"]["actiavtion"] = "relu".into();
    let mut ends = graph(&json!([dense("y", "x")]));
    ends["config"]["output_layers"] = json!(["z", 0, 0]);
    let nested = json!({
        "class_name": "Sequential", "name": "y", "inbound_nodes": [[["x", 0, 0, {}]]],
        "config": {"name": "y", "layers": [], "build_input_shape": [null, 4]},
    });
    for (document, expected) in [
        (graph(&json!([misspelt])), "y (Dense) has no argument 'actiavtion'; did you mean 'activation'?"),
        (
            graph(&json!([dense("dense_1", "x"), dense("y", "dense1")])),
            "y (Dense): an input comes from the layer 'dense1', which the model lacks; did you mean 'dense_1'?",
        ),
        (
            changed("/inbound_nodes/0/args/0/config/keras_history/1", json!(1)),
            "y (Dense): an input comes from call 1 of the layer 'x', whose 1 calls are counted from 0",
        ),
        (
            changed("/inbound_nodes/0/args/0/config/keras_history/2", json!(1)),
            "y (Dense): 'keras_history' must be [layer, number of the call, 0]; received [\"x\",0,1]",
        ),
        (
            changed("/inbound_nodes/0/kwargs", json!({"mask": null, "training": true})),
            "y (Dense): 'training' must be left out of calls; received true",
        ),
        (
            changed("/inbound_nodes/0/args/0", json!(2.0)),
            "y (Dense): 'args' must be tensors, or a list of them; received 2.0",
        ),
        (
            changed("/inbound_nodes/0/args", json!([])),
            "y (Dense): 'inbound_nodes' must be a call with at least one tensor; received \
             {\"args\":[],\"kwargs\":{\"mask\":null}}",
        ),
        (
            graph(&json!([dense("a", "y"), dense("y", "a")])),
            "a model must have no circles; a (Dense) depends on its own output",
        ),
        (ends, "the model config: an input comes from the layer 'z', which the model lacks"),
        (graph(&json!([nested])), "y (Sequential): a model needs at least one layer; 'y' has none"),
        (
            graph(&json!([{
                "module": "keras.src.ops.numpy", "class_name": "Exp", "config": {"name": "y"}, "name": "y",
                "inbound_nodes": [],
            }])),
            "y (Exp): there is no layer class 'keras.src.ops.numpy.Exp'; of operations, there are Add, Maximum and Multiply",
        ),
        (
            json!({"class_name": "Net", "config": {}}),
            "the model's class must be 'Sequential' or 'Functional'; received 'Net'",
        ),
    ] {
        assert_eq!(Model::from_json(&document.to_string(), 1).expect_err("it is refused").to_string(), expected);
    }
}

#[test]
fn graphs_of_keras_2_are_read() {
    let mut layer = dense("y", "x");
    layer["inbound_nodes"] = json!([[["x", 0, 0, {}]]]);
    let model = Model::from_json(&graph(&json!([layer])).to_string(), 1).unwrap();
    let again = Model::from_json(&graph(&json!([dense("y", "x")])).to_string(), 1).unwrap();
    assert_eq!(model.to_json(), again.to_json());
}

#[test]
fn layers_that_no_output_needs_are_dropped() {
    let model = Model::from_json(&graph(&json!([dense("aside", "y"), dense("y", "x")])).to_string(), 1).unwrap();
    assert_eq!(model.layers().map(|layer| layer.name()).collect::<Vec<_>>(), ["y"]);
}

#[test]
fn long_chains_are_no_trouble() {
    let n = 3000;
    let name = |i: usize| if i == n { "y".to_owned() } else { format!("dense_{i}") };
    // Last layer first, so that every layer waits for the next one.
    let layers: Vec<Value> =
        (1..=n).rev().map(|i| dense(&name(i), &if i == 1 { "x".to_owned() } else { name(i - 1) })).collect();
    let model = Model::from_json(&graph(&layers.into()).to_string(), 1).unwrap();
    assert_eq!(model.parameters(), n * 20);
}

#[test]
fn the_input_shape_is_found_where_keras_2_and_3_put_it() {
    let flatten = json!({"class_name": "Flatten", "config": {"name": "flatten"}});
    let mut first = flatten.clone();
    first["config"]["batch_input_shape"] = json!([null, 4, 3]);
    let input = json!({"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4, 3], "name": "input_1"}});
    for document in [
        json!({"class_name": "Sequential", "config": {"layers": [first]}}),
        json!({"class_name": "Sequential", "config": {"layers": [input, flatten]}}),
        json!({"class_name": "Sequential", "config": {"layers": [flatten], "build_input_shape": [null, 4, 3]}}),
        json!({"class_name": "Sequential", "config": {"layers": [flatten]}, "build_config": {"input_shape": [32, 4, 3]}}),
    ] {
        let model = Sequential::from_json(&document.to_string()).unwrap().build(1).unwrap();
        assert_eq!(model.input_shape().dims(), [4, 3], "{document}");
        assert_eq!(model.output_shape().dims(), [12], "{document}");
    }
}

#[test]
fn short_forms_are_read() {
    let text = model(
        "Conv2D",
        &json!({"filters": 3, "kernel_size": 2, "activation": null, "kernel_initializer": "he_normal"}),
    );
    let conv = Conv2D::new(3, 2).kernel_initializer(Initializer::HeNormal);
    assert_eq!(
        Sequential::from_json(&text).unwrap().to_json(),
        Sequential::new((12, 8, 4)).add_named("layer", conv).to_json()
    );
    let text = model("MaxPooling2D", &json!({"pool_size": 3, "strides": null}));
    let model = Sequential::from_json(&text).unwrap().build(1).unwrap();
    assert_eq!(model.output_shape().dims(), [4, 2, 4], "strides equal the pool size");
}

#[test]
fn what_keras_cannot_express_comes_back_too() {
    let pads = Padding::Explicit { top: 1, bottom: 0, left: 2, right: 3 };
    for model in [
        Sequential::new((6, 6, 1)).add(Conv2D::new(3, 3).padding(pads)),
        Sequential::new((6, 1))
            .add(MaxPooling1D::new(3).strides(2).padding(Padding::Same))
            .add(AveragePooling1D::new(2)),
    ] {
        let json = model.to_json();
        let again = Sequential::from_json(&json).unwrap();
        assert_eq!(again.to_json(), json);
        assert_eq!(again.build(1).unwrap().output_shape(), model.build(1).unwrap().output_shape());
    }
}
