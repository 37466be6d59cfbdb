"""Writes the cases: `python crates/conformance/generate`, or only those of the classes that are named after it.

See requirements.txt for the versions. The files come out the same each time.
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
    known = {name: cases for family in FAMILIES for name, cases in family.FAMILY.items()}
    about = {"keras": keras.__version__, "backend": "jax", "computed_in": "float64"}
    for name in names or known:
        draw = Draw(name)
        entries, arrays = zip(*[case.run(draw) for case in known[name](draw)])
        store.write(name, about, entries, arrays)


main(sys.argv[1:])
