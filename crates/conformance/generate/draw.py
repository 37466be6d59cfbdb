"""Drawing arguments and numbers. Everything comes from one generator per file, so that files do not depend on each other."""

import zlib

import numpy as np

ACTIVATIONS = [
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "softplus",
    "softmax",
    "log_softmax",
]


class Draw:
    """A stream of choices, the same for the same name."""

    def __init__(self, name):
        self.random = np.random.default_rng(zlib.crc32(name.encode()))

    def size(self, low, high):
        """A whole number from low to high."""
        return int(self.random.integers(low, high + 1))

    def sizes(self, count, low, high):
        return tuple(self.size(low, high) for _ in range(count))

    def pick(self, *options):
        return options[self.size(0, len(options) - 1)]

    def chance(self, probability):
        return bool(self.random.random() < probability)

    def number(self, low, high):
        """A number of few decimals, as people write them."""
        return round(float(self.random.uniform(low, high)), 2)

    def tensor(self, shape):
        """Odd whole numbers from -127 to 127; cases divide them by a power of two.

        Few bits, so that files are small and most sums exact. Odd, so that none is 0 or a multiple of 1/64, where activations
        have kinks.
        """
        return (self.random.integers(-64, 64, shape) * 2 + 1).astype(np.int8)

    def distinct(self, shape, axes):
        """As tensor, but all different along the given axes, taken together: maxima without ties."""
        rest = [axis for axis in range(len(shape)) if axis not in axes]
        lines = int(np.prod([shape[axis] for axis in rest], initial=1))
        length = int(np.prod([shape[axis] for axis in axes], initial=1))
        values = np.stack([self.random.permutation(128)[:length] * 2 - 127 for _ in range(lines)])
        permuted = values.reshape([shape[axis] for axis in rest] + [shape[axis] for axis in axes])
        return np.transpose(permuted, np.argsort(rest + list(axes))).astype(np.int8)

    def activation(self):
        return self.pick(None, *ACTIVATIONS) if self.chance(0.6) else None

    def initializer(self):
        """A name, or a Keras object with arguments."""
        names = [
            "zeros",
            "ones",
            "random_normal",
            "random_uniform",
            "truncated_normal",
            "variance_scaling",
            "glorot_normal",
            "he_uniform",
            "he_normal",
            "lecun_uniform",
            "lecun_normal",
            "orthogonal",
        ]
        objects = [
            ("Constant", {"value": self.number(-1, 1)}),
            ("RandomNormal", {"mean": self.number(-1, 1), "stddev": self.number(0.01, 1), "seed": self.size(0, 99)}),
            ("RandomUniform", {"minval": self.number(-1, 0), "maxval": self.number(0.1, 1)}),
            ("TruncatedNormal", {"mean": self.number(-1, 1), "stddev": self.number(0.01, 1)}),
            (
                "VarianceScaling",
                {
                    "scale": self.number(0.5, 2),
                    "mode": self.pick("fan_in", "fan_out", "fan_avg"),
                    "distribution": self.pick("truncated_normal", "untruncated_normal", "uniform"),
                },
            ),
            ("Orthogonal", {"gain": self.number(0.5, 2)}),
            ("HeNormal", {"seed": self.size(0, 99)}),
        ]
        if self.chance(0.5):
            return self.pick(*names)
        name, config = self.pick(*objects)
        return {"class_name": name, "config": config}

    def vector_initializer(self):
        """An initializer for weights with one axis."""
        return self.pick("zeros", "ones", {"class_name": "Constant", "config": {"value": self.number(-1, 1)}})

    def regularizer(self):
        return self.pick(
            {"class_name": "L1", "config": {"l1": self.number(0.01, 0.1)}},
            {"class_name": "L2", "config": {"l2": self.number(0.01, 0.1)}},
            {"class_name": "L1L2", "config": {"l1": self.number(0.01, 0.1), "l2": self.number(0.01, 0.1)}},
        )

    def constraint(self, axes):
        """axes: those of the weight that may be measured over."""
        return self.pick(
            {"class_name": "MaxNorm", "config": {"max_value": self.number(0.5, 3), "axis": self.pick(*axes)}},
            {"class_name": "NonNeg", "config": {}},
            {"class_name": "UnitNorm", "config": {"axis": self.pick(*axes)}},
            {
                "class_name": "MinMaxNorm",
                "config": {
                    "min_value": self.number(0, 0.5),
                    "max_value": self.number(0.6, 2),
                    "rate": self.number(0.5, 1),
                    "axis": self.pick(*axes),
                },
            },
        )

    def weight_options(self, name, rank):
        """Arguments about a weight, one in four of them given: `kernel_initializer`, `kernel_regularizer` and so on."""
        initializer = self.initializer if rank > 1 else self.vector_initializer
        axes = [0, list(range(rank - 1))] if rank > 2 else [0]
        drawn = {
            f"{name}_initializer": initializer(),
            f"{name}_regularizer": self.regularizer(),
            f"{name}_constraint": self.constraint(axes),
        }
        return {key: value for key, value in drawn.items() if self.chance(0.25)}
