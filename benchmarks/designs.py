"""Designs of the network, side by side: each trained for as many minutes on the same pieces.

    python benchmarks/designs.py OUT --pieces RUN/pieces --dev-set DIR [--minutes 6] [--only NAME]

Pieces are those that ``drum2midi train`` rendered. Every design begins from chance, trains on
one thread and is scored on the dev set with the best thresholds for it, without heeding what
repeats. OUT gets a line of JSON for each that is done; those are not done again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import typer
from keras import layers, ops

from drum2midi.drums import SCORING_CLASSES
from drum2midi.features import FeatureSettings
from drum2midi.model import Activations, split_outputs
from drum2midi.training.examples import batches
from drum2midi.training.network import ACTIVATIONS, OUTPUTS, NetworkSettings, build_network, loss
from drum2midi.training.tune import tune

FEATURES = FeatureSettings()
RATE = 2e-3
BATCH = 16
CLASSES = len(SCORING_CLASSES)
Batch = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Design:
    """A network and how it is taught.

    Attributes
    ----------
    about : str
    build : callable
        Makes the networks, which share the minutes evenly; the output is their mean.
    loss : callable
    teach : callable
        What a batch becomes before it is learnt from.
    """

    about: str
    build: Callable[[], list[Any]]
    loss: Callable[[Any, Any], Any] = loss
    teach: Callable[[np.ndarray, np.ndarray], Batch] = lambda x, y: (x, y)


def front(x: Any, filters: tuple[int, ...]) -> Any:
    """The convolutions over time and frequency that all designs begin with."""
    x = layers.Reshape((-1, FEATURES.bands, 1))(x)
    for index, count in enumerate(filters):
        size = (3, 5) if index == 0 else (3, 3)
        x = layers.Conv2D(count, size, strides=(1, 2), padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    return over_time(x, 128)


def over_time(x: Any, channels: int, *, dilation: int = 1) -> Any:
    """A convolution over time."""
    x = layers.Conv1D(channels, 3, padding="same", dilation_rate=dilation, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def finish(features: Any, x: Any) -> Any:
    """A network from what it begins and ends with."""
    x = layers.Dropout(0.2)(x)
    return keras.Model(features, layers.Dense(OUTPUTS, activation="sigmoid")(x))


def frame_wise() -> Any:
    """Sees 11 frames and no more."""
    features = keras.Input((None, FEATURES.bands))
    return finish(features, over_time(front(features, (20, 28, 36)), 256))


def dilated() -> Any:
    """Residual convolutions over time, each looking twice as far: 1.3 s each way."""
    features = keras.Input((None, FEATURES.bands))
    x = near = front(features, (20, 28, 36))
    for power in range(7):
        x = layers.Add()([x, over_time(x, 128, dilation=2**power)])
    return finish(features, layers.Concatenate()([near, x]))


def two_scales() -> Any:
    """Beside the spectrum as it is, one four times as coarse in time."""
    features = keras.Input((None, FEATURES.bands))
    fine = front(features, (20, 28, 36))
    coarse = layers.AveragePooling1D(4, strides=1, padding="same")(features)
    both = layers.Concatenate()([fine, front(coarse, (12, 16, 24))])
    context = layers.Bidirectional(layers.GRU(96, return_sequences=True))(both)
    return finish(features, layers.Concatenate()([both, context]))


def recurrent(settings: NetworkSettings | None = None) -> Any:
    """The network that `drum2midi train` makes, or another of its kind."""
    return build_network(FEATURES.bands, settings)


def widths(power: float) -> Callable[[np.ndarray, np.ndarray], Batch]:
    """Bumps for onsets whose standard deviation is .8 frames over the root of `power`."""

    def teach(x: np.ndarray, y: np.ndarray) -> Batch:
        y = y.copy()
        y[..., :ACTIVATIONS] **= power
        return x, y

    return teach


def focal(truth: Any, output: Any) -> Any:
    """Focal loss (Lin et al., ICCV 2017), gamma 2: what is nearly right weighs little."""
    p = ops.clip(output[..., :ACTIVATIONS], 1e-6, 1.0 - 1e-6)
    t, w = truth[..., :ACTIVATIONS], truth[..., OUTPUTS : OUTPUTS + ACTIVATIONS]
    entropy = -w * (t * ops.log(p) + (1.0 - t) * ops.log(1.0 - p)) * 4.0 * (t - p) ** 2
    return ops.mean(entropy, axis=-1) + loss(truth, output) - loss_of_activations(truth, output)


def loss_of_activations(truth: Any, output: Any) -> Any:
    """The part of the loss that focal loss takes the place of."""
    p = ops.clip(output[..., :ACTIVATIONS], 1e-6, 1.0 - 1e-6)
    t, w = truth[..., :ACTIVATIONS], truth[..., OUTPUTS : OUTPUTS + ACTIVATIONS]
    return ops.mean(-w * (t * ops.log(p) + (1.0 - t) * ops.log(1.0 - p)), axis=-1)


def evenly(truth: Any, output: Any) -> Any:
    """Cross-entropy without more weight on onsets."""
    split = OUTPUTS + ACTIVATIONS
    weight = ops.clip(truth[..., OUTPUTS:split], 0.0, 1.0)
    even = ops.concatenate([truth[..., :OUTPUTS], weight, truth[..., split:]], axis=-1)
    return loss(even, output)


def at_onsets(x: np.ndarray, y: np.ndarray) -> Batch:
    """What the second of two stages learns from: frames in which something begins."""
    y = y.copy()
    begins = y[..., :CLASSES].max(axis=-1, keepdims=True) > 0.4
    y[..., OUTPUTS:] *= begins
    return x, y


def two_stages(minutes: float, pieces: Path) -> Callable[[np.ndarray], Activations]:
    """Onsets first, of whatever drum; then what a patch around each holds."""

    def onset(x: np.ndarray, y: np.ndarray) -> Batch:
        y = y.copy()
        y[..., 0] = y[..., :CLASSES].max(axis=-1)
        y[..., 1:OUTPUTS] = 0.0
        # What cannot be heard of any drum teaches nothing, unless another is heard there.
        weights = y[..., OUTPUTS : OUTPUTS + CLASSES]
        unheard = (weights.min(axis=-1) == 0.0) & (y[..., 0] < 0.05)
        y[..., OUTPUTS] = np.where(unheard, 0.0, weights.max(axis=-1))
        y[..., OUTPUTS + 1 :] = 0.0
        return x, y

    first = train(Design("", lambda: [frame_wise()], teach=onset), minutes / 2, pieces)[0]
    second = train(Design("", lambda: [frame_wise()], teach=at_onsets), minutes / 2, pieces)[0]

    def listen(features: np.ndarray) -> Activations:
        begins = run(first, features)[:, :1]
        output = run(second, features)
        output[:, :ACTIVATIONS] *= begins
        return split_outputs(output, FEATURES.frame_rate)

    return listen


DESIGNS = {
    "recurrent": Design("CNN + GRU, as `drum2midi train` makes it", lambda: [recurrent()]),
    "small": Design(
        "CNN + GRU, smaller", lambda: [recurrent(NetworkSettings((16, 24, 32), 112, 72))]
    ),
    "frame-wise": Design("CNN, 11 frames of context", lambda: [frame_wise()]),
    "dilated": Design("CNN + dilated convolutions, 1.3 s each way", lambda: [dilated()]),
    "two-scales": Design("CNN at two time scales + GRU", lambda: [two_scales()]),
    "narrow": Design("labels .5 frames wide", lambda: [recurrent()], teach=widths(2.56)),
    "wide": Design("labels 1.2 frames wide", lambda: [recurrent()], teach=widths(0.44)),
    "focal": Design("focal loss", lambda: [recurrent()], loss=focal),
    "evenly": Design("no more weight on onsets", lambda: [recurrent()], loss=evenly),
    "ensemble": Design("mean of two, half the minutes each", lambda: [recurrent(), recurrent()]),
}
TWO_STAGES = "two-stages"


def train(design: Design, minutes: float, pieces: Path) -> list[Any]:
    """Train each of a design's networks for its share of the minutes."""
    models = design.build()
    for seed, model in enumerate(models):
        optimizer = keras.optimizers.Adam(RATE, clipnorm=1.0, use_ema=True, ema_momentum=0.99)
        model.compile(optimizer=optimizer, loss=design.loss)
        given = batches(pieces, FEATURES, batch=BATCH, seed=seed)
        model.train_on_batch(*design.teach(*next(given)))  # traced outside the minutes
        start, share, steps = time.process_time(), 60.0 * minutes / len(models), 0
        while (spent := time.process_time() - start) < share:
            cosine = 0.5 * (1.0 + np.cos(np.pi * spent / share))
            optimizer.learning_rate = RATE * min(1.0, 0.1 + steps / 40.0) * (0.01 + 0.99 * cosine)
            model.train_on_batch(*design.teach(*next(given)))
            steps += 1
        optimizer.finalize_variable_values(model.trainable_variables)
        print(f"  {steps} batches", flush=True)
    return models


def run(model: Any, features: np.ndarray) -> np.ndarray:
    """A network's output for a whole recording."""
    return np.array(model.predict(features[None], verbose=0)[0])


def main(
    out: Annotated[Path, typer.Argument(help="Gets a line of JSON for each design.")],
    pieces: Annotated[Path, typer.Option()],
    dev_set: Annotated[Path, typer.Option()],
    minutes: Annotated[float, typer.Option(help="CPU minutes for each.")] = 6.0,
    only: Annotated[list[str] | None, typer.Option(help="A design; repeatable.")] = None,
) -> None:
    """Train and score the designs that are not in OUT yet, and print the table."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    names = [*DESIGNS, TWO_STAGES]
    if unknown := set(only or ()) - set(names):
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(names)}")
    for name in only or names:
        known = out.read_text().splitlines() if out.is_file() else []
        if name in {json.loads(line)["name"] for line in known}:
            continue
        print(name, flush=True)
        keras.utils.set_random_seed(0)
        if name == TWO_STAGES:
            listen = two_stages(minutes, pieces)
            about = "onsets by one CNN, what they are by another"
            parameters = 2 * frame_wise().count_params()
        else:
            models = train(DESIGNS[name], minutes, pieces)
            about, parameters = DESIGNS[name].about, sum(m.count_params() for m in models)

            def listen(features: np.ndarray, models: list[Any] = models) -> Activations:
                mean = np.mean([run(model, features) for model in models], axis=0)
                return split_outputs(mean, FEATURES.frame_rate)

        _, scores = tune(listen, dev_set, FEATURES, recurrences=(0.0,))
        row = {"name": name, "about": about, "parameters": parameters, "minutes": minutes, **scores}
        with out.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
    for line in out.read_text().splitlines():
        row = json.loads(line)
        figures = (
            f"{row[folder]:.3f}" for folder in ("drums", "mix", "official-mix") if folder in row
        )
        print("|", " | ".join([row["about"], f"{row['parameters'] / 1000:.0f} k", *figures]), "|")


if __name__ == "__main__":
    typer.run(main)
