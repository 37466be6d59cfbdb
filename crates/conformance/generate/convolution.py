"""Convolutions: plain, depthwise, separable, transposed, in one to three axes."""

from keras import layers

from case import Case, elements

# So that a case takes a few kilobytes.
MOST = 420
RANDOM = 44


def spatial(draw, rank):
    return draw.sizes(rank, 1, {1: 19, 2: 9, 3: 6}[rank])


def with_channels(n, size, c, data_format):
    return (n, c, *size) if data_format == "channels_first" else (n, *size, c)


def windows(draw, rank, allow_causal):
    """Kernel, strides, dilation, padding, format. Keras refuses strides with dilation."""
    kernel = draw.sizes(rank, 1, {1: 6, 2: 4, 3: 3}[rank])
    options = {"kernel_size": kernel if draw.chance(0.8) else kernel[0]}
    if draw.chance(0.5):
        strides = draw.sizes(rank, 1, 3)
        options["strides"] = strides if draw.chance(0.8) else strides[0]
    elif draw.chance(0.6):
        dilation = draw.sizes(rank, 1, 3)
        options["dilation_rate"] = dilation if draw.chance(0.8) else dilation[0]
    paddings = ["valid", "same"] + (["causal"] if allow_causal else [])
    options["padding"] = draw.pick(*paddings)
    if draw.chance(0.3):
        options["data_format"] = "channels_first"
    return options


def as_tuple(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def fits(options, size):
    """Whether a 'valid' window lies inside the image."""
    if options["padding"] != "valid":
        return True
    rank = len(size)
    kernel, dilation = (as_tuple(options.get(key, 1), rank) for key in ["kernel_size", "dilation_rate"])
    return all((k - 1) * d + 1 <= n for k, d, n in zip(kernel, dilation, size))


def drawn(draw, rank, allow_causal=False):
    """Options of windows and a size of images that they fit."""
    while True:
        options, size = windows(draw, rank, allow_causal), spatial(draw, rank)
        if fits(options, size):
            return options, size


def small(layer, arguments, shape):
    """Whether the tensors of a case are few enough."""
    output = layer(**arguments).compute_output_shape(shape)
    return elements(shape) <= MOST and elements(output) <= MOST


def random_cases(draw, make):
    """Draws cases until RANDOM of them are small."""
    kept = 0
    while kept < RANDOM:
        layer, arguments, shape = make()
        if small(layer, arguments, shape):
            kept += 1
            yield Case(layer, arguments, [shape])


def common(draw, options):
    options["activation"] = draw.activation()
    if draw.chance(0.3):
        options["use_bias"] = False
    options.update(draw.weight_options("bias", 1))
    return options


def plain(layer, rank):
    def cases(draw):
        def make():
            options, size = drawn(draw, rank, allow_causal=rank == 1)
            groups = draw.pick(1, 1, 2, 3)
            c = groups * draw.size(1, 3)
            options["filters"] = groups * draw.size(1, 3)
            if groups > 1:
                options["groups"] = groups
            options.update(draw.weight_options("kernel", rank + 2))
            shape = with_channels(draw.size(1, 3), size, c, options.get("data_format"))
            return layer, common(draw, options), shape

        yield from random_cases(draw, make)
        yield from edges(layer, rank, {"filters": 3})
        if rank == 2:
            note = "one group for each channel"
            yield Case(layer, {"filters": 8, "kernel_size": 3, "groups": 4}, [(2, 6, 5, 4)], note=note)
        if rank == 1:
            note = "a causal kernel longer than the sequence"
            arguments = {"filters": 2, "kernel_size": 5, "padding": "causal", "dilation_rate": 2}
            yield Case(layer, arguments, [(2, 4, 3)], note=note)

    return cases


def edges(layer, rank, arguments):
    """What random draws seldom meet."""
    last = ((3, 2, 4) * 2)[:rank]
    for note, own, size, n in [
        ("a kernel larger than the image", {"kernel_size": (5, 7, 4)[:rank], "padding": "same"}, (3, 2, 2), 2),
        ("a dilated kernel larger than the image", {"kernel_size": 3, "dilation_rate": 4, "padding": "same"}, (3, 5, 2), 2),
        ("strides larger than the kernel", {"kernel_size": 2, "strides": (3, 5, 4)[:rank]}, (9, 8, 6), 1),
        ("strides larger than the kernel, same", {"kernel_size": 1, "strides": 3, "padding": "same"}, (8, 7, 5), 1),
        ("images of one cell", {"kernel_size": 1}, (1, 1, 1), 3),
        ("images of one cell, same", {"kernel_size": 3, "padding": "same"}, (1, 1, 1), 3),
        ("a batch of one", {"kernel_size": last, "padding": "same"}, (6, 7, 4), 1),
        ("a kernel as large as the image", {"kernel_size": (4, 5, 3)[:rank]}, (4, 5, 3), 2),
    ]:
        yield Case(layer, {**arguments, **own}, [(n, *size[:rank], 2)], note=note)


def depthwise(layer, rank):
    def cases(draw):
        def make():
            options, size = drawn(draw, rank)
            if draw.chance(0.6):
                options["depth_multiplier"] = draw.size(2, 3)
            options.update(draw.weight_options("depthwise", rank + 2))
            shape = with_channels(draw.size(1, 3), size, draw.size(1, 5), options.get("data_format"))
            return layer, common(draw, options), shape

        yield from random_cases(draw, make)
        yield from edges(layer, rank, {"depth_multiplier": 2})
        note = "many channels"
        size = ((4, 3) * 2)[:rank]
        yield Case(layer, {"kernel_size": 2, "padding": "same"}, [(1, *size, 33)], note=note)

    return cases


def separable(layer, rank):
    def cases(draw):
        def make():
            options, size = drawn(draw, rank)
            options["filters"] = draw.size(1, 5)
            if draw.chance(0.5):
                options["depth_multiplier"] = draw.size(2, 3)
            options.update(draw.weight_options("depthwise", rank + 2))
            options.update(draw.weight_options("pointwise", rank + 2))
            shape = with_channels(draw.size(1, 3), size, draw.size(1, 4), options.get("data_format"))
            return layer, common(draw, options), shape

        yield from random_cases(draw, make)
        yield from edges(layer, rank, {"filters": 3})

    return cases


def transposed(layer, rank):
    def cases(draw):
        def make():
            while True:
                options, size = windows(draw, rank, allow_causal=False), spatial(draw, rank)
                if draw.chance(0.3):
                    strides = as_tuple(options.get("strides", 1), rank)
                    options["output_padding"] = tuple(draw.size(0, s - 1) for s in strides)
                options["filters"] = draw.size(1, 4)
                output = layer(**options).compute_output_shape(with_channels(1, size, 1, options.get("data_format")))
                if all(n is None or n > 0 for n in output):
                    break
            options.update(draw.weight_options("kernel", rank + 2))
            shape = with_channels(draw.size(1, 3), size, draw.size(1, 4), options.get("data_format"))
            return layer, common(draw, options), shape

        yield from random_cases(draw, make)
        for note, own, size, n in [
            ("a kernel larger than the image", {"kernel_size": (5, 7)[:rank], "padding": "same"}, (3, 2), 2),
            ("a kernel larger than the image, valid", {"kernel_size": (5, 7)[:rank], "strides": 2}, (3, 2), 2),
            ("strides larger than the kernel", {"kernel_size": 2, "strides": (3, 4)[:rank]}, (4, 3), 1),
            ("strides larger than the kernel, same", {"kernel_size": 2, "strides": 3, "padding": "same"}, (4, 3), 1),
            ("the usual doubling", {"kernel_size": 3, "strides": 2, "padding": "same"}, (4, 5), 1),
            ("images of one cell", {"kernel_size": 3}, (1, 1), 3),
            ("images of one cell, same", {"kernel_size": 3, "strides": 2, "padding": "same"}, (1, 1), 3),
            ("a batch of one", {"kernel_size": 4, "strides": 2, "padding": "same"}, (5, 4), 1),
        ]:
            yield Case(layer, {"filters": 3, **own}, [(n, *size[:rank], 2)], note=note)

    return cases


FAMILY = {
    "Conv1D": plain(layers.Conv1D, 1),
    "Conv2D": plain(layers.Conv2D, 2),
    "Conv3D": plain(layers.Conv3D, 3),
    "DepthwiseConv1D": depthwise(layers.DepthwiseConv1D, 1),
    "DepthwiseConv2D": depthwise(layers.DepthwiseConv2D, 2),
    "SeparableConv1D": separable(layers.SeparableConv1D, 1),
    "SeparableConv2D": separable(layers.SeparableConv2D, 2),
    "Conv1DTranspose": transposed(layers.Conv1DTranspose, 1),
    "Conv2DTranspose": transposed(layers.Conv2DTranspose, 2),
}
