"""Strokes as arrays: what the models of pulse and metre see of the hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import Drum
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES: Final = ("kick", "snare", "ghost", "tom", "hat", "open hat", "crash", "ride")
"""What the pattern models tell apart."""

_GHOST: Final = 45  # velocity below which a snare stroke does not mark a backbeat
_BY_SCORING: Final = {"KD": 0, "SD": 1, "TT": 3, "HH": 4, "CY": 7}
_BY_NAME: Final = {"open hi-hat": 5, "crash": 6}


@dataclass(frozen=True)
class Strokes:
    """Hits in order of time.

    Attributes
    ----------
    times : array
        Seconds.
    classes : array of int
        Index into `CLASSES`.
    weights : array
        0 to 1, how much each counts: its confidence.
    loudness : array
        0 to 1, from the velocity.
    """

    times: NDArray[np.float64]
    classes: NDArray[np.int64]
    weights: NDArray[np.float64]
    loudness: NDArray[np.float32]

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> Strokes:
        """The strokes of some hits."""
        # Which strokes a random half keeps must not hang on the order of those that are together.
        ordered = sorted(hits, key=lambda hit: (hit.onset, hit.drum.midi, hit.velocity))
        return cls(
            np.array([hit.onset for hit in ordered], dtype=np.float64),
            np.array([_class_of(hit.drum, hit.velocity) for hit in ordered], dtype=np.int64),
            np.array([min(max(hit.confidence, 0.05), 1.0) for hit in ordered], dtype=np.float64),
            np.array([hit.velocity / 127 for hit in ordered], dtype=np.float32),
        )


def _class_of(drum: Drum, velocity: int) -> int:
    """Index into `CLASSES`."""
    if drum.name == "snare" and velocity < _GHOST:
        return 2
    return _BY_NAME.get(drum.name, _BY_SCORING[drum.scoring])
