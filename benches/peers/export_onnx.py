"""Writes a network of nets.py as ONNX, with made-up weights and any batch: `python export_onnx.py NET.json OUT.onnx`.

The input is `x` (n, c, h, w). Needs: torch, onnx.
"""

import json
import sys

import torch

import twin

if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        config = json.load(file)
    torch.manual_seed(0)
    network = twin.module(config).eval()
    x = torch.zeros(2, *twin.shape_of(config["config"]["layers"][0]["config"]))
    torch.onnx.export(
        network, (x,), sys.argv[2], input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        opset_version=17, dynamo=False,
    )
