"""Writes the networks of the comparisons as Keras describes them: `python nets.py FOLDER` leaves a JSON file for each.

StampNet reads these files (`--model FILE`), Keras too, and twin.py makes PyTorch's modules of them, so that all train the
same layers; the number of parameters that each finds is compared. Needs: tensorflow-cpu.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras import layers


def cnn():
    """The reference model: what `stampnet train` trains."""
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dense(100, activation="relu"), layers.Dropout(0.4), layers.Dense(10, activation="softmax"),
    ])


def conv(x, filters, size=3, strides=1, relu=True):
    """A convolution with batch normalization."""
    x = layers.Conv2D(filters, size, strides, "same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(x) if relu else x


def classifier(x):
    return layers.Dense(10, activation="softmax")(x)


def vgg():
    """Three blocks of two convolutions and a maximum pooling."""
    image = x = keras.Input((28, 28, 1))
    for filters in (32, 64, 128):
        x = layers.MaxPooling2D(2)(conv(conv(x, filters), filters))
    return keras.Model(image, classifier(layers.Dropout(0.4)(layers.Flatten()(x))))


def resnet():
    """20 layers in three stages of three blocks with shortcuts."""
    image = keras.Input((32, 32, 3))
    x = conv(image, 16)
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if block == 0 and filters > 16 else 1
            shortcut = conv(x, filters, 1, strides, relu=False) if strides > 1 else x
            y = conv(conv(x, filters, 3, strides), filters, relu=False)
            x = layers.Activation("relu")(layers.Add()([y, shortcut]))
    return keras.Model(image, classifier(layers.GlobalAveragePooling2D()(x)))


def mobilenet():
    """A convolution, then four depthwise-separable ones."""
    image = keras.Input((28, 28, 1))
    x = conv(image, 32)
    for filters, strides in ((64, 2), (64, 1), (128, 2), (128, 1)):
        x = layers.DepthwiseConv2D(3, strides, "same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = conv(x, filters, 1)
    return keras.Model(image, classifier(layers.GlobalAveragePooling2D()(x)))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for net in (cnn, vgg, resnet, mobilenet):
        (folder / f"{net.__name__}.json").write_text(net().to_json())
