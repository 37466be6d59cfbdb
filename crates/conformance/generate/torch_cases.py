"""A second opinion by PyTorch, where Keras has many rules of its own: transposed and grouped convolution, overlapping pooling.

Cases are those of a Keras layer; its numbers come from torch.nn.functional, in double precision.
"""

import numpy as np
import torch
import torch.nn.functional as functional
from keras import layers
from torch import from_numpy

import keras
import store
from case import build
from draw import Draw

EACH = 40
UNIT = 2.0**-7


def write():
    for name, draw_case in [
        ("grouped_convolution", grouped),
        ("transposed_convolution", transposed),
        ("max_pooling", max_pooling),
        ("average_pooling", average_pooling),
    ]:
        draw = Draw(f"torch {name}")
        entries, arrays = zip(*[draw_case(draw) for _ in range(EACH)])
        about = {"torch": torch.__version__.split("+")[0], "computed_in": "float64"}
        store.write(f"torch/{name}", about, entries, arrays)


def grouped(draw):
    groups = draw.size(2, 4)
    c, filters, kernel = groups * draw.size(1, 3), groups * draw.size(1, 3), draw.sizes(2, 1, 3)
    options = {"strides": draw.sizes(2, 1, 3)} if draw.chance(0.5) else {"dilation_rate": draw.sizes(2, 1, 2)}
    options.update({"filters": filters, "kernel_size": kernel, "groups": groups})
    shape = (draw.size(1, 3), *draw.sizes(2, 5, 8), c)

    def compute(x, weight, bias):
        kwargs = {"stride": options.get("strides", 1), "dilation": options.get("dilation_rate", 1)}
        return functional.conv2d(x, weight.permute(3, 2, 0, 1).contiguous(), bias, groups=groups, **kwargs)

    return case(draw, layers.Conv2D, options, shape, compute)


def transposed(draw):
    """Keras's 'valid' with output padding 0 is PyTorch's without padding."""
    strides = draw.sizes(2, 1, 3)
    dilated = max(strides) == 1 and draw.chance(0.6)
    dilation = draw.sizes(2, 1, 3) if dilated else (1, 1)
    padding = tuple(draw.size(0, s - 1) for s in strides)
    options = {
        "filters": draw.size(1, 4),
        "kernel_size": draw.sizes(2, 1, 4),
        "strides": strides,
        "dilation_rate": dilation,
        "output_padding": padding,
    }
    shape = (draw.size(1, 3), *draw.sizes(2, 1, 5), draw.size(1, 4))

    def compute(x, weight, bias):
        weight = weight.permute(3, 2, 0, 1).contiguous()
        return functional.conv_transpose2d(x, weight, bias, strides, 0, padding, 1, dilation)

    return case(draw, layers.Conv2DTranspose, options, shape, compute)


def windows(draw):
    """3x3, stride 2, and others that overlap."""
    if draw.chance(0.6):
        return (3, 3), (2, 2)
    pool = draw.sizes(2, 2, 4)
    return pool, tuple(draw.size(1, n) for n in pool)


def max_pooling(draw):
    pool, strides = windows(draw)
    shape = (draw.size(1, 3), *draw.sizes(2, 5, 9), draw.size(1, 4))
    options = {"pool_size": pool, "strides": strides}
    return case(draw, layers.MaxPooling2D, options, shape, lambda x: functional.max_pool2d(x, pool, strides))


def average_pooling(draw):
    pool, strides = windows(draw)
    shape = (draw.size(1, 3), *draw.sizes(2, 5, 9), draw.size(1, 4))
    options = {"pool_size": pool, "strides": strides}
    return case(draw, layers.AveragePooling2D, options, shape, lambda x: functional.avg_pool2d(x, pool, strides))


def case(draw, layer, options, shape, compute):
    """`compute` takes the input with its channels first, and the weights as Keras has them."""
    with keras.src.backend.StatelessScope():
        built = build(layer(name="layer", dtype="float32", **options), [shape])
    arrays = {"input.0": draw.tensor(shape)}
    names = [variable.name for variable in built.weights]
    for variable in built.weights:
        arrays[f"weight.{variable.name}"] = draw.tensor(variable.shape)
    leaves = {name: from_numpy(array.astype(np.float64) * UNIT).requires_grad_() for name, array in arrays.items()}
    x, *weights = leaves.values()
    y = compute(x.permute(0, 3, 1, 2).contiguous(), *weights).permute(0, 2, 3, 1)
    seed = draw.tensor(tuple(y.shape))
    y.backward(from_numpy(seed.astype(np.float64) * UNIT))
    arrays["output"] = y.detach().numpy().astype(np.float32)
    arrays["grad_output"] = seed
    for name, leaf in leaves.items():
        arrays[name.replace("input", "grad_input").replace("weight", "grad")] = leaf.grad.numpy().astype(np.float32)
    described = keras.saving.serialize_keras_object(built)
    entry = {"class_name": described["class_name"], "config": described["config"], "training": False}
    return {**entry, "unit": UNIT, "inputs": 1, "weights": names}, arrays
