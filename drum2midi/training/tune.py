"""Tuning: thresholds of the peak picking, chosen on real recordings.

The recordings choose; they never train. Layout of a dev set: folders of audio
(drum stems, mixes) beside ``annotations/NAME.mid``, whose strokes every
``FOLDER/NAME.flac`` is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.audio import stream_audio
from drum2midi.drums import BY_MIDI, OPEN_HAT, SCORING_CLASSES
from drum2midi.errors import InputError
from drum2midi.evaluation import evaluate
from drum2midi.features import FeatureSettings, log_mel
from drum2midi.model import Activations, PickSettings
from drum2midi.onsets import pick_hits
from drum2midi.recurrence import heed_repeats
from drum2midi.references import of_hits, on_drum_channel, open_midi, read_performance

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW: Final = 0.05
"""Seconds within which an estimated stroke counts as an annotated one."""

_MACRO_WEIGHT: Final = 0.25
_GHOST: Final = 0.7
"""Of `PickSettings`. Real recordings alone would have more; on rendered performances, whose
ghost strokes are all known, more costs more ghost strokes than it saves false ones."""

_THRESHOLDS: Final = tuple(round(0.08 + 0.04 * i, 2) for i in range(22))
_MARGINS: Final = (0.0, 0.1, 0.2, 0.3, 0.4)
_RECURRENCES: Final = (0.0, 0.25, 0.5)
_AUDIO: Final = (".flac", ".wav")

_OPEN: Final = OPEN_HAT.name
# Strokes of every class, and of the open hi-hat: seconds.
Strokes = Mapping[str, "NDArray[np.float64]"]
# Of every recording: its folder, its annotated strokes, what is heard in it.
_Heard = Sequence[tuple[str, Strokes, Activations]]
# Matched, annotated and estimated strokes, by folder, class and threshold.
_Counts = Mapping[tuple[str, int, float], "NDArray[np.float64]"]


def tune(
    listen: Callable[[NDArray[np.float32]], Activations],
    dev_set: Path,
    features: FeatureSettings,
    *,
    recurrences: Sequence[float] = _RECURRENCES,
) -> tuple[PickSettings, dict[str, float]]:
    """Choose the thresholds with the best F, averaged over a dev set's folders.

    What counts is micro F and, a quarter as much, the mean F of the classes: without
    it, never hearing a crash would be a fair price for a few false ones.

    Parameters
    ----------
    listen : callable
        From features (frames, bands) to activations.
    dev_set : Path
    features : FeatureSettings
    recurrences : sequence of float
        How much repeats may be heeded (see `PickSettings`); the best of these is chosen.

    Returns
    -------
    PickSettings
    dict
        Micro F at 50 ms of each folder, with them.

    Raises
    ------
    InputError
        If the folder has no annotations or no audio beside them.
    """
    check_dev_set(dev_set)
    truth = {path.stem: annotated(path) for path in sorted(dev_set.glob("annotations/*.mid"))}
    heard = [
        (path.parent.name, truth[path.stem], listen(_features(path, features)))
        for path in _recordings(dev_set)
    ]
    if not heard:
        raise InputError(f"{dev_set}: no audio in a folder beside annotations/")
    picking = PickSettings(ghost=_GHOST, delay=_delay(heard))
    folders = sorted({folder for folder, _, _ in heard})
    trials = []
    for share in recurrences:
        moved = [(folder, known, heed_repeats(a, share=share)) for folder, known, a in heard]
        counts = _count(moved, picking)
        trials.append((share, counts, _climb(counts, folders)))
    share, counts, chosen = max(trials, key=lambda t: _score(t[1], folders, t[2]))
    scores = {folder: _micro(counts, folder, chosen) for folder in folders}
    picking = replace(picking, thresholds=chosen, recurrence=share)
    return replace(picking, open_margin=_open_margin(heard, picking)), scores


def confusions(
    listen: Callable[[NDArray[np.float32]], Activations],
    dev_set: Path,
    features: FeatureSettings,
    picking: PickSettings,
) -> dict[str, NDArray[np.int64]]:
    """What the strokes of each of a dev set's folders were taken for.

    Parameters
    ----------
    listen, dev_set, features
        As for `tune`.
    picking : PickSettings

    Returns
    -------
    dict of int64 arrays
        For every folder, the matrix of `drum2midi.evaluation.Evaluation.confusion`.
    """
    tables: dict[str, NDArray[np.int64]] = {}
    for path in _recordings(dev_set):
        reference = read_performance(dev_set / "annotations" / f"{path.stem}.mid")
        hits = pick_hits(listen(_features(path, features)), picking)
        table = evaluate(reference, of_hits(hits)).confusion
        folder = path.parent.name
        tables[folder] = tables[folder] + table if folder in tables else table
    return tables


def _recordings(dev_set: Path) -> list[Path]:
    named = {path.stem for path in dev_set.glob("annotations/*.mid")}
    return [
        path for path in sorted(dev_set.glob("*/*")) if path.suffix in _AUDIO and path.stem in named
    ]


def check_dev_set(folder: Path) -> None:
    """Raise `InputError` if a folder is not laid out as a dev set."""
    if not list(folder.glob("annotations/*.mid")):
        raise InputError(f"{folder}: no annotations/*.mid in this folder")


def _features(path: Path, features: FeatureSettings) -> NDArray[np.float32]:
    return log_mel(stream_audio(path, sample_rate=features.sample_rate), features)


def annotated(path: Path) -> Strokes:
    """The strokes of an annotation: seconds in order, each once.

    For every scoring class, and under the open hi-hat's name those of the open hi-hat.
    """
    strokes: dict[str, list[float]] = {name: [] for name in (*SCORING_CLASSES, _OPEN)}
    seconds, found = 0.0, []
    for message in open_midi(path):
        seconds += message.time
        if message.type == "note_on" and message.velocity and message.note in BY_MIDI:
            found.append((message.channel, (seconds, BY_MIDI[message.note])))
    for onset, drum in on_drum_channel(found):
        strokes[drum.scoring].append(onset)
        if drum is OPEN_HAT:
            strokes[_OPEN].append(onset)
    return {name: np.unique(np.round(times, 3)) for name, times in strokes.items()}


def _estimated(activations: Activations, picking: PickSettings) -> Strokes:
    strokes: dict[str, list[float]] = {name: [] for name in SCORING_CLASSES}
    for hit in pick_hits(activations, picking):
        strokes[hit.drum.scoring].append(hit.onset)
    return {name: np.unique(np.round(times, 3)) for name, times in strokes.items()}


def _match(truth: NDArray[np.float64], estimate: NDArray[np.float64]) -> Sequence[tuple[int, int]]:
    import mir_eval

    if not len(truth) or not len(estimate):
        return []
    pairs: Sequence[tuple[int, int]] = mir_eval.util.match_events(truth, estimate, WINDOW)
    return pairs


def _delay(heard: _Heard) -> float:
    """Median seconds by which peaks come after the annotations."""
    late: list[float] = []
    for _, truth, activations in heard:
        estimate = _estimated(activations, PickSettings())
        for name in SCORING_CLASSES:
            pairs = _match(truth[name], estimate[name])
            late += [float(estimate[name][j] - truth[name][i]) for i, j in pairs]
    return round(float(np.median(late)), 4) if late else 0.0


def _count(heard: _Heard, picking: PickSettings) -> _Counts:
    counts: dict[tuple[str, int, float], NDArray[np.float64]] = {}
    for folder, truth, activations in heard:
        for threshold in _THRESHOLDS:
            settings = replace(picking, thresholds=(threshold,) * len(SCORING_CLASSES))
            estimate = _estimated(activations, settings)
            for column, name in enumerate(SCORING_CLASSES):
                matched = len(_match(truth[name], estimate[name]))
                numbers = np.array([matched, len(truth[name]), len(estimate[name])], np.float64)
                key = (folder, column, threshold)
                counts[key] = counts.get(key, np.zeros(3)) + numbers
    return counts


def _open_margin(heard: _Heard, picking: PickSettings) -> float:
    """The margin with the best F of open hi-hats, averaged over folders; the least, if equal."""

    def score(margin: float) -> float:
        totals: dict[str, NDArray[np.float64]] = {}
        for folder, truth, activations in heard:
            hits = pick_hits(activations, replace(picking, open_margin=margin))
            estimate = np.array([hit.onset for hit in hits if hit.drum is OPEN_HAT])
            matched = len(_match(truth[_OPEN], estimate))
            counts = np.array([matched, len(truth[_OPEN]), len(estimate)], np.float64)
            totals[folder] = totals.get(folder, np.zeros(3)) + counts
        rows = [row for row in totals.values() if row[1]]
        return float(np.mean([2.0 * row[0] / (row[1] + row[2]) for row in rows])) if rows else 0.0

    return max(_MARGINS, key=score)


def _micro(counts: _Counts, folder: str, thresholds: Sequence[float]) -> float:
    total = np.sum([counts[folder, i, t] for i, t in enumerate(thresholds)], axis=0)
    return float(2.0 * total[0] / max(1.0, total[1] + total[2]))


def _macro(counts: _Counts, folder: str, thresholds: Sequence[float]) -> float:
    """Mean F of the classes that the folder's annotations have."""
    rows = [counts[folder, i, t] for i, t in enumerate(thresholds)]
    return float(np.mean([2.0 * row[0] / (row[1] + row[2]) for row in rows if row[1]]))


def _score(counts: _Counts, folders: Sequence[str], thresholds: Sequence[float]) -> float:
    """What thresholds are chosen by."""
    each = [
        _micro(counts, folder, thresholds) + _MACRO_WEIGHT * _macro(counts, folder, thresholds)
        for folder in folders
    ]
    return float(np.mean(each))


def _climb(counts: _Counts, folders: Sequence[str]) -> tuple[float, ...]:
    """Coordinate ascent: one class after another takes its best threshold until none moves."""

    best = [_THRESHOLDS[len(_THRESHOLDS) // 2]] * len(SCORING_CLASSES)
    moved = True
    while moved:
        moved = False
        for column in range(len(best)):
            trials = [[*best[:column], t, *best[column + 1 :]] for t in _THRESHOLDS]
            top = max(trials, key=lambda trial: _score(counts, folders, trial))
            if _score(counts, folders, top) > _score(counts, folders, best) + 1e-9:
                best, moved = top, True
    return tuple(best)
