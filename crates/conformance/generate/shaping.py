"""Layers that move numbers: resizing, padding, cropping, reshaping. And Dense."""

import numpy as np
from keras import layers

from case import Case, elements
from convolution import MOST, RANDOM, common, random_cases, with_channels


def formatted(draw, options):
    if draw.chance(0.35):
        options["data_format"] = "channels_first"
    return options


def image(draw, options, low=1):
    size, c = draw.sizes(2, low, 8), draw.size(1, 5)
    return with_channels(draw.size(1, 3), size, c, options.get("data_format"))


def up_sampling(draw):
    def make():
        size = draw.sizes(2, 1, 3)
        options = formatted(draw, {"size": size if draw.chance(0.8) else size[0]})
        if draw.chance(0.4):
            options["interpolation"] = draw.pick("bilinear", "bilinear", "bilinear", "bicubic", "lanczos3", "lanczos5")
        return layers.UpSampling2D, options, image(draw, options)

    yield from random_cases(draw, make)
    for interpolation in ["nearest", "bilinear"]:
        arguments = {"size": (3, 4), "interpolation": interpolation}
        yield Case(layers.UpSampling2D, arguments, [(2, 1, 1, 3)], note="images of one cell")


def four_sides(draw, high):
    """A number, one for each axis, or one for each side."""
    top, bottom, left, right = draw.sizes(4, 0, high)
    return draw.pick(top, (top, left), ((top, bottom), (left, right)), ((top, bottom), (left, right)))


def zero_padding(draw):
    def make():
        options = formatted(draw, {"padding": four_sides(draw, 3)})
        return layers.ZeroPadding2D, options, image(draw, options)

    yield from random_cases(draw, make)
    yield Case(layers.ZeroPadding2D, {"padding": 0}, [(1, 3, 2, 2)], note="no padding")
    yield Case(layers.ZeroPadding2D, {"padding": ((3, 0), (0, 2))}, [(2, 1, 1, 2)], note="images of one cell")


def cropping(draw):
    def make():
        options = formatted(draw, {"cropping": four_sides(draw, 3)})
        return layers.Cropping2D, options, image(draw, options, low=7)

    yield from random_cases(draw, make)
    yield Case(layers.Cropping2D, {"cropping": 0}, [(1, 3, 2, 2)], note="nothing cropped")
    yield Case(layers.Cropping2D, {"cropping": ((1, 1), (0, 3))}, [(2, 3, 4, 2)], note="one cell is left")


def some_shape(draw, low, high):
    """A batch of samples with low to high axes."""
    while True:
        shape = draw.sizes(1 + draw.size(low, high), 1, 6)
        if elements(shape) <= MOST:
            return shape


def flatten(draw):
    for _ in range(RANDOM):
        yield Case(layers.Flatten, formatted(draw, {}), [some_shape(draw, 1, 4)])
    yield Case(layers.Flatten, {}, [(3,)], note="samples of one number, without axes")


def factors(draw, n):
    """Sizes whose product is n."""
    sizes = []
    while n > 1:
        divisors = [k for k in range(2, n + 1) if n % k == 0]
        sizes.append(draw.pick(*divisors))
        n //= sizes[-1]
    sizes += [1] * draw.size(0, 1)
    return [int(size) for size in draw.random.permutation(sizes)][:4] or [1]


def reshape(draw):
    kept = 0
    while kept < RANDOM:
        shape = some_shape(draw, 1, 3)
        target = factors(draw, elements(shape[1:]))
        if int(np.prod(target)) != elements(shape[1:]):
            continue
        if draw.chance(0.4):
            target[draw.size(0, len(target) - 1)] = -1
        kept += 1
        yield Case(layers.Reshape, {"target_shape": tuple(target)}, [shape])


def permute(draw):
    for _ in range(RANDOM):
        shape = some_shape(draw, 1, 4)
        dims = tuple(int(axis) + 1 for axis in draw.random.permutation(len(shape) - 1))
        yield Case(layers.Permute, {"dims": dims}, [shape])


def dense(draw):
    for _ in range(RANDOM):
        shape = draw.pick(*[(draw.size(1, 4), draw.size(1, 19))] * 2, some_shape(draw, 2, 3))
        options = {"units": draw.size(1, 12), **draw.weight_options("kernel", 2)}
        yield Case(layers.Dense, common(draw, options), [shape])
    yield Case(layers.Dense, {"units": 1}, [(1, 1)], note="one number")
    yield Case(layers.Dense, {"units": 3, "activation": "relu"}, [(2, 131)], note="a long sum")
    arguments = {"units": 4, "kernel_initializer": {"class_name": "Identity", "config": {"gain": 0.5}}}
    yield Case(layers.Dense, arguments, [(2, 3)], note="an initializer for matrices alone")


FAMILY = {
    "UpSampling2D": up_sampling,
    "ZeroPadding2D": zero_padding,
    "Cropping2D": cropping,
    "Flatten": flatten,
    "Reshape": reshape,
    "Permute": permute,
    "Dense": dense,
}
