"""Inference of the reference model, StampNet beside onnxruntime, OpenVINO, PyTorch, rten and tract, in one run.

Run:  benches/peers/compare infer [--only TEXT] [--rounds 3] [--seconds 1] [--record]

Each cell (precision, batch, threads) is measured in rounds: StampNet, then every peer, each in a process of its own that is
pinned to the same cores, and again. A figure is the median of the rounds. onnxruntime and OpenVINO read one ONNX file that is
exported from PyTorch's twin of the network; rten and tract take part once `benches/peers/rust` has built them. Each peer counts
in its best setting: PyTorch in either layout or compiled, OpenVINO with its hint for latency.

The ratio is StampNet's images/s over the best peer's; targets say what it should be.
"""

import argparse
import os
import subprocess

from common import Program, write_record
from rounds import HERE, NETS, PYTHON, RUST, STAMPNET, Cell, compare, measured, offers, print_head, versions

ONNX = NETS / "cnn.onnx"
RUST_PEER = RUST / "infer-peer"
# Calls in one measurement of a peer in Rust, and repeats of `stampnet bench infer`.
RUST_STEPS, REPEATS = 8, 7

CELLS = [
    Cell("cnn", precision, batch, threads, target)
    for precision, batch, target in (("float32", 128, 1.5), ("float32", 1, 2), ("bfloat16", 128, 1.2), ("bfloat16", 1, 1.5))
    for threads in (2, 1)
]


def parse_args():
    p = argparse.ArgumentParser(
        prog="benches/peers/compare infer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--only", default="", help="only cells whose name contains this, as in 'float32, batch 1,'")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1, help="of one measurement, without its start")
    p.add_argument("--record", action="store_true", help="write benches/record/DATE-infer-COMMIT.json")
    return p.parse_args()


def in_rust(peer, cell, seconds, cores):
    program = Program([RUST_PEER, peer], cores)
    program.ask("model", (cell.batch, RUST_STEPS), "forward", 0)
    ms = program.ask("model", (cell.batch, RUST_STEPS), "forward", seconds)["ms"] / RUST_STEPS
    return {"images_per_s": round(cell.batch / ms * 1e3, 1), "peak_mib": program.end()}


def sides(cell, seconds, cores):
    """StampNet and its peers, each in all the settings that could be its best one."""
    net = NETS / f"{cell.net}.json"
    ours = [STAMPNET, "bench", "infer", "--model", net, "--batch", cell.batch, "--threads", cell.threads]
    ours += ["--seconds", seconds / REPEATS, "--json"]
    if cell.precision != "float32":
        ours += ["--precision", "mixed_bfloat16"]

    def python(peer, *options):
        command = [PYTHON["torch"], HERE / "infer_python.py", peer, "--batch", cell.batch, "--threads", cell.threads]
        command += ["--seconds", seconds, "--precision", cell.precision, *options]
        return lambda: measured(command, cores)

    found = {"stampnet": lambda: measured(ours, cores), "openvino": python("openvino", "--onnx", ONNX)}
    found["torch nhwc"] = python("torch", "--net", net, "--layout", "nhwc")
    found["torch nchw"] = python("torch", "--net", net, "--layout", "nchw")
    found["torch nhwc compiled"] = python("torch", "--net", net, "--layout", "nhwc", "--compile")
    if cell.precision == "float32":
        found["onnxruntime"] = python("onnxruntime", "--onnx", ONNX)
        if RUST_PEER.exists():
            found |= {peer: lambda peer=peer: in_rust(peer, cell, seconds, cores) for peer in ("rten", "tract")}
    return found


def main():
    args = parse_args()
    cores = sorted(os.sched_getaffinity(0))
    subprocess.run([PYTHON["torch"], HERE / "export_onnx.py", NETS / "cnn.json", ONNX], check=True, capture_output=True)
    print_head("inference, images/s")
    lines = []
    for cell in CELLS:
        if args.only not in str(cell) or cell.threads > len(cores):
            continue
        if cell.precision != "float32" and not offers("infer", "--precision"):
            print(f"{str(cell):44} left out: `stampnet bench infer` knows no --precision")
            continue
        lines.append(compare(cell, sides(cell, args.seconds, cores[: cell.threads]), args.rounds))
    if args.record and lines:
        write_record("infer", {"versions": versions(lines), "cells": lines})


if __name__ == "__main__":
    main()
