"""Files of cases: safetensors, gzipped. The index of the cases is one string in the metadata."""

import gzip
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save

CASES = Path(__file__).parent.parent / "cases"


def write(name, about, entries, arrays):
    """Writes `cases/<name>.safetensors.gz`, where the name has a folder. The arrays of case i are called `i.input.0` and so on."""
    index = json.dumps({"about": about, "cases": entries}, separators=(",", ":"))
    tensors = {
        f"{i}.{key}": np.ascontiguousarray(array) for i, own in enumerate(arrays) for key, array in own.items()
    }
    path = CASES / f"{name}.safetensors.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(save(tensors, {"index": index}), 9, mtime=0))
    print(f"{path.name}: {len(entries)} cases, {path.stat().st_size // 1024} KiB", flush=True)
