"""Accuracy and time of the recipes in recipes/, StampNet beside their twins in PyTorch, in one run.

Run:  benches/peers/compare recipes [--only book,fast] [--seeds 0,1,2,3,4] [--sides stampnet,torch] [--threads 2] [--untimed]
                             [--record]

For each recipe and seed, StampNet trains on all 60,000 images and is tested after the last epoch, then PyTorch's twin in its
best setting (recipe_torch.py), both pinned to the same cores. Accuracies are told as mean and standard deviation over the
seeds, times as the median; targets say what they should be. Hours: `--sides stampnet` is the short way, and `--untimed` lets
the machine do other work meanwhile, which changes times but no accuracy.
"""

import argparse
import os
import statistics
import tempfile

from common import ROOT, write_record
from rounds import HERE, PYTHON, STAMPNET, measured, verdict, versions

# The least mean accuracy; the most time over PyTorch's, and how many points PyTorch's accuracy may be off.
ACCURACY = {"book": 0.92, "fast": 0.935, "best": 0.948}
TIME, APART = 0.333, 0.3


def parse_args():
    p = argparse.ArgumentParser(
        prog="benches/peers/compare recipes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--only", default=",".join(ACCURACY), help="recipes, with commas between")
    p.add_argument("--seeds", default="0,1,2,3,4", help="with commas between")
    p.add_argument("--sides", default="stampnet,torch", help="with commas between")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--untimed", action="store_true", help="tell accuracies alone")
    p.add_argument("--record", action="store_true", help="write benches/record/DATE-recipes-COMMIT.json")
    return p.parse_args()


def stampnet(recipe, seed, threads, cores):
    with tempfile.TemporaryDirectory() as folder:
        command = [STAMPNET, "train", "--settings", recipe, "--seed", seed, "--threads", threads, "--json"]
        return measured([*command, "--out", f"{folder}/run"], cores)


def torch(recipe, seed, threads, cores):
    command = [PYTHON["torch"], HERE / "recipe_torch.py", recipe, "--seed", seed, "--threads", threads]
    return measured(command, cores)


def train(name, args, cores):
    """Every seed on every side, in turn."""
    recipe = ROOT / f"recipes/{name}.json"
    sides = {side: {"stampnet": stampnet, "torch": torch}[side] for side in args.sides.split(",")}
    rounds = {side: [] for side in sides}
    for seed in args.seeds.split(","):
        for side, run in sides.items():
            rounds[side].append(run(recipe, seed, args.threads, cores) | {"seed": int(seed)})
            print(f"{name}, seed {seed}, {side}: {rounds[side][-1]['test_accuracy']:.4f}", flush=True)
    line = {"recipe": name, "threads": args.threads, "target": ACCURACY[name], "rounds": rounds}
    for side, of in rounds.items():
        accuracies = [one["test_accuracy"] for one in of]
        deviation = statistics.stdev(accuracies) if len(of) > 1 else 0.0
        line[side] = {"mean": round(statistics.fmean(accuracies), 5), "deviation": round(deviation, 5)}
        seconds = [one.pop("seconds") if args.untimed else one["seconds"] for one in of]
        if not args.untimed:
            line[side]["seconds"] = statistics.median(seconds)
    return line


def print_line(line):
    for side in ("stampnet", "torch"):
        if side not in line:
            continue
        of = line[side]
        judged = verdict(line["target"], of["mean"]) if side == "stampnet" else " " * 15
        print(f"{line['recipe']:8}{side:10}{of['mean']:9.2%} ± {of['deviation']:.2%}{judged}", end="")
        print(f"{of['seconds']:9.1f} s" if "seconds" in of else "")
    if "stampnet" in line and "torch" in line:
        apart = abs(line["stampnet"]["mean"] - line["torch"]["mean"])
        if "seconds" in line["stampnet"]:
            ratio = line["stampnet"]["seconds"] / line["torch"]["seconds"]
            print(f"{'':8}{'time over PyTorch':28}{ratio:7.3f}{verdict(TIME, ratio, True)}")
        print(f"{'':8}{'accuracies apart, points':28}{100 * apart:7.3f}{verdict(APART, 100 * apart, True)}")


def main():
    args = parse_args()
    cores = sorted(os.sched_getaffinity(0))[: args.threads]
    lines = [train(name, args, cores) for name in args.only.split(",")]
    print()
    for line in lines:
        print_line(line)
    if args.record:
        write_record("recipes", {"versions": versions(lines), "recipes": lines})


if __name__ == "__main__":
    main()
