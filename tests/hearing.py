"""Strokes, and activations that they might have been picked from."""

from __future__ import annotations

import numpy as np

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.model import Activations
from drum2midi.transcription import Hit

RATE = 100.0
SECONDS = 17.0


def by_onset(hits: object) -> list[Hit]:
    return sorted(hits, key=lambda hit: (hit.onset, DRUMS.index(hit.drum)))  # type: ignore[call-overload, no-any-return]


def heard(hits: list[Hit], *, rival: float = 0.1) -> Activations:
    """What the hits were picked from; `rival` is the snare's activation where a tom was heard."""
    frames = round(SECONDS * RATE)
    classes = np.full((frames, len(SCORING_CLASSES)), 0.001, np.float32)
    drums = np.full((frames, len(DRUMS)), 0.01, np.float32)
    for hit in hits:
        at = round(hit.onset * RATE)
        classes[at, SCORING_CLASSES.index(hit.drum.scoring)] = 0.9
        drums[at, DRUMS.index(hit.drum)] = 0.9
        if hit.drum.scoring == "TT":
            classes[at, SCORING_CLASSES.index("SD")] = rival
    return Activations(classes, drums, drums, RATE)
