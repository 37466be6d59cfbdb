"""Random layers, where they are not random: in inference, without noise, and where the range to draw from is one number."""

from keras import layers

from case import Case
from convolution import RANDOM
from shaping import formatted, image, some_shape


def noise(layer, argument, nothing):
    """In inference, and with so little noise that there is none."""

    def cases(draw):
        for i in range(RANDOM):
            options = {argument: draw.number(0.1, 0.9)}
            training = i % 3 == 0
            if training:
                options[argument] = nothing
            if draw.chance(0.4):
                options["seed"] = draw.size(0, 99)
            if layer is layers.SpatialDropout2D:
                options = formatted(draw, options)
                shape = image(draw, options)
            else:
                shape = some_shape(draw, 1, 3)
            yield Case(layer, options, [shape], training=training, gradients=training)

    return cases


def filled(draw, options):
    if draw.chance(0.7):
        options["fill_mode"] = draw.pick("constant", "reflect", "wrap", "nearest")
    if draw.chance(0.4):
        options["interpolation"] = draw.pick("nearest", "bilinear")
    if draw.chance(0.3):
        options["fill_value"] = draw.number(-1, 1)
    if draw.chance(0.3):
        options["seed"] = draw.size(0, 99)
    return formatted(draw, options)


def augmentation(layer, drawn, exact):
    """`drawn` gives arguments for inference, which changes nothing; `exact` some that leave training no choice."""

    def cases(draw):
        for i in range(RANDOM):
            training = exact is not None and i % 4 != 0
            options = (exact if training else drawn)(draw)
            shape = image(draw, options, low=2)
            yield Case(layer, options, [shape], training=training, gradients=False, tolerance=TOLERANCE)

    return cases


# Where to look is computed in single precision, as in Keras, and is one of a few pixels.
TOLERANCE = 1e-4


def pair(draw, low, high):
    return sorted([draw.number(low, high), draw.number(low, high)])


def same(draw, low, high):
    return [draw.number(low, high)] * 2


def flip(draw):
    options = {"mode": draw.pick("horizontal", "vertical", "horizontal_and_vertical")} if draw.chance(0.8) else {}
    if draw.chance(0.3):
        options["seed"] = draw.size(0, 99)
    return formatted(draw, options)


def translation(factor):
    def options(draw):
        return filled(draw, {"height_factor": factor(draw, -0.6, 0.6), "width_factor": factor(draw, -0.6, 0.6)})

    return options


def rotation(factor):
    return lambda draw: filled(draw, {"factor": factor(draw, -0.5, 0.5)})


def zoom(factor):
    def options(draw):
        options = {"height_factor": factor(draw, -0.5, 0.5)}
        if factor is same or draw.chance(0.7):
            options["width_factor"] = factor(draw, -0.5, 0.5)
        return filled(draw, options)

    return options


def contrast(factor):
    def options(draw):
        options = {"factor": factor(draw), "value_range": draw.pick((0, 255), (-1, 1), (0, 1))}
        if draw.chance(0.3):
            options["seed"] = draw.size(0, 99)
        return options

    return options


def erasing(is_exact):
    """All of every image, or none."""

    def options(draw):
        options = {"factor": draw.number(0, 1), "scale": tuple(pair(draw, 0.02, 0.5))}
        if is_exact:
            options = {"factor": draw.pick((1.0, 1.0), 0.0), "scale": (1.0, 1.0), "fill_value": draw.number(0, 1)}
        elif draw.chance(0.5):
            options["fill_value"] = draw.number(0, 1)
        options["value_range"] = draw.pick((0, 255), (0, 1))
        return formatted(draw, options)

    return options


FAMILY = {
    "Dropout": noise(layers.Dropout, "rate", 0.0),
    "SpatialDropout2D": noise(layers.SpatialDropout2D, "rate", 0.0),
    "GaussianNoise": noise(layers.GaussianNoise, "stddev", 0.0),
    "RandomFlip": augmentation(layers.RandomFlip, flip, None),
    "RandomTranslation": augmentation(layers.RandomTranslation, translation(pair), translation(same)),
    "RandomRotation": augmentation(layers.RandomRotation, rotation(pair), rotation(same)),
    "RandomZoom": augmentation(layers.RandomZoom, zoom(pair), zoom(same)),
    "RandomContrast": augmentation(
        layers.RandomContrast, contrast(lambda draw: pair(draw, 0, 0.9)), contrast(lambda draw: 0.0)
    ),
    "RandomErasing": augmentation(layers.RandomErasing, erasing(False), erasing(True)),
}
