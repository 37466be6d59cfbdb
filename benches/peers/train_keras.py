"""Training steps of a network in Keras on TensorFlow, timed: `benches/peers/compare step` calls this.

Model.fit runs on numpy arrays with Adam, shuffling and Keras's own choice of compilation, which is the fast one on a CPU.
One line of JSON is printed: images/s of the median epoch of three, and the seconds from the start of the process to the end
of the first step, imports, the reading of data and tracing included. Needs: tensorflow-cpu, numpy.
"""

import argparse
import json
import os
import statistics
import time

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--net", required=True, help="JSON file")
p.add_argument("--threads", type=int, default=2)
p.add_argument("--batch", type=int, default=128)
p.add_argument("--seconds", type=float, default=2)
p.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="bfloat16: mixed_bfloat16")
p.add_argument("--steps-per-execution", type=int, default=1)
args = p.parse_args()

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(args.threads)
tf.config.threading.set_inter_op_parallelism_threads(args.threads)
import keras

import idx
from common import started

EPOCHS = 3
# Enough to trace and to know the speed.
TRIAL = 8


class Clock(keras.callbacks.Callback):
    """Times each epoch, and the end of the very first step."""

    def __init__(self):
        super().__init__()
        self.first, self.epochs = None, []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.first = self.first or time.time() - started()

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(time.perf_counter() - self.start)


def network():
    with open(args.net) as file:
        config = json.load(file)
    if args.precision == "bfloat16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        for layer in config["config"]["layers"]:
            # The policy of this run, except that probabilities and loss stay float32.
            layer["config"].pop("dtype", None)
        config["config"]["layers"][-1]["config"]["dtype"] = "float32"
    return keras.models.model_from_json(json.dumps(config))


def main():
    keras.utils.set_random_seed(0)
    model, clock = network(), Clock()
    x, y = idx.for_network(model.input_shape[1:])
    model.compile(
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", steps_per_execution=args.steps_per_execution
    )

    def fit(steps, epochs):
        """Trains, and gives the images of an epoch and the seconds of each epoch."""
        clock.epochs, images = [], steps * args.batch
        times = -(-images // len(x))
        data = (x[:images], y[:images]) if times == 1 else (x.repeat(times, 0)[:images], y.repeat(times, 0)[:images])
        history = model.fit(*data, batch_size=args.batch, epochs=epochs, verbose=0, callbacks=[clock])
        return images, clock.epochs, history.history["loss"][-1]

    images, seconds, _ = fit(TRIAL, 2)
    steps = max(TRIAL, round(images / seconds[1] * args.seconds / EPOCHS / args.batch))
    images, seconds, loss = fit(steps, EPOCHS)
    print(json.dumps({
        "images_per_s": round(images / statistics.median(seconds), 1), "first_step_s": round(clock.first, 3),
        "loss": round(loss, 4), "parameters": model.count_params(),
        "version": f"{keras.__version__}, TensorFlow {tf.__version__}",
    }))


if __name__ == "__main__":
    main()
