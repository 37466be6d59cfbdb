"""Writes the cases: `python crates/conformance/generate`, or only those that are named after it.

Names are those of Keras's layer classes, `training`, `onnx` and `torch`. See requirements.txt for the versions. The files come
out the same each time.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"
# Each case is compiled and run once: compile quickly.
os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"

import keras

import activating
import convolution
import merging
import normalizing
import pooling
import randomizing
import shaping
import store
from draw import Draw

FAMILIES = [convolution, pooling, shaping, merging, normalizing, activating, randomizing]


def main(names):
    # Keras on JAX turns what it promotes to double precision back to single, as JAX does by default.
    keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    keras.config.set_floatx("float64")
    writers = {name: layer_writer(name, cases) for family in FAMILIES for name, cases in family.FAMILY.items()}
    writers["training"] = curves
    writers["onnx"] = nodes
    writers["torch"] = second_opinions
    for name in names or writers:
        writers[name]()


def about():
    return {"keras": keras.__version__, "backend": "jax", "computed_in": "float64"}


def layer_writer(name, cases):
    def write():
        draw = Draw(name)
        entries, arrays = zip(*[case.run(draw) for case in cases(draw)])
        store.write(f"keras/{name}", about(), entries, arrays)

    return write


def curves():
    # Its optimizers take Keras's precision when they are made.
    import training

    store.write("training", about(), *training.cases())


def nodes():
    # Large packages are loaded when they are needed.
    import onnx_nodes

    onnx_nodes.write()


def second_opinions():
    import torch_cases

    torch_cases.write()


main(sys.argv[1:])
