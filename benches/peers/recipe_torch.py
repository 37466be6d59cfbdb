"""Trains the twin of a recipe in PyTorch: `benches/peers/compare recipes` calls this, with the settings file of `stampnet train`.

One line of JSON is printed: the test accuracy of the last epoch and the seconds that training took. What a settings file can
say and this cannot is refused. PyTorch runs in its best setting: channels_last, a fused optimizer, bfloat16 by autocast. Weight
decay is Keras's: it does not go through the momentum. Needs: torch, numpy.
"""

import argparse
import json
import math
import time
from pathlib import Path

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("settings", type=Path)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--threads", type=int, default=2)
p.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
p.add_argument("--epochs", type=int, help="instead of the file's")
p.add_argument("--progress", action="store_true", help="print the test accuracy after each epoch")
args = p.parse_args()

import torch
import torch.nn.functional as F

import idx
import twin

KNOWN = {"model", "optimizer", "loss", "epochs", "batch", "seed", "validation_split", "patience", "precision", "winograd"}


def described(value):
    """Class and arguments of what Keras's JSON describes by an object or a name alone."""
    return (value, {}) if isinstance(value, str) else (value["class_name"], value["config"])


def schedule(rate, steps):
    """The learning rate by step."""
    if not isinstance(rate, dict):
        return lambda step: rate
    kind, config = described(rate)
    half = lambda part: 0.5 + 0.5 * math.cos(math.pi * part)
    if kind == "OneCycle":
        top, steps = config["max_learning_rate"], config.get("total_steps", steps)
        first = top / config.get("div_factor", 25)
        last, rise = first / config.get("final_div_factor", 1e4), config.get("pct_start", 0.3) * steps - 1
        fall = steps - 1 - rise
        return lambda step: (
            top + (first - top) * half(step / rise) if step < rise else last + (top - last) * half((step - rise) / fall)
        )
    if kind == "CosineDecay":
        warm, first = config.get("warmup_steps", 0), config["initial_learning_rate"]
        top, least = config.get("warmup_target", first), config.get("alpha", 0.0)
        fall = config.get("decay_steps", steps - warm)
        return lambda step: (
            first + (top - first) * step / warm if step < warm
            else top * (least + (1 - least) * half(min(1, (step - warm) / fall)))
        )
    raise ValueError(f"schedule {kind} has no twin yet")


def named_as_keras(model):
    """Every weight with the last part of its name in Keras."""
    for module in model.modules():
        normalizes = isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        names = {"weight": "gamma", "bias": "beta"} if normalizes else {"weight": "kernel", "bias": "bias"}
        for name, weight in module.named_parameters(recurse=False):
            yield names[name], weight


class Optimizer:
    """PyTorch's optimizer with Keras's weight decay, schedule and average of weights."""

    def __init__(self, settings, model, steps):
        kind, config = described(settings)
        self.rate = schedule(config.get("learning_rate", 0.001), steps)
        self.step_count, self.decay = 0, config.get("weight_decay") or (0.004 if kind == "AdamW" else 0)
        without = config.get("exclude_from_weight_decay", [])
        self.all = list(model.parameters())
        self.decayed = [weight for name, weight in named_as_keras(model) if name not in without]
        if kind == "SGD":
            momentum, nesterov = config.get("momentum", 0), config.get("nesterov", False)
            self.inner = torch.optim.SGD(self.all, lr=1, momentum=momentum, nesterov=nesterov, fused=True)
        elif kind in ("Adam", "AdamW"):
            betas = config.get("beta_1", 0.9), config.get("beta_2", 0.999)
            self.inner = torch.optim.Adam(self.all, lr=1, betas=betas, eps=config.get("epsilon", 1e-7), fused=True)
        else:
            raise ValueError(f"optimizer {kind} has no twin yet")
        self.momentum = config.get("ema_momentum", 0.99) if config.get("use_ema") else None
        self.averages = None

    @torch.no_grad()
    def step(self):
        rate = self.rate(self.step_count)
        for group in self.inner.param_groups:
            group["lr"] = rate
        if self.decay:
            torch._foreach_mul_(self.decayed, 1 - rate * self.decay)
        self.inner.step()
        self.inner.zero_grad()
        self.step_count += 1
        if self.momentum is not None and self.averages is None:
            self.averages = [weight.detach().clone() for weight in self.all]
        elif self.averages:
            torch._foreach_lerp_(self.averages, self.all, 1 - self.momentum)

    @torch.no_grad()
    def swap(self):
        """Exchanges the weights with their averages, if there are some."""
        for weight, average in zip(self.all, self.averages or ()):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)


def images(kind):
    x, y = idx.read(kind)
    x = torch.from_numpy(x[:, None].astype("float32") / 255).contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(y.astype("int64"))


def accuracy(model, x, y):
    model.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, args.precision == "bfloat16"):
        right = sum((model(x[i : i + 500]).argmax(1) == y[i : i + 500]).sum().item() for i in range(0, len(x), 500))
    model.train()
    return right / len(x)


def network(model):
    """The twin of the settings' model, which is described there or in a file beside them."""
    if isinstance(model, str):
        model = json.loads((args.settings.parent / model).read_text())
    return twin.module(model).to(memory_format=torch.channels_last)


def main():
    settings = json.loads(args.settings.read_text())
    if unknown := settings.keys() - KNOWN:
        raise ValueError(f"these settings have no twin yet: {', '.join(sorted(unknown))}")
    if settings.get("validation_split") != 0:
        raise ValueError("a recipe trains on all images: 'validation_split' must be 0")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    (x, y), test = images("train"), images("t10k")
    model, batch, epochs = network(settings["model"]), settings["batch"], args.epochs or settings["epochs"]
    per_epoch = -(-len(x) // batch)
    optimizer = Optimizer(settings["optimizer"], model, per_epoch * epochs)
    smoothing = described(settings["loss"])[1].get("label_smoothing", 0)
    start = time.perf_counter()
    for epoch in range(epochs):
        for pick in torch.randperm(len(x)).split(batch):
            with torch.autocast("cpu", torch.bfloat16, args.precision == "bfloat16"):
                logits = model(x[pick])
            loss = F.cross_entropy(logits.float(), y[pick], label_smoothing=smoothing)
            loss.backward()
            optimizer.step()
        if args.progress:
            seconds, plain = time.perf_counter() - start, accuracy(model, *test)
            optimizer.swap()
            print(f"epoch {epoch + 1}: loss {loss:.4f}, test {plain:.4f}, {accuracy(model, *test):.4f} averaged, {seconds:.0f} s", flush=True)
            optimizer.swap()
    seconds = time.perf_counter() - start
    optimizer.swap()
    print(json.dumps({
        "test_accuracy": accuracy(model, *test), "seconds": round(seconds, 2), "epochs": epochs,
        "parameters": twin.parameters(model), "version": torch.__version__.split("+")[0],
    }))


if __name__ == "__main__":
    main()
