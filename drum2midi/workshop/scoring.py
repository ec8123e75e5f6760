"""Scoring: how well a model does on labelled recordings.

Two questions are asked of it.

naming
    The onset is given: what was struck? As in the article. Of onsets at which one drum
    sounds: accuracy, F1 of every class and weighted by how many of it there are, and the
    confusion matrix of the best class; of all onsets: precision and recall of every
    class at every threshold of its activation.
finding
    Nothing is given but the recording: which strokes are in it? See `drum2midi.evaluation`.
    Not asked of clips of one hit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.audio import read_audio, stream_audio
from drum2midi.casting import cast_parts
from drum2midi.classifier import Classifier, load_models
from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.errors import InputError
from drum2midi.evaluation import WINDOW, Evaluation, Score, evaluate
from drum2midi.features import log_mel
from drum2midi.heeding import heed_recording
from drum2midi.model import Activations, Model
from drum2midi.onsets import pick_hits
from drum2midi.references import Performance, of_hits
from drum2midi.transcription import Hit
from drum2midi.workshop.material import Item, Stroke, check_heard
from drum2midi.workshop.sounds import class_of, classes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLDS: Final = tuple(round(0.1 * i, 1) for i in range(1, 10))
_TOGETHER: Final = 0.03
"""Seconds within which strokes are one onset."""

_SILENCE: Final = 0.5
"""Seconds put around every recording: a clip's attack must not be its first frame."""

_LEVELS: Final = tuple(np.float32(-0.3 * i) for i in range(7))
"""Levels at which a lone hit is heard, in units of the features, 20 dB."""

_BEFORE, _AFTER = 2, 6
"""Frames around an onset in which the network may say what it was."""


@dataclass(frozen=True)
class Naming:
    """Onsets given: what they were taken for.

    Attributes
    ----------
    classes : tuple of str
    confusion : int64, shape (classes, classes)
        Rows are labels, columns what the model says.
    accuracy, weighted_f1 : float
    precision, recall, f1 : float64, shape (classes,)
    support : int64, shape (classes,)
        Single hits of every class.
    curve_precision, curve_recall : float64, shape (thresholds, classes)
        Of all onsets, at `THRESHOLDS`.
    """

    classes: tuple[str, ...]
    confusion: NDArray[np.int64]
    accuracy: float
    weighted_f1: float
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]
    curve_precision: NDArray[np.float64]
    curve_recall: NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """Recordings given: the strokes that were found.

    Attributes
    ----------
    strokes : dict
        Score of every scoring class.
    confusion : int64, shape (6, 6)
        See `drum2midi.evaluation`.
    curve : tuple of (float, Score)
        All classes pooled, at one threshold for all; empty for a classifier.
    """

    strokes: dict[str, Score]
    confusion: NDArray[np.int64]
    curve: tuple[tuple[float, Score], ...]

    @property
    def micro(self) -> Score:
        """All classes pooled."""
        return sum(self.strokes.values(), Score(0, 0, 0))


@dataclass(frozen=True)
class Report:
    """All there is to say; None for a question that could not be asked."""

    naming: Naming | None
    finding: Finding | None


@dataclass(frozen=True)
class Listener:
    """A model: a network that finds strokes, and perhaps a classifier that names them."""

    network: Model
    classifier: Classifier | None

    @classmethod
    def load(cls, path: Path | None) -> Listener:
        """The model of a file, or the one that ships."""
        return cls(*load_models(path))


def score(
    items: Sequence[Item],
    listener: Listener,
    *,
    classes: str,
    progress: Callable[[float], None] | None = None,
) -> Report:
    """Ask a model both questions.

    Parameters
    ----------
    items : sequence of Item
    listener : Listener
    classes : str
        The scheme of classes for naming: ``"drums"``, ``"six"`` or ``"five"``.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Raises
    ------
    InputError
        If there is nothing to score or a recording cannot be read.
    """
    if not any(item.strokes for item in items):
        raise InputError("no labelled stroke to score")
    for recording in dict.fromkeys(item.audio for item in items):  # before the first is heard
        next(iter(stream_audio(recording, sample_rate=listener.network.features.sample_rate)), None)
    truth, scores, findings = [], [], []
    for number, item in enumerate(items, 1):
        samples, features, activations = _listen(item, listener)
        labels, heard = _asked(item, samples, activations, listener, classes)
        truth.append(labels)
        scores.append(heard)
        if len(group_strokes(item.strokes)) > 1:
            heeded = heed_recording(activations, features, listener.network.picking)
            findings.append(_found(item, samples, activations, heeded, listener))
        if progress:
            progress(number / len(items))
    naming = _naming(np.concatenate(truth), np.concatenate(scores), classes_of(classes))
    return Report(naming, _pooled(findings) if findings else None)


def _listen(
    item: Item, listener: Listener
) -> tuple[NDArray[np.float32], NDArray[np.float32], Activations]:
    """Samples, features and activations of a recording with silence around it."""
    settings = listener.network.features
    quiet = np.zeros(int(_SILENCE * settings.sample_rate), np.float32)
    audio = read_audio(item.audio, sample_rate=settings.sample_rate)
    check_heard(audio.duration, item.audio, item.strokes)
    samples = np.concatenate((quiet, audio.samples, quiet))
    features = log_mel([samples], settings)
    if len(group_strokes(item.strokes)) > 1:
        return samples, features, listener.network.activations(features)
    return samples, features, hear_alone(features, listener.network)


def hear_alone(features: NDArray[np.float32], network: Model) -> Activations:
    """Mean activations of a lone hit as loud as it would be in one song or another.

    Features are relative to a recording's loud frames, and here that is the hit itself: its
    level says nothing, where in a song it says much.

    Parameters
    ----------
    features : float32, shape (frames, bands)
        Of the hit with silence around it.
    network : Model
    """
    floor = features.min()
    heard = [network.activations(np.maximum(features + level, floor)) for level in _LEVELS]
    return Activations(
        np.mean([one.classes for one in heard], axis=0),
        np.mean([one.drums for one in heard], axis=0),
        np.mean([one.velocities for one in heard], axis=0),
        network.features.frame_rate,
    )


def group_strokes(strokes: Sequence[Stroke]) -> list[list[Stroke]]:
    """Strokes by onset; those within 30 ms of the first are one onset."""
    groups: list[list[Stroke]] = []
    for stroke in sorted(strokes, key=lambda stroke: stroke.onset):
        if groups and stroke.onset - groups[-1][0].onset <= _TOGETHER:
            groups[-1].append(stroke)
        else:
            groups.append([stroke])
    return groups


def _asked(
    item: Item,
    samples: NDArray[np.float32],
    activations: Activations,
    listener: Listener,
    scheme: str,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Labels and scores of every onset, shape (onsets, classes); what is left open is not asked."""
    names = classes_of(scheme)
    onsets, labels = [], []
    for group in group_strokes(item.strokes):
        said = [class_of(stroke.sound, scheme) for stroke in group]
        known = {name for name in said if name is not None}
        if len(known) == len(set(said)):
            onsets.append(_SILENCE + group[0].onset)
            labels.append([name in known for name in names])
    table = np.array(labels, bool).reshape(len(onsets), len(names))
    if listener.classifier is None:
        return table, _network_scores(activations, onsets, listener.network, scheme)
    return table, _classifier_scores(samples, onsets, listener.classifier, scheme)


def _network_scores(
    activations: Activations, onsets: Sequence[float], network: Model, scheme: str
) -> NDArray[np.float32]:
    names = classes_of(scheme)
    scores = np.zeros((len(onsets), len(names)), np.float32)
    for row, onset in enumerate(onsets):
        frame = round((onset + network.picking.delay) * activations.frame_rate)
        heard = activations.drums[max(0, frame - _BEFORE) : frame + _AFTER].max(axis=0)
        for column, drum in enumerate(DRUMS):
            place = names.index(class_of((drum,), scheme) or "")
            scores[row, place] = max(scores[row, place], heard[column])
    return scores


def _classifier_scores(
    samples: NDArray[np.float32], onsets: Sequence[float], classifier: Classifier, scheme: str
) -> NDArray[np.float32]:
    names = classes_of(scheme)
    scores = np.zeros((len(onsets), len(names)), np.float32)
    heard = classifier.scores(samples, onsets)
    for column, one in enumerate(classifier.classes):
        place = names.index(class_of((one.drum,), scheme) or "")
        scores[:, place] = np.maximum(scores[:, place], heard[:, column])
    return scores


def _naming(
    truth: NDArray[np.bool_], scores: NDArray[np.float32], names: Sequence[str]
) -> Naming | None:
    """Figures of single hits by the best class, and of all by threshold."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    single = truth.sum(axis=1) == 1
    if not single.any():
        return None
    label, said = truth[single].argmax(axis=1), scores[single].argmax(axis=1)
    every = np.arange(len(names))
    precision, recall, f1, support = precision_recall_fscore_support(
        label, said, labels=every, zero_division=0.0
    )
    curves = [_at_threshold(truth, scores >= threshold) for threshold in THRESHOLDS]
    return Naming(
        tuple(names),
        np.asarray(confusion_matrix(label, said, labels=every), np.int64),
        float(np.mean(label == said)),
        float(np.average(f1, weights=support)),
        precision, recall, f1, support,
        np.array([p for p, _ in curves]),
        np.array([r for _, r in curves]),
    )  # fmt: skip


def _at_threshold(
    truth: NDArray[np.bool_], said: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    right = (truth & said).sum(axis=0)
    return right / np.maximum(1, said.sum(axis=0)), right / np.maximum(1, truth.sum(axis=0))


_Scores = dict[str, Score]
_Found = tuple[_Scores, "NDArray[np.int64]", tuple[Score, ...]]


def _found(
    item: Item,
    samples: NDArray[np.float32],
    activations: Activations,
    heeded: Activations,
    listener: Listener,
) -> _Found:
    """Scores of one recording."""
    reference = _performance(item.strokes)
    picking = listener.network.picking
    hits = cast_parts(pick_hits(heeded, picking), activations)

    def scored(found: Sequence[Hit]) -> Evaluation:
        return evaluate(reference, of_hits(_judged(found, item.strokes)), window=WINDOW)

    curve: tuple[Score, ...] = ()
    if listener.classifier is not None:
        hits = listener.classifier.name(hits, samples)
    else:
        trials = [replace(picking, thresholds=(t,) * len(SCORING_CLASSES)) for t in THRESHOLDS]
        curve = tuple(scored(pick_hits(heeded, trial)).micro for trial in trials)
    result = scored(hits)
    return dict(result.strokes), result.confusion, curve


def _performance(strokes: Sequence[Stroke]) -> Performance:
    """Strokes as a reference; those whose class the label leaves open are left out."""
    known = [
        (stroke, name) for stroke in strokes if (name := class_of(stroke.sound, "five")) is not None
    ]
    return Performance(
        np.array([_SILENCE + stroke.onset for stroke, _ in known], np.float64),
        tuple(name for _, name in known),
        np.array([stroke.velocity or np.nan for stroke, _ in known], np.float64),
    )


def _judged(hits: Sequence[Hit], strokes: Sequence[Stroke]) -> list[Hit]:
    """The hits but those at a label that leaves open whether their class is struck there."""
    said: list[tuple[float, str]] = []
    unsaid: list[tuple[float, set[str]]] = []
    for stroke in strokes:
        onset, name = _SILENCE + stroke.onset, class_of(stroke.sound, "five")
        if name is None:
            unsaid.append((onset, {drum.scoring for drum in stroke.sound}))
        else:
            said.append((onset, name))

    def is_asked(hit: Hit) -> bool:
        name = hit.drum.scoring
        left_open = any(name in names and abs(hit.onset - at) <= WINDOW for at, names in unsaid)
        known = any(name == other and abs(hit.onset - at) <= WINDOW for at, other in said)
        return known or not left_open

    return [hit for hit in hits if is_asked(hit)] if unsaid else list(hits)


def _pooled(findings: Sequence[_Found]) -> Finding:
    strokes: dict[str, Score] = {
        name: sum((scores[name] for scores, _, _ in findings), Score(0, 0, 0))
        for name in SCORING_CLASSES
    }
    confusion = np.sum([table for _, table, _ in findings], axis=0)
    curves = zip(*(curve for _, _, curve in findings), strict=True)
    pooled = [sum(column, Score(0, 0, 0)) for column in curves]
    curve = tuple(zip(THRESHOLDS, pooled, strict=False))
    return Finding(strokes, confusion, curve)
