"""One case: a layer's config, and what Keras computes with it, in double precision."""

import jax
import keras
import numpy as np


class Case:
    """A layer class with arguments, the shapes of its inputs, and how to run it."""

    def __init__(self, layer, arguments, shapes, **options):
        self.layer = layer
        self.arguments = arguments
        # With the batch axis.
        self.shapes = [tuple(shape) for shape in shapes]
        # As in training: batch statistics, dropout at work.
        self.training = options.pop("training", False)
        # What a whole number of inputs, weights and gradients stands for.
        self.unit = options.pop("unit", 2.0**-7)
        # Axes along which the input has no two equal numbers.
        self.distinct = options.pop("distinct", None)
        # Whether there are gradients; layers for data have none.
        self.gradients = options.pop("gradients", True)
        # Multiplies inputs, for layers that take pixels.
        self.adapt = options.pop("adapt", None)
        # Why the case is there, if it was not drawn.
        self.note = options.pop("note", None)
        # Bounds that differ from the common one, with the reason in the family's file.
        self.tolerance = options.pop("tolerance", None)
        assert not options, options

    def run(self, draw):
        """Its entry in the index, and its arrays by name."""
        with keras.src.backend.StatelessScope():
            layer = build(self.layer(name="layer", dtype="float32", **self.arguments), self.shapes)
        described = keras.saving.serialize_keras_object(layer)
        entry = {"class_name": described["class_name"], "config": described["config"]}
        twin = self.layer.from_config({**described["config"], "dtype": "float64"})
        # Weights are given below; a scope keeps Keras from drawing some first.
        with keras.src.backend.StatelessScope():
            build(twin, self.shapes)

        arrays = {}
        inputs = [self.draw_input(draw, shape) for shape in self.shapes]
        for i, array in enumerate(inputs):
            arrays[f"input.{i}"] = array
        weights = {}
        for variable in twin.weights:
            if "seed_generator" in variable.path:
                continue
            name = variable.name
            array = draw.tensor(variable.shape)
            if "variance" in name:
                array = np.abs(array)
            if name == "count":
                array = np.array(5, dtype=np.int8)
            weights[name] = array
            arrays[f"weight.{name}"] = array

        result = self.compute(twin, inputs, weights, draw)
        arrays.update(result)
        entry.update({"training": self.training, "unit": self.unit, "inputs": len(inputs), "weights": list(weights)})
        for key in ["note", "tolerance"]:
            if getattr(self, key) is not None:
                entry[key] = getattr(self, key)
        return entry, arrays

    def draw_input(self, draw, shape):
        return draw.tensor(shape) if self.distinct is None else draw.distinct(shape, self.distinct)

    def compute(self, layer, inputs, weights, draw):
        def value(variable):
            if "seed_generator" in variable.path:
                return np.zeros(2, np.uint32)
            scale = 1.0 if variable.name == "count" else self.unit
            return weights[variable.name].astype(np.float64) * scale

        trainable = [value(v) for v in layer.trainable_variables]
        state = [value(v) for v in layer.non_trainable_variables]
        x = [array.astype(np.float64) * self.unit for array in inputs]

        if hasattr(layer, "finalize_state"):
            # Normalization reads the weights that `adapt` leaves only when it is told to.
            with keras.StatelessScope(state_mapping=list(zip(layer.non_trainable_variables, state))):
                layer.finalize_state()

        def forward(x, trainable):
            x = x[0] if len(x) == 1 else x
            return layer.stateless_call(trainable, state, x, **self.call_options(layer))

        if not self.gradients:
            y, after = forward(x, trainable)
            return {"output": np.asarray(y, np.float32)}
        shape = jax.eval_shape(forward, x, trainable)[0].shape
        seed = draw.tensor(shape)

        @jax.jit
        def both(x, trainable, seed):
            y, pull, after = jax.vjp(forward, x, trainable, has_aux=True)
            return y, after, pull(seed)

        y, after, (grad_x, grad_trainable) = both(x, trainable, seed.astype(np.float64) * self.unit)
        assert y.dtype == np.float64, y.dtype
        result = {"output": y, "grad_output": seed}
        for i, gradient in enumerate(grad_x):
            result[f"grad_input.{i}"] = gradient
        for variable, gradient in zip(layer.trainable_variables, grad_trainable):
            result[f"grad.{variable.name}"] = gradient
        if self.training:
            for variable, new in zip(layer.non_trainable_variables, after):
                if variable.name in weights:
                    result[f"after.{variable.name}"] = new
        return {
            name: array if name == "grad_output" else np.asarray(array, np.float32) for name, array in result.items()
        }

    def call_options(self, layer):
        return {"training": self.training} if layer._call_has_training_arg else {}


def build(layer, shapes):
    if not layer.built:
        layer.build(shapes[0] if len(shapes) == 1 else shapes)
        layer.built = True
    return layer


def elements(shape):
    return int(np.prod(shape))
