"""Pooling: windows, global, adaptive."""

from keras import layers

from case import Case
from convolution import RANDOM, fits, random_cases, small, spatial, with_channels


def windowed(layer, rank):
    def cases(draw):
        def make():
            while True:
                pool = draw.sizes(rank, 1, {1: 6, 2: 4, 3: 3}[rank])
                options = {"pool_size": pool if draw.chance(0.8) else pool[0], "padding": draw.pick("valid", "same")}
                if draw.chance(0.7):
                    strides = draw.sizes(rank, 1, 4)
                    options["strides"] = strides if draw.chance(0.8) else strides[0]
                if draw.chance(0.3):
                    options["data_format"] = "channels_first"
                size = spatial(draw, rank)
                if fits({"kernel_size": options["pool_size"], "padding": options["padding"]}, size):
                    break
            shape = with_channels(draw.size(1, 3), size, draw.size(1, 6), options.get("data_format"))
            return layer, options, shape

        yield from random_cases(draw, make)
        for note, own, size, n in [
            ("windows larger than the image", {"pool_size": (5, 7, 4)[:rank], "padding": "same"}, (3, 2, 2), 2),
            ("strides larger than the windows", {"pool_size": 2, "strides": (3, 5, 4)[:rank]}, (9, 8, 6), 1),
            ("strides larger than the windows, same", {"pool_size": 1, "strides": 3, "padding": "same"}, (8, 7, 5), 1),
            ("images of one cell", {"pool_size": 1}, (1, 1, 1), 3),
            ("images of one cell, same", {"pool_size": 3, "padding": "same"}, (1, 1, 1), 3),
            ("a batch of one, overlapping windows", {"pool_size": 3, "strides": 2, "padding": "same"}, (6, 7, 5), 1),
            ("an even image, overlapping windows", {"pool_size": 3, "strides": 2}, (8, 6, 4), 2),
            ("windows as large as the image", {"pool_size": (4, 5, 3)[:rank]}, (4, 5, 3), 2),
        ]:
            yield Case(layer, own, [(n, *size[:rank], 3)], note=note)

    return cases


def image_axes(rank, data_format):
    first = 2 if data_format == "channels_first" else 1
    return list(range(first, first + rank))


def whole(layer, rank, is_max):
    """Keras shares the gradient of a global maximum among equals, so maxima have none."""

    def cases(draw):
        def case(options, shape, note=None):
            distinct = image_axes(rank, options.get("data_format")) if is_max else None
            return Case(layer, options, [shape], distinct=distinct, note=note)

        kept = 0
        while kept < RANDOM:
            options = {}
            if draw.chance(0.4):
                options["keepdims"] = True
            if draw.chance(0.4):
                options["data_format"] = "channels_first"
            size = draw.sizes(rank, 1, {1: 19, 2: 9, 3: 5}[rank])
            shape = with_channels(draw.size(1, 3), size, draw.size(1, 9), options.get("data_format"))
            if small(layer, options, shape):
                kept += 1
                yield case(options, shape)
        yield case({}, (3, *(1,) * rank, 2), "images of one cell")
        yield case({"keepdims": True}, (1, *((7, 4, 3)[:rank]), 5), "a batch of one")

    return cases


def adaptive(layer, is_max):
    def cases(draw):
        def case(options, shape, note=None):
            distinct = image_axes(2, options.get("data_format")) if is_max else None
            return Case(layer, options, [shape], distinct=distinct, note=note)

        kept = 0
        while kept < RANDOM:
            size = draw.sizes(2, 1, 9)
            goal = tuple(draw.size(1, n) for n in size)
            options = {"output_size": goal if draw.chance(0.8) else min(goal)}
            if draw.chance(0.3):
                options["data_format"] = "channels_first"
            shape = with_channels(draw.size(1, 3), size, draw.size(1, 4), options.get("data_format"))
            if small(layer, options, shape):
                kept += 1
                yield case(options, shape)
        yield case({"output_size": 1}, (3, 1, 1, 2), "images of one cell")
        yield case({"output_size": (5, 4)}, (1, 5, 4, 3), "nothing to pool")
        yield case({"output_size": (4, 3)}, (2, 7, 5, 2), "windows that overlap")

    return cases


FAMILY = {
    "MaxPooling1D": windowed(layers.MaxPooling1D, 1),
    "MaxPooling2D": windowed(layers.MaxPooling2D, 2),
    "MaxPooling3D": windowed(layers.MaxPooling3D, 3),
    "AveragePooling1D": windowed(layers.AveragePooling1D, 1),
    "AveragePooling2D": windowed(layers.AveragePooling2D, 2),
    "AveragePooling3D": windowed(layers.AveragePooling3D, 3),
    "GlobalMaxPooling1D": whole(layers.GlobalMaxPooling1D, 1, True),
    "GlobalMaxPooling2D": whole(layers.GlobalMaxPooling2D, 2, True),
    "GlobalMaxPooling3D": whole(layers.GlobalMaxPooling3D, 3, True),
    "GlobalAveragePooling1D": whole(layers.GlobalAveragePooling1D, 1, False),
    "GlobalAveragePooling2D": whole(layers.GlobalAveragePooling2D, 2, False),
    "GlobalAveragePooling3D": whole(layers.GlobalAveragePooling3D, 3, False),
    "AdaptiveAveragePooling2D": adaptive(layers.AdaptiveAveragePooling2D, False),
    "AdaptiveMaxPooling2D": adaptive(layers.AdaptiveMaxPooling2D, True),
}
