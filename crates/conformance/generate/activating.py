"""Activations, as layers of their own."""

from keras import layers

from case import Case
from convolution import RANDOM
from draw import ACTIVATIONS
from shaping import some_shape


def unit(draw):
    """Inputs up to 1, 4 or 16: beyond the kinks, into the tails."""
    return draw.pick(2.0**-7, 2.0**-5, 2.0**-3)


def activation(draw):
    for name in ["linear", *ACTIVATIONS]:
        for scale in [2.0**-7, 2.0**-5, 2.0**-3, 1.0]:
            yield Case(layers.Activation, {"activation": name}, [some_shape(draw, 1, 3)], unit=scale)


def relu(draw):
    for _ in range(RANDOM):
        options = {}
        if draw.chance(0.5):
            options["max_value"] = draw.pick(1.0, 6.0, 0.5)
        if draw.chance(0.5):
            options["negative_slope"] = draw.pick(0.25, 0.1, 1.0)
        if draw.chance(0.5):
            options["threshold"] = draw.pick(0.5, 0.25, 1.0)
        yield Case(layers.ReLU, options, [some_shape(draw, 1, 3)], unit=unit(draw))


def leaky_relu(draw):
    for _ in range(RANDOM):
        options = {"negative_slope": draw.number(0, 1)} if draw.chance(0.7) else {}
        yield Case(layers.LeakyReLU, options, [some_shape(draw, 1, 3)], unit=unit(draw))


def elu(draw):
    for _ in range(RANDOM):
        options = {"alpha": draw.number(0.1, 2)} if draw.chance(0.7) else {}
        yield Case(layers.ELU, options, [some_shape(draw, 1, 3)], unit=unit(draw))


def softmax(draw):
    for _ in range(RANDOM):
        shape = some_shape(draw, 1, 3)
        options = {"axis": draw.pick(draw.size(1, len(shape) - 1), -1)} if draw.chance(0.5) else {}
        yield Case(layers.Softmax, options, [shape], unit=unit(draw))


FAMILY = {
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "ELU": elu,
    "Softmax": softmax,
}
