"""PyTorch's twin of a network in Keras's JSON: `module(config)`, which takes images N, C, H, W and gives logits.

What differs in how it is said, not in what is computed: the last softmax is left to the loss; 'same' padding of a strided
convolution is put on both sides, where Keras puts more at the end (the same sizes and work, and PyTorch's natural form);
Flatten goes through channels first. Weights begin as the JSON says.
"""

import math

from torch import nn

import augment

ACTIVATIONS = {"relu": lambda: nn.ReLU(inplace=True), "linear": nn.Identity, "softmax": nn.Identity}


def pair(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def conv(c, config, depthwise=False):
    kernel, strides = pair(config["kernel_size"]), pair(config.get("strides", 1))
    if pair(config.get("dilation_rate", 1)) != (1, 1):
        raise ValueError("dilation has no twin yet")
    pad = [(k - 1) // 2 if config.get("padding") == "same" else 0 for k in kernel]
    oc = c * config.get("depth_multiplier", 1) if depthwise else config["filters"]
    groups = c if depthwise else config.get("groups", 1)
    layer = nn.Conv2d(c, oc, kernel, strides, pad, groups=groups, bias=config.get("use_bias", True))
    begin(layer, config.get("depthwise_initializer" if depthwise else "kernel_initializer", "glorot_uniform"))
    return layer


def begin(layer, initializer):
    """Gives weights their first values. Keras cuts normal numbers at two deviations and keeps the variance."""
    kind = initializer["class_name"] if isinstance(initializer, dict) else initializer
    receptive = math.prod(layer.weight.shape[2:])
    fan_out, fan_in = layer.weight.shape[0] * receptive, layer.weight.shape[1] * receptive
    if isinstance(layer, nn.Conv2d) and layer.groups > 1:
        # Keras's kernel of a depthwise convolution is (h, w, channels, multiplier).
        fan_in, fan_out = layer.in_channels * receptive, layer.out_channels // layer.groups * receptive
    if kind in ("HeNormal", "he_normal"):
        deviation = math.sqrt(2 / fan_in) / 0.87962566103423978
        nn.init.trunc_normal_(layer.weight, 0, deviation, -2 * deviation, 2 * deviation)
    elif kind in ("GlorotUniform", "glorot_uniform"):
        limit = math.sqrt(6 / (fan_in + fan_out))
        nn.init.uniform_(layer.weight, -limit, limit)
    else:
        raise ValueError(f"initializer {kind} has no twin yet")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def batch_normalization(shape, config):
    layer = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return layer(shape[0], eps=config.get("epsilon", 1e-3), momentum=1 - config.get("momentum", 0.99)), shape


def windows(shape, config, layer, kernel, stride):
    """The layer, and the sizes after a window of `kernel` moved over an image, by `stride` if nothing else is said."""
    strides, same = pair(config.get("strides") or stride), config.get("padding") == "same"
    sizes = [-(-n // s) if same else (n - k) // s + 1 for n, k, s in zip(shape[1:], pair(kernel), strides)]
    return layer, (shape[0], *sizes)


def layer_of(kind, config, shape):
    """The module of one layer for samples of `shape`, channels first, and the shape of its output."""
    match kind:
        case "Conv2D" | "DepthwiseConv2D":
            layer = conv(shape[0], config, kind == "DepthwiseConv2D")
            layer, sizes = windows((layer.out_channels, *shape[1:]), config, layer, config["kernel_size"], 1)
        case "MaxPooling2D" | "AveragePooling2D":
            of = nn.MaxPool2d if kind == "MaxPooling2D" else nn.AvgPool2d
            if config.get("padding") == "same":
                raise ValueError("pooling with padding 'same' has no twin yet")
            size = pair(config.get("pool_size", 2))
            layer, sizes = windows(shape, config, of(size, pair(config.get("strides") or size)), size, size)
        case "Dense":
            layer, sizes = nn.Linear(shape[0], config["units"], config.get("use_bias", True)), (config["units"],)
            begin(layer, config.get("kernel_initializer", "glorot_uniform"))
        case "BatchNormalization":
            return batch_normalization(shape, config)
        case "GlobalAveragePooling2D":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), shape[:1]
        case "Flatten":
            return nn.Flatten(), (math.prod(shape),)
        case "Dropout":
            return nn.Dropout(config["rate"]), shape
        case "ReLU":
            return nn.ReLU(inplace=True), shape
        case "Activation":
            return ACTIVATIONS[config["activation"]](), shape
        case _ if kind in augment.LAYERS:
            return augment.LAYERS[kind](config), shape
        case _:
            raise ValueError(f"layer {kind} has no twin yet")
    if config.get("activation", "linear") == "relu":
        layer = nn.Sequential(layer, ACTIVATIONS["relu"]())
    return layer, sizes


class Add(nn.Module):
    def forward(self, *inputs):
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


class Graph(nn.Module):
    """Layers, each with the positions of those whose outputs it takes; position 0 is the image."""

    def __init__(self, nodes):
        super().__init__()
        self.layers = nn.ModuleList(layer for layer, _ in nodes)
        self.sources = [sources for _, sources in nodes]

    def forward(self, x):
        values = [x]
        for layer, sources in zip(self.layers, self.sources):
            values.append(layer(*(values[at] for at in sources)))
        return values[-1]


def inputs_of(layer):
    """The names of the layers whose outputs a layer of a functional model takes."""
    (node,) = layer["inbound_nodes"]
    tensors = node["args"][0] if isinstance(node["args"][0], list) else node["args"]
    return [tensor["config"]["keras_history"][0] for tensor in tensors]


def shape_of(config):
    batch_shape = config.get("batch_shape") or config["batch_input_shape"]
    return (batch_shape[-1], *batch_shape[1:-1])


def module(model):
    """The twin of a model, `json.loads` of what Keras's `to_json` wrote."""
    layers = model["config"]["layers"]
    sequential = model["class_name"] == "Sequential"
    places, shapes, nodes, last = {}, [], [], None
    for each in layers:
        kind, config = each["class_name"], each["config"]
        name = config["name"]
        if kind == "InputLayer":
            places[name], last = 0, name
            shapes.append(shape_of(config))
            continue
        sources = [places[source] for source in ([last] if sequential else inputs_of(each))]
        layer, shape = (Add(), shapes[sources[0]]) if kind == "Add" else layer_of(kind, config, shapes[sources[0]])
        nodes.append((layer, sources))
        shapes.append(shape)
        places[name], last = len(nodes), name
    if all(sources == [at] for at, (_, sources) in enumerate(nodes)):
        return nn.Sequential(*(layer for layer, _ in nodes))
    return Graph(nodes)


def parameters(network):
    """As Keras counts them: with the moving averages of batch normalization."""
    averages = (b for name, b in network.named_buffers() if not name.endswith("num_batches_tracked"))
    return sum(p.numel() for p in (*network.parameters(), *averages))
