"""Normalization."""

from keras import layers

from case import Case, elements
from convolution import MOST, RANDOM

# Statistics of few numbers, and gradients in which most cancels.
TOLERANCE = 5e-5


def shape_of(draw, low, high, c=None):
    while True:
        shape = (draw.size(2, 5), *draw.sizes(draw.size(low, high) - 1, 1, 6), c or draw.size(1, 7))
        if elements(shape) <= MOST:
            return shape


def affine(draw, options):
    if draw.chance(0.3):
        options["epsilon"] = draw.pick(1e-5, 0.01, 0.1)
    for key in ["center", "scale"]:
        if draw.chance(0.25):
            options[key] = False
    options.update(draw.weight_options("gamma", 1))
    options.update(draw.weight_options("beta", 1))
    return options


def batch(draw):
    for i in range(2 * RANDOM):
        shape = shape_of(draw, 1, 4)
        options = affine(draw, {})
        if draw.chance(0.5):
            options["momentum"] = draw.pick(0.9, 0.6, 0.5, 0.0)
        if draw.chance(0.3):
            options["axis"] = draw.size(1, len(shape) - 1)
        for name in ["moving_mean", "moving_variance"]:
            if draw.chance(0.15):
                options[f"{name}_initializer"] = draw.vector_initializer()
        yield batch_case(options, shape, i % 2 == 0)
    for training in [False, True]:
        yield batch_case({}, (1, 5, 4, 3), training, note="a batch of one")
    for _ in range(8):
        options = affine(draw, {"trainable": False})
        yield batch_case(options, shape_of(draw, 1, 4), True, note="frozen: as in inference, but with a gradient")


def batch_case(options, shape, training, note=None):
    """Nobody asks for gradients in inference."""
    how = {"training": training, "gradients": training, "tolerance": TOLERANCE, "note": note}
    return Case(layers.BatchNormalization, options, [shape], **how)


def layer(draw):
    for _ in range(RANDOM):
        shape = shape_of(draw, 1, 4)
        options = affine(draw, {})
        if draw.chance(0.4):
            axes = [int(axis) for axis in draw.random.permutation(range(1, len(shape)))]
            options["axis"] = sorted(axes[: draw.size(1, len(axes))])
        elif draw.chance(0.3):
            options["axis"] = draw.size(1, len(shape) - 1)
        yield Case(layers.LayerNormalization, options, [shape], tolerance=TOLERANCE)
    yield Case(layers.LayerNormalization, {}, [(1, 9)], tolerance=TOLERANCE, note="a batch of one")


def group(draw):
    for _ in range(RANDOM):
        groups = draw.size(1, 4)
        c = groups * draw.size(1, 3)
        shape = shape_of(draw, 1, 4, c)
        options = affine(draw, {"groups": draw.pick(groups, groups, groups, -1)})
        if draw.chance(0.3) and len(shape) > 2:
            shape = (shape[0], c, *shape[1:-1])
            options["axis"] = 1
        yield Case(layers.GroupNormalization, options, [shape], tolerance=TOLERANCE)
    yield Case(layers.GroupNormalization, {}, [(2, 2, 2, 32)], tolerance=TOLERANCE, note="the default of 32 groups")
    yield Case(layers.GroupNormalization, {"groups": 2}, [(1, 5, 4)], tolerance=TOLERANCE, note="a batch of one")


def adapted(draw):
    """Normalization by a given mean and variance, or by adapted ones, which are weights."""
    for _ in range(RANDOM):
        shape = shape_of(draw, 1, 3)
        options = {}
        if draw.chance(0.6):
            options["axis"] = draw.size(1, len(shape) - 1)
        axis = options.get("axis", len(shape) - 1)
        if draw.chance(0.3):
            options["axis"], axis = None, None
        if draw.chance(0.3):
            options["invert"] = True
        if draw.chance(0.6):
            count = 1 if axis is None else shape[axis]
            mean = [draw.number(-1, 1) for _ in range(count)]
            variance = [draw.number(0.1, 2) for _ in range(count)]
            options["mean"], options["variance"] = (mean[0], variance[0]) if axis is None else (mean, variance)
        yield Case(layers.Normalization, options, [shape])


def rescaling(draw):
    for _ in range(RANDOM):
        shape = shape_of(draw, 1, 3)
        options = {"scale": draw.pick(1 / 255, 2, draw.number(-2, 2))}
        if draw.chance(0.5):
            options["offset"] = draw.number(-1, 1)
        if draw.chance(0.2):
            c = shape[-1]
            options = {key: [draw.number(-2, 2) for _ in range(c)] for key in ["scale", "offset"]}
        yield Case(layers.Rescaling, options, [shape])


FAMILY = {
    "BatchNormalization": batch,
    "LayerNormalization": layer,
    "GroupNormalization": group,
    "Normalization": adapted,
    "Rescaling": rescaling,
}
