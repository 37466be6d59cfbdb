"""What the comparisons share: the layers, programs that are asked for times, and the facts that a record states."""

import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "datasets/fashion-mnist"

# glibc hands large buffers back to the kernel at each call otherwise, which can cost a framework two thirds of its speed.
KEEP_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(8 << 30), "MALLOC_TOP_PAD_": str(256 << 20)}

# n, h, w, c, oc, k, stride, padding on each side, groups
CONVS = [
    (128, 28, 28, 1, 32, 3, 1, 1, 1),
    (128, 14, 14, 32, 64, 3, 1, 1, 1),
    (128, 28, 28, 32, 32, 3, 1, 1, 1),
    (32, 56, 56, 64, 64, 3, 1, 1, 1),
    (32, 28, 28, 128, 128, 3, 1, 1, 1),
    (32, 14, 14, 256, 256, 3, 1, 1, 1),
    (32, 7, 7, 512, 512, 3, 1, 1, 1),
    (32, 56, 56, 64, 128, 1, 1, 0, 1),
    (32, 56, 56, 64, 128, 3, 2, 1, 1),
    (8, 112, 112, 32, 32, 3, 1, 1, 32),
    (1, 224, 224, 3, 64, 7, 2, 3, 1),
    (32, 28, 28, 64, 64, 5, 1, 2, 1),
]
# n, h, w, c, k, stride, padding on each side
POOLS = [(128, 28, 28, 32, 2, 2, 0), (128, 28, 28, 32, 3, 2, 0)]


def name(op, spec):
    if op == "model":
        return f"the network, batch {spec[0]}"
    n, h, w, c = spec[:4]
    if op.startswith("conv"):
        oc, k, stride, pad, groups = spec[4:]
        kind = "depthwise" if groups == c and groups > 1 else f"->{oc}"
        return f"{n}x{h}x{w}x{c}{kind} {k}x{k}" + (f" s{stride}" if stride > 1 else "") + f" p{pad}"
    return f"{op} {n}x{h}x{w}x{c} {spec[4]}x{spec[4]} s{spec[5]}"


class Program:
    """A program that answers lines of JSON with times: StampNet's `cells`, or one of the peers in Rust."""

    def __init__(self, command, cores):
        self.name = Path(command[0]).name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | KEEP_HEAP | {"RAYON_NUM_THREADS": str(len(cores))},
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def ask(self, op, spec=(), name_of_pass="", seconds=0.1):
        request = {"op": op, "spec": spec, "pass": name_of_pass, "seconds": seconds}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.name} ended: see its message above")
        return json.loads(answer)

    def end(self):
        """Ends it, and gives the peak of its memory in MiB."""
        self.process.stdin.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return round(usage.ru_maxrss / 1024, 1)


def started():
    """When the program that called this one started it, in seconds since 1970."""
    return float(os.environ["PEERS_STARTED"])


def geometric_mean(ratios):
    return math.exp(statistics.fmean(map(math.log, ratios)))


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def lock_versions():
    """The version of each peer in Rust, from its lock file."""
    crates = {"burn": ("burn", "burn"), "candle": ("candle", "candle-core"), "rten": ("infer", "rten"), "tract": ("infer", "tract-core")}
    found = {}
    for peer, (folder, crate) in crates.items():
        lock = (ROOT / f"benches/peers/{folder}/Cargo.lock").read_text().splitlines()
        found[peer] = lock[lock.index(f'name = "{crate}"') + 1].split('"')[1]
    return found


def cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def command():
    """What starts the script that runs."""
    script = Path(sys.argv[0]).stem
    return "benches/peers/rust" if script == "rust" else f"benches/peers/compare {script}"


def write_record(kind, facts):
    """Writes benches/record/DATE-KIND-COMMIT.json with `facts` and those of machine, commit and compiler."""
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    dirty = "-dirty" if output_of("git", "status", "--porcelain", "--untracked-files=no") else ""
    date = datetime.date.today().isoformat()
    record = {
        "date": date, "commit": commit + dirty, "cpu": cpu(), "cores": len(os.sched_getaffinity(0)),
        "rustc": output_of("rustc", "--version"), "python": platform.python_version(),
        "command": " ".join([command(), *sys.argv[1:]]),
    } | facts
    path = ROOT / f"benches/record/{date}-{kind}-{commit}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nrecorded in {path.relative_to(ROOT)}")
