"""Regression on real recordings, where DRUM2MIDI_DATA names them.

The bars are what the shipped model reached, less what another CPU may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import mir_eval
import numpy as np
import pytest

from drum2midi import transcribe
from drum2midi.drums import SCORING_CLASSES
from drum2midi.training.tune import annotated
from drum2midi.transcription import Transcription


@cache
def transcribed(path: Path) -> Transcription:
    return transcribe(path)


def micro_f(data: Path, folder: str) -> float:
    counts = np.zeros(3)
    for path in sorted((data / "dev-set" / folder).glob("*.flac")):
        truth: Mapping[str, np.ndarray] = annotated(
            data / "dev-set" / "annotations" / f"{path.stem}.mid"
        )
        hits = transcribed(path).hits
        for name in SCORING_CLASSES:
            found = np.array([hit.onset for hit in hits if hit.drum.scoring == name])
            pairs = mir_eval.util.match_events(truth[name], found, 0.05) if len(found) else []
            counts += [len(pairs), len(truth[name]), len(found)]
    return float(2 * counts[0] / (counts[1] + counts[2]))


@pytest.mark.parametrize(
    ("folder", "bar"), [("drums", 0.925), ("mix", 0.905), ("official-mix", 0.88)]
)
def test_strokes(data: Path, folder: str, bar: float) -> None:
    assert micro_f(data, folder) >= bar


@pytest.mark.parametrize(("folder", "bar"), [("drums", 0.96), ("mix", 0.96)])
def test_beats(data: Path, folder: str, bar: float) -> None:
    scores = []
    for path in sorted((data / "dev-set" / folder).glob("*.flac")):
        rows = np.loadtxt(data / "dev-set" / "beats" / f"{path.stem}.beats")
        beats = transcribed(path).grid.beat_times[:-1]
        beats = beats[(beats > rows[0, 0] - 1) & (beats < rows[-1, 0] + 1)]
        scores.append(mir_eval.beat.f_measure(rows[:, 0], beats))
    assert np.mean(scores) >= bar
