"""Strokes as a transcriber would hear them, for training what comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from drum2midi.drums import DRUMS
from drum2midi.transcription import Hit

# What a transcriber takes for what else, a whole performance long.
_TAKEN_FOR: Final = (
    ("snare", "floor tom"),
    ("snare", "high tom"),
    ("closed hi-hat", "ride"),
    ("closed hi-hat", "crash"),
    ("closed hi-hat", "open hi-hat"),
    ("pedal hi-hat", "ride"),
    ("crash", "ride"),
    ("ride", "closed hi-hat"),
    ("ride", "crash"),
    ("high tom", "snare"),
    ("floor tom", "kick"),
    ("kick", "floor tom"),
)
_NAMED: Final = {drum.name: drum for drum in DRUMS}


def corrupt(hits: Sequence[Hit], rng: np.random.Generator) -> list[Hit]:
    """Strokes as a transcriber would hear them: some missed, wrong, invented, moved.

    A class that is missed or mistaken on one kit is so throughout.
    """
    missed = {name: min(rng.lognormal(-2.3, 0.8), 0.6) for name in ("KD", "SD", "TT", "HH", "CY")}
    pairs = [_TAKEN_FOR[i] for i in rng.choice(len(_TAKEN_FOR), rng.integers(0, 4), replace=False)]
    mistakes = {one: (_NAMED[other], rng.uniform(0, 0.7)) for one, other in pairs}
    echoed, false = rng.random() < 0.5, rng.uniform(0, 0.06)
    jitter, spread, gain = rng.uniform(0, 0.008), rng.uniform(5, 25), rng.uniform(0.6, 1.5)
    late = {name: rng.normal(0, 0.002) for name in missed}
    heard = []
    for hit in hits:
        soft = 2.5 if hit.velocity < 32 else 1.3 if hit.velocity < 64 else 0.6
        if rng.random() < min(missed[hit.drum.scoring] * soft, 0.9):
            continue
        velocity = int(np.clip(127 * (hit.velocity / 127) ** gain + rng.normal(0, spread), 1, 127))
        onset = hit.onset + rng.normal(0, jitter) + late[hit.drum.scoring]
        confidence = float(np.clip(rng.normal(0.85, 0.1), 0.3, 1))
        drums = [hit.drum]
        other, share = mistakes.get(hit.drum.name, (hit.drum, 0.0))
        if rng.random() < share:
            drums = [hit.drum, other] if echoed else [other]
        heard += [Hit(onset, drum, velocity, confidence) for drum in drums]
    for onset in rng.uniform(hits[0].onset, hits[-1].onset, int(len(hits) * false)):
        drum = DRUMS[rng.integers(len(DRUMS))]
        heard.append(Hit(float(onset), drum, int(rng.integers(20, 90)), 0.5))
    return [replace(hit, onset=max(hit.onset, 0.0)) for hit in heard]
