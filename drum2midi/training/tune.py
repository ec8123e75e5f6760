"""Tuning: thresholds of the peak picking, chosen on real recordings and on rendered ones.

The recordings choose; they never train. Layout of a dev set: folders of audio
(drum stems, mixes) beside ``annotations/NAME.mid``, whose strokes every
``FOLDER/NAME.flac`` is compared with. A few real recordings have few kits; a set that
`drum2midi.training.rendered_set` made on kits that trained nothing may choose beside them,
as one folder more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.audio import stream_audio
from drum2midi.casting import cast_parts
from drum2midi.drums import BY_MIDI, OPEN_HAT, SCORING_CLASSES, Drum
from drum2midi.errors import InputError
from drum2midi.evaluation import evaluate
from drum2midi.features import FeatureSettings, in_silence, log_mel
from drum2midi.heeding import heed_recording
from drum2midi.model import Activations, PickSettings, without_silence
from drum2midi.onsets import least_activation, pick_hits
from drum2midi.references import of_hits, read_performance, read_strokes
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW: Final = 0.05
"""Seconds within which an estimated stroke counts as an annotated one."""

_MACRO_WEIGHT: Final = 0.25
_TIMBRE: Final = 1.0
"""Of `PickSettings`. From 1 to 1.5 the thresholds that suit it change, and little else."""

_SECOND: Final = 0.9
"""Of `PickSettings`; what timbre makes of a second tom or cymbal is nearer to 0 and 1."""

_GHOST: Final = 0.72
"""Of `PickSettings`. Real recordings alone would have more; on rendered performances, whose
ghost strokes are all known, more costs more ghost strokes than it saves false ones."""

_RHYTHM: Final = 1.0
"""Of `PickSettings`."""

_BASE: Final = PickSettings(second=_SECOND, ghost=_GHOST, timbre=_TIMBRE, rhythm=_RHYTHM)

_THRESHOLDS: Final = tuple(round(0.08 + 0.04 * i, 2) for i in range(22))
_PEDALS: Final = (0.0, 0.32, 0.4, 0.48, 0.56)
_CHOICES: Final = tuple(
    [(t, p) for t in _THRESHOLDS for p in (_PEDALS if name == "HH" else (0.0,)) if p < t]
    for name in SCORING_CLASSES
)
_MARGINS: Final = (0.0, 0.1, 0.2, 0.3, 0.4)
_RECURRENCES: Final = (0.0, 0.25, 0.5)
RENDERED: Final = "rendered"
"""What the rendered set is called among a dev set's folders."""

_AUDIO: Final = (".flac", ".wav")

_OPEN: Final = OPEN_HAT.name
# Strokes of every class, and of the open hi-hat: seconds.
Strokes = Mapping[str, "NDArray[np.float64]"]
# Of every recording: its folder, its annotated strokes, its features and what is heard in it.
_Heard = Sequence[tuple[str, Strokes, "_Recording"]]
# A class's threshold, and that of the hi-hat's pedal.
_Choice = tuple[float, float]
# Matched, annotated and estimated strokes, by folder, class and choice.
_Counts = Mapping[tuple[str, int, _Choice], "NDArray[np.float64]"]


@dataclass(frozen=True)
class _Recording:
    """Features and activations, with silence around what was recorded."""

    features: NDArray[np.float32]
    activations: Activations

    def heeded(self, picking: PickSettings) -> Activations:
        """What strokes are picked from: without the silence."""
        return without_silence(heed_recording(self.activations, self.features, picking))


def tune(
    listen: Callable[[NDArray[np.float32]], Activations],
    dev_set: Path,
    features: FeatureSettings,
    *,
    rendered: Path | None = None,
    recurrences: Sequence[float] = _RECURRENCES,
    base: PickSettings = _BASE,
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
    rendered : Path, optional
        A set of `drum2midi.training.rendered_set`, to choose with as with one folder more.
    recurrences : sequence of float
        How much repeats may be heeded (see `PickSettings`); the best of these is chosen.
    base : PickSettings
        What is not chosen, as how far timbre and rhythm are heeded.

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
        (path.parent.name, truth[path.stem], _hear(listen, path, features))
        for path in _recordings(dev_set)
    ]
    if not heard:
        raise InputError(f"{dev_set}: no audio in a folder beside annotations/")
    # Real recordings alone say when strokes come.
    real = heard
    if rendered is not None:
        heard = [*real, *_rendered(listen, rendered, features)]
    picking = replace(base, pedal=0.0, open_margin=0.0, delay=_delay(real))
    folders = sorted({folder for folder, _, _ in heard})
    trials = []
    for share in recurrences:
        counts = _count(heard, replace(picking, recurrence=share))
        chosen = _climb(counts, folders)
        trials.append((_score(counts, folders, chosen), share, chosen, counts))
    _, share, chosen, counts = max(trials, key=lambda trial: trial[0])
    scores = {folder: _micro(counts, folder, chosen) for folder in folders}
    picking = replace(
        picking,
        thresholds=tuple(threshold for threshold, _ in chosen),
        pedal=max(pedal for _, pedal in chosen),
        recurrence=share,
    )
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
        hits = pick_hits(_hear(listen, path, features).heeded(picking), picking)
        table = evaluate(reference, of_hits(hits)).confusion
        folder = path.parent.name
        tables[folder] = tables[folder] + table if folder in tables else table
    return tables


def _rendered(
    listen: Callable[[NDArray[np.float32]], Activations], folder: Path, features: FeatureSettings
) -> _Heard:
    """What is heard in a set of `drum2midi.training.rendered_set`."""
    check_rendered_set(folder)
    truths = sorted(folder.glob("truth/*.json"))
    return [
        (RENDERED, _played(path), _hear(listen, folder / f"audio/{path.stem}.flac", features))
        for path in truths
    ]


def _played(path: Path) -> Strokes:
    """The strokes of a rendered performance, as `annotated` gives those of an annotation."""
    hits = json.loads(path.read_text(encoding="utf-8"))["hits"]
    return _strokes((onset, BY_MIDI[note]) for onset, note, _ in hits)


def _recordings(dev_set: Path) -> list[Path]:
    named = {path.stem for path in dev_set.glob("annotations/*.mid")}
    return [
        path for path in sorted(dev_set.glob("*/*")) if path.suffix in _AUDIO and path.stem in named
    ]


def check_dev_set(folder: Path) -> None:
    """Raise `InputError` if a folder is not laid out as a dev set."""
    if not list(folder.glob("annotations/*.mid")):
        raise InputError(f"{folder}: no annotations/*.mid in this folder")


def check_rendered_set(folder: Path) -> None:
    """Raise `InputError` if a folder is not what `drum2midi.training.rendered_set` writes."""
    if not list(folder.glob("truth/*.json")):
        raise InputError(f"{folder}: no truth/*.json in this folder")


def _hear(
    listen: Callable[[NDArray[np.float32]], Activations], path: Path, features: FeatureSettings
) -> _Recording:
    """What is heard in a recording, as `drum2midi.pipeline` listens."""
    audio = stream_audio(path, sample_rate=features.sample_rate)
    spectra = log_mel(in_silence(audio, features), features)
    return _Recording(spectra, listen(spectra))


def annotated(path: Path) -> Strokes:
    """The strokes of an annotation: seconds in order, each once.

    For every scoring class, and under the open hi-hat's name those of the open hi-hat.
    """
    return _strokes((seconds, drum) for seconds, drum, _ in read_strokes(path))


def _strokes(played: Iterable[tuple[float, Drum]]) -> Strokes:
    strokes: dict[str, list[float]] = {name: [] for name in (*SCORING_CLASSES, _OPEN)}
    for onset, drum in played:
        strokes[drum.scoring].append(onset)
        if drum is OPEN_HAT:
            strokes[_OPEN].append(onset)
    return {name: np.unique(np.round(times, 3)) for name, times in strokes.items()}


def _times(hits: Iterable[Hit]) -> Strokes:
    strokes: dict[str, list[float]] = {name: [] for name in SCORING_CLASSES}
    for hit in hits:
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
    for _, truth, recording in heard:
        estimate = _times(pick_hits(recording.heeded(PickSettings()), PickSettings()))
        for name in SCORING_CLASSES:
            pairs = _match(truth[name], estimate[name])
            late += [float(estimate[name][j] - truth[name][i]) for i, j in pairs]
    return round(float(np.median(late)), 4) if late else 0.0


def _count(heard: _Heard, picking: PickSettings) -> _Counts:
    lowest = replace(picking, thresholds=(_THRESHOLDS[0],) * len(SCORING_CLASSES), ghost=0.0)
    counts: dict[tuple[str, int, _Choice], NDArray[np.float64]] = {}
    for folder, truth, recording in heard:
        hits = pick_hits(recording.heeded(picking), lowest)
        for column, name in enumerate(SCORING_CLASSES):
            own = [hit for hit in hits if hit.drum.scoring == name]
            for threshold, pedal in _CHOICES[column]:
                asked = replace(picking, pedal=pedal)
                kept = [
                    hit for hit in own if hit.confidence >= least_activation(hit, threshold, asked)
                ]
                times = _times(kept)[name]
                row = (len(_match(truth[name], times)), len(truth[name]), len(times))
                key = (folder, column, (threshold, pedal))
                counts[key] = counts.get(key, np.zeros(3)) + row
    return counts


def _open_margin(heard: _Heard, picking: PickSettings) -> float:
    """The margin with the best F of open hi-hats, as cast; the least, if equal.

    All recordings count as one folder, and the rendered set as one more: so few hats are open in
    a recording that one stroke more would decide for a folder of its own.
    """
    heeded = [
        (folder, truth, recording.heeded(picking), without_silence(recording.activations))
        for folder, truth, recording in heard
    ]

    def score(margin: float) -> float:
        totals: dict[bool, NDArray[np.float64]] = {}
        for folder, truth, activations, unheeded in heeded:
            hits = cast_parts(
                pick_hits(activations, replace(picking, open_margin=margin)), unheeded
            )
            estimate = np.array([hit.onset for hit in hits if hit.drum is OPEN_HAT])
            matched = len(_match(truth[_OPEN], estimate))
            counts = np.array([matched, len(truth[_OPEN]), len(estimate)], np.float64)
            rendered = folder == RENDERED
            totals[rendered] = totals.get(rendered, np.zeros(3)) + counts
        rows = [row for row in totals.values() if row[1]]
        return float(np.mean([2.0 * row[0] / (row[1] + row[2]) for row in rows])) if rows else 0.0

    return max(_MARGINS, key=score)


def _micro(counts: _Counts, folder: str, choices: Sequence[_Choice]) -> float:
    total = np.sum([counts[folder, i, choice] for i, choice in enumerate(choices)], axis=0)
    return float(2.0 * total[0] / max(1.0, total[1] + total[2]))


def _macro(counts: _Counts, folder: str, choices: Sequence[_Choice]) -> float:
    """Mean F of the classes that the folder's annotations have."""
    rows = [counts[folder, i, choice] for i, choice in enumerate(choices)]
    return float(np.mean([2.0 * row[0] / (row[1] + row[2]) for row in rows if row[1]]))


def _score(counts: _Counts, folders: Sequence[str], choices: Sequence[_Choice]) -> float:
    """What they are chosen by."""
    each = [
        _micro(counts, folder, choices) + _MACRO_WEIGHT * _macro(counts, folder, choices)
        for folder in folders
    ]
    return float(np.mean(each))


def _climb(counts: _Counts, folders: Sequence[str]) -> tuple[_Choice, ...]:
    """Coordinate ascent: one class after another takes its best threshold until none moves."""
    best = [choices[len(choices) // 2] for choices in _CHOICES]
    moved = True
    while moved:
        moved = False
        for column, choices in enumerate(_CHOICES):
            trials = [[*best[:column], choice, *best[column + 1 :]] for choice in choices]
            top = max(trials, key=lambda trial: _score(counts, folders, trial))
            if _score(counts, folders, top) > _score(counts, folders, best) + 1e-9:
                best, moved = top, True
    return tuple(best)
