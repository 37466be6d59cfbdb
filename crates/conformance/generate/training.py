"""Losses of twenty training steps, for each optimizer, each loss, and what else enters a step."""

import json

import keras
import numpy as np
from keras import layers, losses, optimizers
from keras.optimizers import schedules

from draw import Draw

STEPS = 20
BATCH = 8
CLASSES = 3
IMAGE = (6, 5, 2)
UNIT = 2.0**-7

OPTIMIZERS = [
    optimizers.SGD(),
    optimizers.SGD(0.1),
    optimizers.SGD(0.05, momentum=0.9),
    optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    optimizers.SGD(0.1, weight_decay=0.05),
    optimizers.RMSprop(),
    optimizers.RMSprop(0.01, rho=0.8),
    optimizers.RMSprop(0.01, momentum=0.5),
    optimizers.RMSprop(0.01, centered=True),
    optimizers.Adam(),
    optimizers.Adam(0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-5),
    optimizers.Adam(0.01, amsgrad=True),
    optimizers.AdamW(),
    optimizers.AdamW(0.01, weight_decay=0.1),
    optimizers.Nadam(),
    optimizers.Nadam(0.01, beta_1=0.8),
    optimizers.Adagrad(),
    optimizers.Adagrad(0.05, initial_accumulator_value=0.01),
    optimizers.Lion(),
    optimizers.Lion(0.003, beta_1=0.8, beta_2=0.95),
    optimizers.SGD(0.1, clipnorm=0.1),
    optimizers.SGD(0.1, clipvalue=0.02),
    optimizers.SGD(0.1, global_clipnorm=0.2),
    optimizers.Adam(0.01, clipnorm=0.05),
    optimizers.Adam(0.01, clipvalue=0.01),
    optimizers.Adam(0.01, global_clipnorm=0.1),
    optimizers.SGD(0.1, use_ema=True),
    optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8),
    optimizers.SGD(0.05, momentum=0.9, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3),
]

SCHEDULES = [
    schedules.ExponentialDecay(0.1, 5, 0.5),
    schedules.ExponentialDecay(0.1, 5, 0.5, staircase=True),
    schedules.CosineDecay(0.1, 15, alpha=0.1),
    schedules.CosineDecay(0.01, 12, warmup_target=0.1, warmup_steps=6),
    schedules.CosineDecayRestarts(0.1, 6, t_mul=1.5, m_mul=0.8),
    schedules.PiecewiseConstantDecay([4, 11], [0.1, 0.05, 0.01]),
    schedules.PolynomialDecay(0.1, 12, 0.01, power=2.0),
    schedules.PolynomialDecay(0.1, 7, 0.01, cycle=True),
    schedules.InverseTimeDecay(0.1, 5, 0.7),
    schedules.InverseTimeDecay(0.1, 5, 0.7, staircase=True),
]

# With the activation of the last layer.
LOSSES = [
    (losses.SparseCategoricalCrossentropy(), "softmax"),
    (losses.SparseCategoricalCrossentropy(from_logits=True), "linear"),
    (losses.CategoricalCrossentropy(), "softmax"),
    (losses.CategoricalCrossentropy(label_smoothing=0.2), "softmax"),
    (losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), "linear"),
    (losses.BinaryCrossentropy(), "sigmoid"),
    (losses.BinaryCrossentropy(label_smoothing=0.2), "sigmoid"),
    (losses.BinaryCrossentropy(from_logits=True), "linear"),
    (losses.MeanSquaredError(), "linear"),
    (losses.MeanAbsoluteError(), "linear"),
    (losses.Huber(), "linear"),
    (losses.Huber(delta=0.3), "linear"),
]

REGULARIZED = [
    {"kernel_regularizer": "l2"},
    {"kernel_regularizer": keras.regularizers.L1(0.02), "bias_regularizer": keras.regularizers.L2(0.1)},
    {"kernel_regularizer": keras.regularizers.L1L2(0.01, 0.05)},
    {"kernel_constraint": keras.constraints.MaxNorm(1.0, axis=[0, 1, 2])},
    {"kernel_constraint": keras.constraints.NonNeg(), "bias_constraint": keras.constraints.NonNeg()},
    {"kernel_constraint": keras.constraints.UnitNorm(axis=[0, 1, 2])},
    {"kernel_constraint": keras.constraints.MinMaxNorm(0.5, 1.0, rate=0.7, axis=[0, 1, 2])},
]


def network(activation, conv=None):
    return keras.Sequential(
        [
            keras.Input(IMAGE, dtype="float32"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="first", dtype="float32", **(conv or {})),
            layers.MaxPooling2D(2, name="pool", dtype="float32"),
            layers.BatchNormalization(momentum=0.9, name="norm", dtype="float32"),
            layers.Conv2D(3, 2, activation="relu", name="second", dtype="float32"),
            layers.Flatten(name="flatten", dtype="float32"),
            layers.Dense(CLASSES, activation=activation, name="last", dtype="float32"),
        ],
        name="small",
    )


def data(draw):
    """Images whose class shows in the mean of their quarters, and the labels."""
    n = STEPS * BATCH
    labels = draw.random.integers(0, CLASSES, n)
    x = draw.tensor((n, *IMAGE)).astype(int)
    for image, label in zip(x, labels):
        image[2 * label : 2 * label + 2] = image[2 * label : 2 * label + 2] // 4 * 2 + 63
    return x.astype(np.int8), labels


def targets(loss, labels):
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return labels
    return np.eye(CLASSES)[labels]


def plan():
    """What to train: kind, optimizer, loss, activation of the last layer, arguments of the first convolution."""
    crossentropy = LOSSES[0]
    for optimizer in OPTIMIZERS:
        yield "optimizer", optimizer, *crossentropy, None
    for schedule in SCHEDULES:
        yield "schedule", optimizers.SGD(schedule), *crossentropy, None
    for loss, activation in LOSSES:
        yield "loss", optimizers.SGD(0.1), loss, activation, None
    for conv in REGULARIZED:
        yield "regularized", optimizers.SGD(0.1), *crossentropy, conv


def cases():
    """Entries and arrays as store.write takes them. The data is that of all cases, stored with the first."""
    draw = Draw("training")
    x, labels = data(draw)
    entries, arrays = [], []
    for kind, optimizer, loss, activation, conv in plan():
        model = network(activation, conv)
        description = model.to_json()
        twin = keras.models.model_from_json(description.replace('"float32"', '"float64"'))
        begin = {w.path: draw.tensor(w.shape) for w in twin.weights}
        for weight in twin.weights:
            # Moving variances are positive; others reach to 1/2.
            values = np.abs(begin[weight.path]) if "variance" in weight.path else begin[weight.path]
            begin[weight.path] = values
            weight.assign(values * UNIT * (1 if "variance" in weight.path else 0.5))
        own = {f"weight.{name}": scaled(name, values) for name, values in begin.items()}
        twin.compile(type(optimizer).from_config(optimizer.get_config()), loss)
        curve = [step(twin, x, targets(loss, labels), i) for i in range(STEPS)]
        # Of weights that are averaged, the averages, as at the end of fit.
        twin.optimizer.finalize_variable_values(twin.trainable_weights)
        if not entries:
            own.update({"x": x, "labels": labels.astype(np.float32)})
        own["losses"] = np.array(curve, np.float32)
        own.update({f"after.{w.path}": np.asarray(w, np.float32) for w in twin.weights})
        entries.append(
            {
                "kind": kind,
                "model": json.loads(description),
                "optimizer": described(optimizer),
                "loss": described_loss(loss),
                "unit": UNIT,
                "batch": BATCH,
            }
        )
        arrays.append(own)
    return entries, arrays


def described(optimizer):
    """What Keras writes, under a name that does not count optimizers."""
    written = json.loads(json.dumps(optimizers.serialize(optimizer), default=float))
    written["config"]["name"] = written["class_name"].lower()
    return written


def described_loss(loss):
    """What Keras writes, and the number that it forgets."""
    written = losses.serialize(loss)
    if isinstance(loss, losses.Huber):
        written["config"]["delta"] = loss._fn_kwargs["delta"]
    return written


def scaled(path, values):
    return (values * UNIT * (1 if "variance" in path else 0.5)).astype(np.float32)


def step(model, x, y, i):
    rows = slice(i * BATCH, (i + 1) * BATCH)
    model.reset_metrics()
    return float(model.train_on_batch(x[rows].astype(np.float64) * UNIT, y[rows]))
