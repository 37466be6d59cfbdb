"""Layers with several inputs."""

from keras import layers

from case import Case, elements
from convolution import MOST, RANDOM


def shape_of(draw):
    while True:
        shape = draw.sizes(1 + draw.size(1, 4), 1, 6)
        if elements(shape) <= MOST // 2:
            return shape


def elementwise(layer, is_max=False):
    """Keras shares the gradient of a maximum among equals: most inputs differ by their last bits, see draw.tensor."""

    def cases(draw):
        for _ in range(RANDOM):
            shape = shape_of(draw)
            shapes = [shape] * draw.size(2, 4)
            if draw.chance(0.3):
                # Some inputs are repeated along axes of size 1, never along the batch.
                shapes = [tuple(n if i == 0 or draw.chance(0.6) else 1 for i, n in enumerate(shape)) for shape in shapes]
            yield MaximumCase(layer, {}, shapes) if is_max else Case(layer, {}, shapes)
        note = "a factor for each channel, and images"
        shapes = [(2, 4, 3, 5), (2, 1, 1, 5)]
        yield MaximumCase(layer, {}, shapes, note=note) if is_max else Case(layer, {}, shapes, note=note)

    return cases


class MaximumCase(Case):
    """Inputs of which no two are equal: input i is i modulo 4, in the last bits."""

    def run(self, draw):
        self.drawn = 0
        return super().run(draw)

    def draw_input(self, draw, shape):
        values = draw.tensor(shape).astype(int) // 8 * 8 + 2 * self.drawn + 1
        self.drawn += 1
        return values.astype("int8")


def concatenate(draw):
    for _ in range(RANDOM):
        shape = shape_of(draw)
        axis = draw.size(1, len(shape) - 1)
        shapes = []
        for _ in range(draw.size(2, 4)):
            own = list(shape)
            own[axis] = draw.size(1, 5)
            shapes.append(tuple(own))
        if draw.chance(0.3):
            arguments = {"axis": axis}
        else:
            arguments = {"axis": axis - len(shape)}
        yield Case(layers.Concatenate, arguments, shapes)
    yield Case(layers.Concatenate, {}, [(1, 3, 2, 4), (1, 3, 2, 1)], note="channels")


FAMILY = {
    "Add": elementwise(layers.Add),
    "Multiply": elementwise(layers.Multiply),
    "Average": elementwise(layers.Average),
    "Maximum": elementwise(layers.Maximum, is_max=True),
    "Concatenate": concatenate,
}
