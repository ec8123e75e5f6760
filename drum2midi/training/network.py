"""The network: plain Keras 3 layers, so that it trains under any Keras backend.

Output columns, in this order: the five scoring classes, then every drum of the
vocabulary (both activations), then every drum's velocity divided by 127.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from drum2midi.drums import DRUMS, SCORING_CLASSES

ACTIVATIONS: Final = len(SCORING_CLASSES) + len(DRUMS)
OUTPUTS: Final = ACTIVATIONS + len(DRUMS)


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network.

    Attributes
    ----------
    filters : tuple of int
        Channels of the convolutions over time and frequency; each halves the bands.
    context : int
        Channels of the convolution over time that follows.
    recurrent : int
        Units of a bidirectional GRU, each way.
    recurrent_layers : int
        Such GRUs, each listening to the one before.
    dropout : float
    """

    filters: tuple[int, ...] = (20, 28, 36)
    context: int = 128
    recurrent: int = 96
    recurrent_layers: int = 1
    dropout: float = 0.2


def build_network(bands: int, settings: NetworkSettings | None = None) -> Any:
    """A Keras model from log-mel frames to activations and velocities.

    Parameters
    ----------
    bands : int
        Mel bands of the features.
    settings : NetworkSettings, optional

    Returns
    -------
    keras.Model
        float32 (batch, frames, bands) -> float32 (batch, frames, OUTPUTS), 0 to 1.
    """
    import keras
    from keras import layers

    settings = settings or NetworkSettings()
    features = keras.Input((None, bands), name="features")
    x = layers.Reshape((-1, bands, 1))(features)
    for index, filters in enumerate(settings.filters):
        size = (3, 5) if index == 0 else (3, 3)
        x = layers.Conv2D(filters, size, strides=(1, 2), padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = layers.Conv1D(settings.context, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Dropout(settings.dropout)(x)
    # The recurrent layer sees the pattern; the skip keeps the attack itself sharp.
    context = x
    for _ in range(settings.recurrent_layers):
        gru = layers.GRU(settings.recurrent, return_sequences=True)
        context = layers.Bidirectional(gru)(context)
    x = layers.Concatenate()([x, context])
    x = layers.Dropout(settings.dropout)(x)
    activations = layers.Dense(OUTPUTS, activation="sigmoid", name="activations")(x)
    return keras.Model(features, activations, name="drum2midi")


def average(models: Sequence[Any]) -> Any:
    """One model whose output is the mean of several models' outputs.

    Networks that were trained apart err apart: their mean is better than the best of them.
    """
    import keras

    if len(models) == 1:
        return models[0]
    features = keras.Input(models[0].input_shape[1:], name="features")
    # The same layers under another name: two of one name cannot be parts of a third.
    members = [
        keras.Model(model.inputs[0], model.outputs[0], name=f"member_{i}")
        for i, model in enumerate(models)
    ]
    outputs = [member(features) for member in members]
    return keras.Model(features, keras.layers.Average(name="activations")(outputs))


def loss(truth: Any, output: Any) -> Any:
    """Weighted cross-entropy of the activations and squared error of the velocities.

    Parameters
    ----------
    truth : tensor (batch, frames, 2 * OUTPUTS)
        Targets in the order of the outputs, then their weights.
    output : tensor (batch, frames, OUTPUTS)

    Returns
    -------
    tensor (batch, frames)
    """
    from keras import ops

    target, weight = truth[..., :OUTPUTS], truth[..., OUTPUTS:]
    p = ops.clip(output[..., :ACTIVATIONS], 1e-6, 1.0 - 1e-6)
    t, w = target[..., :ACTIVATIONS], weight[..., :ACTIVATIONS]
    entropy = -w * (t * ops.log(p) + (1.0 - t) * ops.log(1.0 - p))
    error = weight[..., ACTIVATIONS:] * (target[..., ACTIVATIONS:] - output[..., ACTIVATIONS:]) ** 2
    return ops.mean(entropy, axis=-1) + 8.0 * ops.mean(error, axis=-1)
