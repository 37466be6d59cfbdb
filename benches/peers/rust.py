"""Times of single layers and of a whole network, StampNet beside other frameworks in Rust, in turn, in one run.

Run:  benches/peers/rust [--threads 1,2] [--rounds 3] [--seconds 0.1] [--only TEXT] [--peers burn,candle] [--record]

Each cell (layer, pass, thread count) is timed in rounds, StampNet and every peer in turn, all pinned to the same cores,
with memory kept from call to call; a figure is the median of the rounds' medians. A ratio is StampNet's time over the
peer's: below 1 is ahead. "forward" is the forward pass; "train" is the forward pass and the gradients of input and
weight, which the peers compute in one; of the network, whole steps with Adam. burn (flex backend) and candle train, rten
and tract do not. Images are laid out as each likes best: StampNet's by channel last, the peers' by channel first.
"""

import argparse
import os
import statistics
import time

from common import CONVS, POOLS, ROOT, Program, geometric_mean, lock_versions, name, write_record

PEERS = {
    "burn": ["burn-peer"], "candle": ["candle-peer"], "rten": ["infer-peer", "rten"], "tract": ["infer-peer", "tract"],
}
STEPS = 4
# StampNet's kernels are asked for one by one.
PASSES = {"conv": ("forward", "grad_input", "grad_weight"), "max_pool": ("forward", "backward")}
PASSES["avg_pool"] = PASSES["max_pool"]


def parse_args():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", default="1,2", help="thread counts, with commas between")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.1, help="of one measurement")
    p.add_argument("--only", default="", help="only cells whose name contains this")
    p.add_argument("--peers", default=",".join(PEERS), help="with commas between")
    p.add_argument("--record", action="store_true", help="write benches/record/DATE-rust-THREADS-COMMIT.json")
    return p.parse_args()


def cells():
    for batch in (128, 32):
        yield "model", (batch, STEPS), "train"
    for batch in (128, 1):
        yield "model", (batch, STEPS), "forward"
    for name_of_pass in ("forward", "train"):
        for spec in CONVS:
            yield "conv", spec, name_of_pass
        for op in ("max_pool", "avg_pool"):
            for spec in POOLS:
                yield op, spec, name_of_pass


def our_time(program, op, spec, name_of_pass, seconds):
    """Milliseconds of a pass; training a layer is the sum of its passes."""
    passes = PASSES[op] if name_of_pass == "train" and op in PASSES else (name_of_pass,)
    return sum(program.ask(op, spec, each, seconds)["ms"] for each in passes)


def measure(args, ours, peers, cell):
    op, spec, _ = cell
    times, refused = {"stampnet": []}, {}
    for _ in range(args.rounds):
        times["stampnet"].append(our_time(ours, *cell, args.seconds))
        for peer, program in peers.items():
            if peer in refused:
                continue
            answer = program.ask(*cell, args.seconds)
            if "ms" in answer:
                times.setdefault(peer, []).append(answer["ms"])
            else:
                refused[peer] = answer["refused"]
        time.sleep(0.01)
    per_step = spec[1] if op == "model" else 1
    ms = {who: round(statistics.median(of) / per_step, 4) for who, of in times.items()}
    ratios = {who: round(ms["stampnet"] / of, 4) for who, of in ms.items() if who != "stampnet"}
    return {"cell": name(op, spec), "pass": cell[2], "ms": ms, "ratio": ratios, "refused": refused}


def compare(args, count, cores):
    """Prints a row for each cell, with a column of ratios for each peer."""
    bin_of = ROOT / "target/peers-rust/release"
    ours = Program([ROOT / "target/release/examples/cells"], cores[:count])
    peers = {
        peer: Program([bin_of / PEERS[peer][0], *PEERS[peer][1:]], cores[:count]) for peer in args.peers.split(",")
    }
    print(f"\n{f'{count} threads' if count > 1 else '1 thread':43}{'ms':>10}" + "".join(f"{peer:>9}" for peer in peers))
    lines = []
    for cell in cells():
        if args.only not in name(*cell[:2]):
            continue
        line = measure(args, ours, peers, cell) | {"threads": count}
        lines.append(line)
        ratios = (f"{line['ratio'][peer]:9.3f}" if peer in line["ratio"] else f"{'-':>9}" for peer in peers)
        print(f"{line['cell']:31}{line['pass']:12}{line['ms']['stampnet']:10.3f}" + "".join(ratios), flush=True)
    for program in (ours, *peers.values()):
        program.end()
    return lines


def summary(lines):
    """The geometric means of the ratios, by thread count, pass and peer."""
    groups = {}
    for line in lines:
        for peer, ratio in line["ratio"].items():
            groups.setdefault(f"{peer}, {line['pass']}, {line['threads']} threads", []).append(ratio)
    return {group: round(geometric_mean(ratios), 4) for group, ratios in sorted(groups.items())}


def main():
    args = parse_args()
    cores = sorted(os.sched_getaffinity(0))
    lines = []
    for count in map(int, args.threads.split(",")):
        lines += compare(args, count, cores)
    means = summary(lines)
    print("\ngeometric means of StampNet's time over the peer's:")
    for group, mean in means.items():
        print(f"  {group}: {mean:.3f}")
    if args.record and lines:
        facts = {"versions": lock_versions(), "geometric_mean": means, "cells": lines}
        write_record(f"rust-{args.threads.replace(',', '+')}-threads", facts)


if __name__ == "__main__":
    main()
