"""PyTorch's twins of Keras's random layers: each image of a batch is changed in its own way, in training alone."""

import torch
import torch.nn.functional as F
from torch import nn


def bounds(factor, low=None):
    """A factor as its two bounds; one number means from `low`, or from minus itself, to itself."""
    if isinstance(factor, (list, tuple)):
        return tuple(factor)
    return (-factor if low is None else low, factor)


def uniform(n, limits):
    return torch.empty(n).uniform_(*limits)


class RandomFlip(nn.Module):
    def __init__(self, config):
        super().__init__()
        mode = config.get("mode", "horizontal_and_vertical")
        self.axes = [axis for axis, word in ((2, "vertical"), (3, "horizontal")) if word in mode]

    def forward(self, x):
        for axis in self.axes if self.training else ():
            x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(axis), x)
        return x


class RandomTranslation(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.limits = [bounds(config[f"{axis}_factor"]) for axis in ("width", "height")]
        self.mode = config.get("interpolation", "bilinear")
        self.outside = {"constant": "zeros", "reflect": "reflection", "nearest": "border"}[config.get("fill_mode", "reflect")]

    def forward(self, x):
        if not self.training:
            return x
        theta = torch.eye(2, 3).repeat(len(x), 1, 1)
        for axis, limits in enumerate(self.limits):
            # Coordinates go from -1 to 1.
            theta[:, axis, 2] = -2 * uniform(len(x), limits)
        grid = F.affine_grid(theta, x.shape, align_corners=False)
        return F.grid_sample(x, grid, self.mode, self.outside, align_corners=False)


class RandomErasing(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.factor, self.scale = bounds(config.get("factor", 1.0), 0.0), bounds(config.get("scale", (0.02, 0.33)), 0.0)
        self.fill, self.range = config.get("fill_value"), config.get("value_range", (0, 255))

    def side(self, n, length):
        """Which of `length` rows or columns lie in each image's rectangle."""
        size = uniform(n, self.scale).sqrt() * length
        start = torch.rand(n) * (length - size)
        at = torch.arange(length)
        return (at >= start[:, None]) & (at < (start + size)[:, None])

    def forward(self, x):
        if not self.training:
            return x
        n, _, h, w = x.shape
        erased = (torch.rand(n) < uniform(n, self.factor))[:, None, None] & self.side(n, h)[:, :, None] & self.side(n, w)[:, None]
        fill = torch.randn_like(x) * self.range[1] if self.fill is None else torch.full_like(x, self.fill)
        return torch.where(erased[:, None], fill.clamp(*self.range), x)


LAYERS = {layer.__name__: layer for layer in (RandomFlip, RandomTranslation, RandomErasing)}
