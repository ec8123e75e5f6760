"""Targets: what the network should say in every frame of a labelled recording.

A label that leaves open which drum it was says so: the drums that it might be have no
weight at that place, and its class has. If it leaves open the class, no class of them has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from drum2midi.audio import stream_audio
from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.features import QUIET_FRAMES, FeatureSettings, in_silence, log_mel
from drum2midi.training.examples import CROP, POSITIVE_WEIGHT, TARGET_WIDTH, VELOCITY_WEIGHT
from drum2midi.training.network import ACTIVATIONS, OUTPUTS
from drum2midi.workshop.dataset import Entry
from drum2midi.workshop.material import Stroke

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Example:
    """One recording as the network sees it.

    Attributes
    ----------
    features : float16, shape (frames, bands)
    truth : float16, shape (frames, 2 * OUTPUTS)
        Targets in the order of the outputs, then their weights.
    """

    features: NDArray[np.float16]
    truth: NDArray[np.float16]


def example(entry: Entry, settings: FeatureSettings) -> Example:
    """Features and truth of a recording of a data set."""
    blocks = stream_audio(entry.audio, sample_rate=settings.sample_rate)
    # As recordings are listened to: its level would else be another, and its first stroke cut.
    features = log_mel(in_silence(blocks, settings), settings)
    quiet = QUIET_FRAMES / settings.frame_rate
    strokes = [replace(stroke, onset=quiet + stroke.onset) for stroke in entry.strokes]
    truth = frame_truth(strokes, len(features), settings.frame_rate)
    return Example(features.astype(np.float16), truth.astype(np.float16))


def frame_truth(strokes: Sequence[Stroke], frames: int, frame_rate: float) -> NDArray[np.float32]:
    """Targets and weights of every frame.

    Parameters
    ----------
    strokes : sequence of Stroke
    frames : int
    frame_rate : float
        Frames a second.

    Returns
    -------
    float32, shape (frames, 2 * OUTPUTS)
        An onset is a bump about two frames wide; see `drum2midi.training.network.loss`.
    """
    truth = np.zeros((frames, 2 * OUTPUTS), np.float32)
    target, weight = truth[:, :OUTPUTS], truth[:, OUTPUTS:]
    weight[:, :ACTIVATIONS] = 1.0
    # What is only perhaps this drum first: a label that is sure overrides it.
    for stroke in sorted(strokes, key=lambda stroke: -len(stroke.sound)):
        frame = stroke.onset * frame_rate
        near = np.arange(max(0, int(frame) - 2), min(frames, int(frame) + 4))
        bump = np.exp(-0.5 * ((near - frame) / TARGET_WIDTH) ** 2)
        classes = sorted({SCORING_CLASSES.index(drum.scoring) for drum in stroke.sound})
        columns = classes if len(classes) == 1 else []
        if len(classes) > 1:
            weight[near[:, None], classes] = 0.0
        drums = [DRUMS.index(drum) for drum in stroke.sound]
        if len(drums) == 1:
            columns.append(len(SCORING_CLASSES) + drums[0])
        else:
            for drum in drums:
                weight[near, len(SCORING_CLASSES) + drum] = 0.0
        for column in columns:
            target[near, column] = np.maximum(target[near, column], bump)
            weight[near, column] = 1.0 + (POSITIVE_WEIGHT - 1.0) * target[near, column]
        if len(drums) == 1 and stroke.velocity is not None:
            loudness = near[np.abs(near - frame) <= 1.5]
            target[loudness, ACTIVATIONS + drums[0]] = stroke.velocity / 127.0
            weight[loudness, ACTIVATIONS + drums[0]] = VELOCITY_WEIGHT
    return truth


def _crops(frames: int) -> int:
    return max(1, round(frames / CROP))


def plan(
    examples: Sequence[Example], *, batch: int, seed: int, epoch: int
) -> list[list[tuple[int, int]]]:
    """What an epoch's batches are made of: crops, as many as fill every recording once.

    Returns
    -------
    list of list of (int, int)
        The example and the first frame of every crop of every batch; depends on the seed
        and the number of the epoch alone.
    """
    rng = np.random.default_rng((seed, epoch))
    places = [
        (index, int(rng.integers(max(1, len(one.features) - CROP + 1))))
        for index, one in enumerate(examples)
        for _ in range(_crops(len(one.features)))
    ]
    order = [places[i] for i in rng.permutation(len(places))]
    return [order[start : start + batch] for start in range(0, len(order), batch)]


def take(
    examples: Sequence[Example], places: Sequence[tuple[int, int]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One batch: (batch, CROP, bands) and (batch, CROP, 2 * OUTPUTS)."""
    crops = [crop(examples[index], start) for index, start in places]
    return np.stack([x for x, _ in crops]), np.stack([y for _, y in crops])


def whole(examples: Sequence[Example]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Every recording cut into crops, for validation."""
    crops = [
        crop(one, start) for one in examples for start in range(0, max(1, len(one.features)), CROP)
    ]
    return np.stack([x for x, _ in crops]), np.stack([y for _, y in crops])


def crop(example: Example, start: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A crop; beyond the end there is silence that weighs nothing."""
    features = example.features[start : start + CROP].astype(np.float32)
    truth = example.truth[start : start + CROP].astype(np.float32)
    lacking = CROP - len(features)
    if lacking:
        quiet = float(example.features.min())
        features = np.pad(features, ((0, lacking), (0, 0)), constant_values=quiet)
        truth = np.pad(truth, ((0, lacking), (0, 0)))
    return features, truth
