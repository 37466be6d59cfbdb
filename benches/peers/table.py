"""The tables of README.md, from records: `benches/peers/compare table` rewrites them, `--check` says whether they are up to date.

README.md names the records itself, in lines `<!-- record NAME -->`; what stands from there to `<!-- end -->` is replaced. To
show a newer record, change the name. Needs Python alone.
"""

import argparse
import json
import re
import sys

from common import ROOT

BLOCK = re.compile(r"(<!-- record (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
NETS = {
    "cnn": "reference model", "vgg": "VGG-like, batch normalization", "resnet": "ResNet of 20 layers, 32x32x3",
    "mobilenet": "MobileNet-like, depthwise separable",
}
PEERS = {"stampnet": "StampNet", "torch": "PyTorch", "openvino": "OpenVINO", "keras": "Keras"}


def peer(name):
    """As a reader knows it: 'torch nhwc' is PyTorch."""
    first = name.split()[0]
    return PEERS.get(first, first)


def counted(count, noun):
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def source(name, record):
    """Where the numbers are from."""
    versions = "; ".join(f"{peer(who)} {version}" for who, version in sorted(record.get("versions", {}).items()))
    if "torch" in record:
        versions = f"PyTorch {record['torch']}"
    return (
        f"\n{record['cpu']}, {counted(record['cores'], 'core')}, commit {record['commit']}, {record['rustc'].split(' (')[0]}; {versions}. "
        f"Every round is in [the record](benches/record/{name}.json); `{record['command']}` makes one for your machine.\n"
    )


def of_models(record, what):
    """A line for each cell: StampNet, the best peer, and how many times as fast."""
    rows = [f"| {what}, images/s | StampNet | best peer | ratio |", "| --- | ---: | ---: | ---: |"]
    for line in record["cells"]:
        rates, best = line["images_per_s"], line["best"]
        level = ", AVX2 only" if line["level"] else ""
        cell = f"{NETS[line['net']]}, {line['precision']}, batch {line['batch']}, {counted(line['threads'], 'thread')}{level}"
        theirs = f"{rates[best]:,.0f} ({peer(best)})"
        rows.append(f"| {cell} | {rates['stampnet']:,.0f} | {theirs} | {line['ratio']:.2f} |")
    return rows


def step(record):
    text = "\n".join(of_models(record, "training step")) + "\n"
    facts = [f"{name}: {fact['value']:.2f}{each(fact)}" for name, fact in record["summary"].items()]
    return text + "".join(f"\n- {fact[0].upper()}{fact[1:]}" for fact in facts) + "\n"


def each(fact):
    """What StampNet and each peer has, in the setting where it is least."""
    least = {}
    for who, value in fact.get("of", {}).items():
        least[peer(who)] = min(value, least.get(peer(who), value))
    return f" ({', '.join(f'{who} {value:,.4g}' for who, value in least.items())})" if least else ""


def infer(record):
    return "\n".join(of_models(record, "inference")) + "\n"


def layers(record):
    """The geometric means, and the farthest ahead and behind."""
    summary = record["summary"]
    rows = ["| geometric mean of the time over PyTorch's | |", "| --- | ---: |"]
    tell_group = lambda group: group.replace("batch own", "each layer at its own batch").replace("1 threads", "1 thread")
    rows += [f"| {tell_group(group)} | {mean:.2f} |" for group, mean in summary["geometric_mean"].items()]
    ordered = sorted(record["cells"], key=lambda line: line["ratio"])
    tell = lambda line: f"{line['cell']} {line['pass']}, {counted(line['threads'], 'thread')}"
    rows += [f"| the best of {summary['cells']} cells: {tell(ordered[0])} | {ordered[0]['ratio']:.2f} |"]
    rows += [f"| the worst: {tell(ordered[-1])} | {ordered[-1]['ratio']:.2f} |"]
    return "\n".join(rows) + "\n"


def block(name):
    record = json.loads((ROOT / f"benches/record/{name}.json").read_text())
    kind = next(kind for kind in (step, infer, layers) if f"-{kind.__name__}-" in name)
    return kind(record) + source(name, record)


def main():
    p = argparse.ArgumentParser(
        prog="benches/peers/compare table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a table differs from its record")
    args = p.parse_args()
    path = ROOT / "README.md"
    before = path.read_text()
    after = BLOCK.sub(lambda found: f"{found[1]}{block(found[2])}{found[3]}", before)
    if args.check:
        sys.exit(0 if before == after else "README.md differs from its records: run benches/peers/compare table")
    path.write_text(after)


if __name__ == "__main__":
    main()
