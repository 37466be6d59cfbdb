"""Training steps and first steps, peak memory and thread gain, StampNet beside PyTorch, Keras and burn, in one run.

Run:  benches/peers/compare step [--only TEXT] [--peers torch,keras,burn] [--rounds 3] [--seconds 2] [--record]

A step gathers a batch, computes loss and gradients, and lets Adam update the weights. Each cell (network, precision, batch,
threads) is measured in rounds: StampNet, then every peer, each in a process of its own that is pinned to the same cores, and
again. A figure is the median of the rounds. All processes keep their heap (see common.py), and each peer counts in its best
setting: PyTorch with fused Adam, in either layout, bfloat16 by autocast (torch.compile was slower for each of these networks);
Keras with its own choice of compilation, bfloat16 by mixed_bfloat16; burn with its flex backend, on a batch that never changes.
All train the same networks: nets.py writes them, twin.py makes PyTorch's of them, and the numbers of parameters are compared.
`avx2` limits StampNet and PyTorch to AVX2. The first step counts from the start of the process, the reading of 60,000 images
included (burn reads none).

The ratio is StampNet's images/s over the best peer's; targets say what it should be.
"""

import argparse
import os
import time

from common import Program, write_record
from rounds import AVX2, HERE, NETS, PYTHON, RUST, STAMPNET, Cell, compare, measured, offers, print_head, verdict, versions

BURN = RUST / "burn-peer"
BURN_STEPS = 4
# Parts of one run of `stampnet bench step`, and steps in each when the speed is not known yet.
REPEATS, TRIAL = 8, 2

CELLS = [
    Cell("cnn", "float32", 128, 2, 2.7), Cell("cnn", "float32", 32, 2, 3),
    Cell("cnn", "float32", 128, 1), Cell("cnn", "float32", 32, 1),
    Cell("cnn", "bfloat16", 128, 2, 3), Cell("cnn", "bfloat16", 32, 2, 3.5),
    Cell("cnn", "bfloat16", 128, 1), Cell("cnn", "bfloat16", 32, 1),
    Cell("cnn", "float32", 128, 2, 2, "avx2"),
    Cell("vgg", "float32", 128, 2, 1.5), Cell("resnet", "float32", 128, 2, 1.5), Cell("mobilenet", "float32", 128, 2, 1.5),
]
# How many times as fast two threads are as one; seconds to the end of the first step; peak memory over PyTorch's.
THREAD_GAIN, FIRST_STEP_S, MEMORY = 1.9, 0.25, 0.333


def parse_args():
    p = argparse.ArgumentParser(
        prog="benches/peers/compare step", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--only", default="", help="only cells whose name contains this, as in 'cnn, float32, batch 128'")
    p.add_argument("--peers", default="torch,keras,burn", help="with commas between; burn once `benches/peers/rust` built it")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=2, help="of one measurement, without its start")
    p.add_argument("--record", action="store_true", help="write benches/record/DATE-step-COMMIT.json")
    return p.parse_args()


def stampnet(cell, seconds, cores):
    """`stampnet bench step`, which takes a number of steps: as many as take so long, once the speed is known."""
    command = [STAMPNET, "bench", "step", "--model", NETS / f"{cell.net}.json", "--batch", cell.batch]
    command += ["--threads", cell.threads, "--json"]
    if cell.precision != "float32":
        command += ["--precision", "mixed_bfloat16"]
    level = {"STAMPNET_SIMD": AVX2["STAMPNET_SIMD"]} if cell.level else {}
    run = lambda steps: measured([*command, "--steps", steps], cores, level)
    steps = max(1, round(run(TRIAL)["images_per_s"] / cell.batch * seconds / REPEATS))
    return lambda: run(steps)


def python(peer, cell, seconds, cores, *options):
    """A peer's script with these further options."""
    command = [PYTHON[peer], HERE / f"train_{peer}.py", "--net", NETS / f"{cell.net}.json", "--batch", cell.batch]
    command += ["--threads", cell.threads, "--seconds", seconds, "--precision", cell.precision, *options]
    return lambda: measured(command, cores, AVX2 if cell.level else {})


def burn(cell, seconds, cores):
    start = time.time()
    program = Program([BURN], cores)
    program.ask("model", (cell.batch, 1), "train", 0)
    first = time.time() - start
    program.ask("model", (cell.batch, BURN_STEPS), "train", 0)
    ms = program.ask("model", (cell.batch, BURN_STEPS), "train", seconds)["ms"] / BURN_STEPS
    return {"images_per_s": round(cell.batch / ms * 1e3, 1), "first_step_s": round(first, 3), "peak_mib": program.end()}


def sides(cell, args, cores):
    """StampNet and its peers, each in all the settings that could be its best one."""
    peers, found = args.peers.split(","), {"stampnet": stampnet(cell, args.seconds, cores)}
    torch = lambda *options: python("torch", cell, args.seconds, cores, *options)
    if "torch" in peers:
        found["torch nhwc"] = torch("--layout", "nhwc")
        found["torch nchw"] = torch("--layout", "nchw")
    if "keras" in peers and not cell.level:
        found["keras"] = python("keras", cell, args.seconds, cores)
    if "burn" in peers and BURN.exists() and (cell.net, cell.precision, cell.level) == ("cnn", "float32", ""):
        found["burn"] = lambda: burn(cell, args.seconds, cores)
    return found


def summary(lines):
    """Thread gain, first step and memory, of the reference model at batch 128."""
    at = {(l["precision"], l["threads"]): l for l in lines if l["net"] == "cnn" and l["batch"] == 128 and not l["level"]}
    facts = {}
    for precision in ("float32", "bfloat16"):
        if (precision, 1) in at and (precision, 2) in at:
            one, two = (at[precision, threads]["images_per_s"]["stampnet"] for threads in (1, 2))
            facts[f"2 threads over 1, {precision}"] = {"value": round(two / one, 3), "target": THREAD_GAIN, "at_most": False}
    if line := at.get(("float32", 2)):
        first, memory = line["first_step_s"], line["peak_mib"]
        facts["first step, seconds"] = {"value": first["stampnet"], "target": FIRST_STEP_S, "at_most": True, "of": first}
        if torch := [mib for who, mib in memory.items() if who.startswith("torch")]:
            ratio = round(memory["stampnet"] / min(torch), 3)
            facts["peak memory over PyTorch's, MiB"] = {"value": ratio, "target": MEMORY, "at_most": True, "of": memory}
    return facts


def main():
    args = parse_args()
    cores = sorted(os.sched_getaffinity(0))
    print_head("training steps, images/s")
    lines = []
    for cell in CELLS:
        if args.only not in str(cell) or cell.threads > len(cores):
            continue
        if cell.precision != "float32" and not offers("step", "--precision"):
            print(f"{str(cell):44} left out: `stampnet bench step` knows no --precision")
            continue
        lines.append(compare(cell, sides(cell, args, cores[: cell.threads]), args.rounds))
    facts = summary(lines)
    print()
    for name, fact in facts.items():
        each = "".join(f"  {who} {number:g}" for who, number in fact.get("of", {}).items())
        print(f"{name:32}{fact['value']:7.3f}{verdict(fact['target'], fact['value'], fact['at_most'])}{each}")
    if args.record and lines:
        write_record("step", {"versions": versions(lines), "summary": facts, "cells": lines})


if __name__ == "__main__":
    main()
