"""Inference in one peer, timed: `benches/peers/compare infer` calls this. One line of JSON is printed: the images/s of the
median of five parts. Needs what requirements-torch.txt lists.
"""

import argparse
import json
import statistics
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("peer", choices=["torch", "onnxruntime", "openvino"])
p.add_argument("--net", help="JSON file, for torch")
p.add_argument("--onnx", help="ONNX file, for the others")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--batch", type=int, default=128)
p.add_argument("--seconds", type=float, default=1)
p.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
p.add_argument("--layout", default="nhwc", choices=["nchw", "nhwc"], help="of torch")
p.add_argument("--compile", action="store_true", help="torch.compile")
args = p.parse_args()

import numpy as np

PARTS = 5


def torch_call():
    import torch

    import twin

    torch.set_num_threads(args.threads)
    with open(args.net) as file:
        config = json.load(file)
    network = twin.module(config).eval()
    x = torch.rand(args.batch, *twin.shape_of(config["config"]["layers"][0]["config"]))
    form = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}[args.layout]
    network, x = network.to(memory_format=form), x.contiguous(memory_format=form)
    if args.precision == "bfloat16":
        network, x = network.to(torch.bfloat16), x.to(torch.bfloat16)
    if args.compile:
        network = torch.compile(network)

    def call():
        with torch.inference_mode():
            return network(x)

    return call, torch.__version__.split("+")[0]


def onnxruntime_call():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    session = onnxruntime.InferenceSession(args.onnx, options, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    x = np.random.default_rng(0).random((args.batch, *image.shape[1:]), np.float32)
    return lambda: session.run(None, {image.name: x}), onnxruntime.__version__


def openvino_call():
    import openvino

    core = openvino.Core()
    model = core.read_model(args.onnx)
    shape = [args.batch, *(size.get_length() for size in list(model.input().get_partial_shape())[1:])]
    model.reshape({0: shape})
    precision = {"float32": "f32", "bfloat16": "bf16"}[args.precision]
    hints = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    x = np.random.default_rng(0).random(shape, np.float32)
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    return request.infer, openvino.__version__


def main():
    call, version = {"torch": torch_call, "onnxruntime": onnxruntime_call, "openvino": openvino_call}[args.peer]()
    for _ in range(20):
        call()
    rates = []
    for _ in range(PARTS):
        calls, start = 0, time.perf_counter()
        while time.perf_counter() < start + args.seconds / PARTS:
            call()
            calls += 1
        rates.append(calls * args.batch / (time.perf_counter() - start))
    print(json.dumps({"images_per_s": round(statistics.median(rates), 1), "version": version.split("-")[0]}))


if __name__ == "__main__":
    main()
