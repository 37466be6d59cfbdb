"""The ONNX standard's node cases, as the package onnx ships them: one operator, its inputs, the expected outputs.

Operators that the standard expands into others (`_expanded`) are left out: they are the same cases.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import store

OPERATORS = {
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Gemm",
    "BatchNormalization",
    "Flatten",
    "Relu",
    "Softmax",
    "LogSoftmax",
}
NODES = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"


def write():
    entries, arrays = [], []
    for folder in sorted(NODES.iterdir()):
        graph = onnx.load(folder / "model.onnx").graph
        if folder.name.endswith(("_expanded", "_expanded_ver18")) or len(graph.node) != 1:
            continue
        node = graph.node[0]
        if node.op_type not in OPERATORS:
            continue
        entry = {
            "name": folder.name.removeprefix("test_"),
            "op": node.op_type,
            "attributes": {attribute.name: plain(onnx.helper.get_attribute_value(attribute)) for attribute in node.attribute},
            "outputs": len(graph.output),
        }
        own = {}
        for kind in ["input", "output"]:
            for i, path in enumerate(sorted(folder.glob(f"test_data_set_0/{kind}_*.pb"))):
                array = numpy_helper.to_array(onnx.load_tensor(path))
                entry["type"] = str(array.dtype) if kind == "input" and i == 0 else entry["type"]
                own[f"{kind}.{i}"] = array.astype(np.float32)
        entries.append(entry)
        # Other types cannot be taken; their numbers would be of no use.
        arrays.append(own if entry["type"] == "float32" else {})
    store.write("onnx", {"onnx": onnx.__version__}, entries, arrays)


def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return list(value) if isinstance(value, (list, tuple)) else value
