"""Times of single layers, StampNet beside PyTorch (oneDNN), in turn, in one run.

Run:  benches/peers/compare layers [--threads 1,2] [--batch own,1] [--precision float32] [--rounds 5] [--seconds 0.1] [--only TEXT]
                            [--record]

Every cell (layer, batch, pass, thread count) is timed in rounds: StampNet, PyTorch in NCHW, PyTorch in channels_last, and
again. A figure is the median of the rounds' medians; PyTorch's is that of its faster layout. Both sides are pinned to the
same cores, and PyTorch's allocator is told to keep its memory: glibc would otherwise hand large buffers back to the kernel
at each call, which can cost PyTorch two thirds of its speed. A ratio is StampNet's time over PyTorch's: below 1 is ahead.
"of peak" is the share of the measured peak of multiply-adds, counting those of the definition: algorithms that need fewer
can be above 100 %. With `--precision bfloat16`, convolutions alone are timed, and the share is still that of float32's peak.
"""

import argparse
import math
import os
import statistics
import sys
import time

from common import CONVS, KEEP_HEAP, POOLS, ROOT, Program, geometric_mean, name, write_record


def parse_args():
    p = argparse.ArgumentParser(
        prog="benches/peers/compare layers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--threads", default="1,2", help="thread counts, with commas between")
    p.add_argument("--batch", default="own,1", help="batch sizes, with commas between; 'own' is that of the list")
    p.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="of images; PyTorch's weights too")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=0.1, help="of one measurement")
    p.add_argument("--only", default="", help="only cells whose name contains this")
    p.add_argument("--record", action="store_true", help="write benches/record/DATE-layers-COMMIT.json")
    return p.parse_args()


args = parse_args()
if not KEEP_HEAP.keys() <= os.environ.keys():
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_HEAP)

import torch

DTYPE = getattr(torch, args.precision)
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


class Threads:
    """A number of threads: as many cores, StampNet on them, and PyTorch told to keep to them."""

    def __init__(self, count, cores):
        self.count, self.cores = count, cores[:count]
        self.stampnet = Program([ROOT / "target/release/examples/cells"], self.cores)
        self.peak = self.stampnet.ask("peak")["gflops"]

    def enter(self):
        os.sched_setaffinity(0, self.cores)
        torch.set_num_threads(self.count)


def median_ms(call):
    call(), call()
    times, end = [], time.perf_counter() + args.seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def torch_conv(spec, name_of_pass, layout):
    n, h, w, c, oc, k, stride, pad, groups = spec
    x = torch.randn(n, c, h, w).to(DTYPE).contiguous(memory_format=layout)
    f = torch.randn(oc, c // groups, k, k).to(DTYPE).contiguous(memory_format=layout)
    b = torch.randn(oc).to(DTYPE)
    conf = ([stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups)
    forward = lambda: torch.ops.aten.convolution(x, f, b, *conf)
    if name_of_pass == "forward":
        return forward
    dy = torch.randn_like(forward())
    mask = [name_of_pass == "grad_input", name_of_pass == "grad_weight", False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, f, [oc], *conf, mask)


def torch_pool(op, spec, name_of_pass, layout):
    n, h, w, c, k, stride, pad = spec
    x = torch.randn(n, c, h, w).contiguous(memory_format=layout)
    conf = ([k] * 2, [stride] * 2, [pad] * 2)
    aten = torch.ops.aten
    if op == "max_pool":
        forward = lambda: aten.max_pool2d_with_indices(x, *conf)
        y, where = forward()
        dy = torch.randn_like(y)
        backward = lambda: aten.max_pool2d_with_indices_backward(dy, x, *conf, [1, 1], False, where)
    else:
        forward = lambda: aten.avg_pool2d(x, *conf)
        dy = torch.randn_like(forward())
        backward = lambda: aten.avg_pool2d_backward(dy, x, *conf, False, True, None)
    return forward if name_of_pass == "forward" else backward


def cells(batch):
    for spec in CONVS:
        spec = spec if batch == "own" else (int(batch), *spec[1:])
        for name_of_pass in ("forward", "grad_input", "grad_weight"):
            op = "conv" if DTYPE == torch.float32 else "conv_bf16"
            yield op, spec, name_of_pass, lambda layout, s=spec, p=name_of_pass: torch_conv(s, p, layout)
    for spec in POOLS if DTYPE == torch.float32 else []:
        spec = spec if batch == "own" else (int(batch), *spec[1:])
        for op in ("max_pool", "avg_pool"):
            for name_of_pass in ("forward", "backward"):
                yield op, spec, name_of_pass, lambda layout, o=op, s=spec, p=name_of_pass: torch_pool(o, s, p, layout)


def gflop(spec):
    n, h, w, c, oc, k, stride, pad, groups = spec
    outputs = [(size + 2 * pad - k) // stride + 1 for size in (h, w)]
    return 2e-9 * n * math.prod(outputs) * k * k * c * oc / groups


def measure(threads, op, spec, name_of_pass, calls):
    threads.enter()
    times = {"stampnet": [], **{layout: [] for layout in LAYOUTS}}
    for _ in range(args.rounds):
        answer = threads.stampnet.ask(op, spec, name_of_pass, args.seconds)
        times["stampnet"].append(answer["ms"])
        for layout, call in calls.items():
            times[layout].append(median_ms(call))
        # PyTorch's threads spin for a while after their last task.
        time.sleep(0.02)
    median = {who: statistics.median(ms) for who, ms in times.items()}
    best = min(LAYOUTS, key=median.get)
    line = {
        "cell": name(op, spec), "op": op, "spec": spec, "pass": name_of_pass, "algorithm": answer["algorithm"],
        "threads": threads.count, "stampnet_ms": round(median["stampnet"], 4), "torch_ms": round(median[best], 4),
        "torch_layout": best, "ratio": round(median["stampnet"] / median[best], 4),
        "rounds": {who: [round(t, 4) for t in ms] for who, ms in times.items()},
    }
    if op.startswith("conv"):
        line["of_peak"] = round(gflop(spec) / median["stampnet"] * 1e3 / threads.peak, 4)
    return line


def compare(batch, all_threads):
    """Prints a row for each layer and pass, with a group of columns for each number of threads."""
    heads = [f"{f'{t.count} T: ms':>10}{'PyTorch':>9}{'ratio':>7}{'of peak':>9}" for t in all_threads]
    print(f"\n{'batch ' + batch:43}" + "".join(heads))
    lines = []
    for op, spec, name_of_pass, make in cells(batch):
        if args.only not in name(op, spec):
            continue
        calls = {layout: make(form) for layout, form in LAYOUTS.items()}
        row = [measure(threads, op, spec, name_of_pass, calls) | {"batch": batch} for threads in all_threads]
        lines += row
        print(f"{row[0]['cell']:31}{name_of_pass:12}", end="")
        for line in row:
            share = f"{line['of_peak']:9.0%}" if "of_peak" in line else " " * 9
            print(f"{line['stampnet_ms']:10.3f}{line['torch_ms']:9.3f}{line['ratio']:7.2f}{share}", end="")
        print(f"  {row[0]['algorithm']}, {row[0]['torch_layout']}", flush=True)
    return lines


def speed_ups(lines):
    """How many times as fast as on one thread, of cells that take more than 1 ms there: (times, line), slowest first."""
    key = lambda line: (line["cell"], line["pass"])
    alone = {key(line): line["stampnet_ms"] for line in lines if line["threads"] == 1}
    many = [line for line in lines if line["threads"] > 1 and alone.get(key(line), 0) > 1]
    return sorted(((alone[key(line)] / line["stampnet_ms"], line) for line in many), key=lambda pair: pair[0])


def summary(lines):
    """Geometric means, and the cells that miss what StampNet wants: at most 1.05, and 1.9 times as fast on two threads."""
    means = {}
    for line in lines:
        means.setdefault(f"batch {line['batch']}, {line['threads']} threads", []).append(line)
    behind = [line for line in lines if line["ratio"] > 1.05]
    slow = [(times, line) for times, line in speed_ups(lines) if times < 0.95 * line["threads"]]
    tell = lambda line: f"{line['cell']} {line['pass']}, {line['threads']} threads"
    return {
        "geometric_mean": {
            group: round(geometric_mean(line["ratio"] for line in of), 4) for group, of in means.items()
        },
        "cells": len(lines),
        "cells_above_1.05": {tell(line): line["ratio"] for line in sorted(behind, key=lambda l: -l["ratio"])},
        "cells_above_1_ms_with_slow_threads": {tell(line): round(times, 2) for times, line in slow},
        "slowest_threads": round(min((times for times, _ in speed_ups(lines)), default=math.nan), 2),
    }


def print_summary(sums):
    print()
    for group, mean in sums["geometric_mean"].items():
        print(f"geometric mean, {group}: {mean:.3f}")
    behind, slow = sums["cells_above_1.05"], sums["cells_above_1_ms_with_slow_threads"]
    print(f"cells above 1.05: {len(behind)} of {sums['cells']}")
    for cell, ratio in behind.items():
        print(f"  {ratio:.2f}  {cell}")
    print(f"2 threads / 1 thread on cells above 1 ms: at least {sums['slowest_threads']} times as fast; below 1.9: {len(slow)}")
    for cell, times in slow.items():
        print(f"  {times:.2f}  {cell}")


def main():
    cores = sorted(os.sched_getaffinity(0))
    torch.manual_seed(0)
    all_threads = [Threads(int(count), cores) for count in args.threads.split(",")]
    for threads in all_threads:
        print(f"{threads.count} T: peak of {threads.peak:.0f} GFLOP/s (measured)")
    lines = []
    with torch.inference_mode():
        for batch in args.batch.split(","):
            lines += compare(batch, all_threads)
    for threads in all_threads:
        threads.stampnet.end()
    os.sched_setaffinity(0, cores)
    if lines:
        print_summary(summary(lines))
    if args.record and lines:
        peaks = {threads.count: threads.peak for threads in all_threads}
        facts = {"torch": torch.__version__, "peak_gflops": peaks, "summary": summary(lines), "cells": lines}
        write_record("layers" if DTYPE == torch.float32 else "layers-bf16", facts)


if __name__ == "__main__":
    main()
