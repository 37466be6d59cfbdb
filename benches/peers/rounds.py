"""What `step` and `infer` share: cells, programs that are run in turn, and how their figures are told."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from common import KEEP_HEAP, ROOT, lock_versions

HERE = Path(__file__).parent
NETS = ROOT / "target/peers-nets"
STAMPNET = ROOT / "target/release/stampnet"
PYTHON = {peer: ROOT / f"target/peers-{peer}/bin/python" for peer in ("torch", "keras")}
# Where `benches/peers/rust` leaves what it builds.
RUST = ROOT / "target/peers-rust/release"

# What PyTorch and oneDNN read, and what StampNet reads.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "STAMPNET_SIMD": "avx2"}


@dataclass(frozen=True)
class Cell:
    """What is measured, and how many times the best peer's speed StampNet should reach."""

    net: str
    precision: str
    batch: int
    threads: int
    target: float | None = None
    level: str = ""

    def __str__(self):
        threads = f"{self.threads} threads" if self.threads > 1 else "1 thread"
        return f"{self.net}, {self.precision}, batch {self.batch}, {threads}" + (f", {self.level}" if self.level else "")


def measured(command, cores, environment=None):
    """Runs a program that ends with a line of JSON: that line, with the peak of its memory in MiB."""
    environment = os.environ | KEEP_HEAP | (environment or {}) | {
        "PEERS_STARTED": repr(time.time()), "OMP_NUM_THREADS": str(len(cores)), "RAYON_NUM_THREADS": str(len(cores)),
    }
    words = [str(word) for word in command]
    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=err, text=True, env=environment, cwd=ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            err.seek(0)
            sys.exit(f"{' '.join(words)} failed:\n{err.read()[-2000:]}")
    return json.loads(out.splitlines()[-1]) | {"peak_mib": round(usage.ru_maxrss / 1024, 1)}


def offers(subcommand, option):
    """Whether `stampnet bench SUBCOMMAND` has an option."""
    run = subprocess.run([STAMPNET, "bench", subcommand, "--help"], capture_output=True, text=True, check=True)
    return option in run.stdout


def compare(cell, sides, count):
    """Measures every side in turn, `count` times, and prints the cell's line; `stampnet` is one of the sides."""
    rounds = {who: [] for who in sides}
    for _ in range(count):
        for who, measure in sides.items():
            rounds[who].append(measure())
    parameters = {who: of[0]["parameters"] for who, of in rounds.items() if "parameters" in of[0]}
    if len(set(parameters.values())) > 1:
        sys.exit(f"{cell}: the networks differ; they have these numbers of parameters: {parameters}")
    medians = {
        key: {who: statistics.median(one[key] for one in of) for who, of in rounds.items() if key in of[0]}
        for key in ("images_per_s", "first_step_s", "peak_mib")
    }
    rates = medians["images_per_s"]
    best = max((who for who in rates if who != "stampnet"), key=rates.get, default=None)
    line = {
        "cell": str(cell), "net": cell.net, "precision": cell.precision, "batch": cell.batch, "threads": cell.threads,
        "level": cell.level, "parameters": parameters.get("stampnet"), "target": cell.target, "best": best,
        "ratio": round(rates["stampnet"] / rates[best], 3) if best else None,
    }
    line |= {key: of for key, of in medians.items() if of} | {"rounds": rounds}
    print_line(line)
    return line


def print_head(what):
    print(f"{what:44}{'StampNet':>10}{'peer':>10}{'ratio':>7}{'target':>8}")


def print_line(line):
    rates, best = line["images_per_s"], line["best"]
    print(f"{line['cell']:44}{rates['stampnet']:>10,.0f}", end="")
    if best:
        print(f"{rates[best]:>10,.0f}{line['ratio']:7.2f}{verdict(line['target'], line['ratio'])}  {best}", end="")
    others = [f"{who} {rate:,.0f}" for who, rate in rates.items() if who not in ("stampnet", best)]
    print(f"; {', '.join(others)}" if others else "", flush=True)


def is_met(target, value, most=False):
    return value <= target if most else value >= target


def verdict(target, value, most=False):
    if target is None:
        return " " * 15
    return f"{target:8.2f} {'met' if is_met(target, value, most) else 'missed':6}"


def versions(lines):
    """The version of every peer that took part, taken out of the rounds."""
    found, rust = {}, lock_versions()
    for line in lines:
        for who, rounds in line["rounds"].items():
            peer = who.split()[0]
            for one in rounds:
                if version := one.pop("version", rust.get(peer)):
                    found[peer] = version
    return found
