"""Writes the .npy files of this folder with NumPy, which the tests of the crate read."""

import numpy as np

np.save("float32.npy", np.arange(24, dtype="<f4").reshape(2, 3, 4) / 8 - 1)
with open("int64_version_2.npy", "wb") as file:
    np.lib.format.write_array(file, np.array([-1, 2**40, 7], dtype="<i8"), version=(2, 0))
np.save("uint8_scalar.npy", np.array(200, dtype="u1"))
np.save("fortran.npy", np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)))
np.save("big_endian.npy", np.arange(6, dtype=">f4").reshape(2, 3))
