"""Training steps of a network in PyTorch, timed: `benches/peers/compare step` calls this.

A step gathers a shuffled batch, computes loss and gradients, and lets the fused Adam update the weights. One line of JSON is
printed: images/s of the median of five parts, and the seconds from the start of the process to the end of the first step,
imports and the reading of data included. Needs: torch, numpy.
"""

import argparse
import json
import statistics
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--net", required=True, help="JSON file")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--batch", type=int, default=128)
p.add_argument("--seconds", type=float, default=2)
p.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="bfloat16: autocast")
p.add_argument("--layout", default="nhwc", choices=["nchw", "nhwc"], help="nhwc: channels_last")
args = p.parse_args()

import torch
from torch import nn

import idx
import twin
from common import started

PARTS = 5


def main():
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with open(args.net) as file:
        config = json.load(file)
    shape = twin.shape_of(config["config"]["layers"][0]["config"])
    images, labels = idx.for_network((*shape[1:], shape[0]))
    x, y = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
    form = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}[args.layout]
    model, x = twin.module(config).to(memory_format=form), x.contiguous(memory_format=form)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    picks = iter(())

    def step():
        nonlocal picks
        pick = next(picks, None)
        if pick is None or len(pick) < args.batch:
            picks = iter(torch.randperm(len(x)).split(args.batch))
            pick = next(picks)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bfloat16"):
            loss = loss_of(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step()
    first = time.time() - started()
    for _ in range(10):
        step()
    rates = []
    for _ in range(PARTS):
        steps, start = 0, time.perf_counter()
        while time.perf_counter() < start + args.seconds / PARTS:
            loss = step()
            steps += 1
        rates.append(steps * args.batch / (time.perf_counter() - start))
    print(json.dumps({
        "images_per_s": round(statistics.median(rates), 1), "first_step_s": round(first, 3), "loss": round(loss.item(), 4),
        "parameters": twin.parameters(model), "version": torch.__version__.split("+")[0],
    }))


if __name__ == "__main__":
    main()
