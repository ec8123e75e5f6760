"""Whether beats go in twos or in threes, where the average bar does not tell.

Kick and snare that alternate every eighth would change places from beat to beat in threes. And
beats of which hats or ride strike both thirds as well are three eighths each, if they are slow:
nobody writes triplets all through a song that has hardly anything else.
"""

from __future__ import annotations

from typing import Final

from drum2midi.beats.metrical import TIMEKEEPERS, Folded, Reading, comes_again
from drum2midi.beats.pulse import TICKS
from drum2midi.beats.strokes import CLASSES

_IN_EIGHTHS: Final = frozenset({6, 12})  # in a bar of dotted quarters
_IN_QUARTERS: Final = frozenset({2, 4})  # in a bar that has a twin in dotted ones
_TWOS: Final = 1.2  # times as much as after three eighths comes again after two, if in twos
_TWOS_IN_THREES: Final = 3.0  # nats against a bar of 6/8 or 12/8 then
_THIRDS: Final = (4, 8)  # of the ticks of a beat
_ELSEWHERE: Final = (2, 3, 6, 9, 10)  # sixteenths, and towards the beat from a third
_MOSTLY: Final = 0.65  # of the beats
_HARDLY: Final = 0.25
_SLOW: Final = 0.64  # seconds; beats of three eighths that one hand can play are no shorter
_THREES_IN_TWOS: Final = 6.0  # nats against a bar of 4/4 or 2/4 then


def against_threes(folded: Folded, reading: Reading) -> float:
    """Nats against a reading whose beats go in threes where strokes go in twos, or the reverse.

    Parameters
    ----------
    folded : Folded
        The strokes in beats of the reading's level and phase.
    reading : Reading
    """
    if reading.count in _IN_EIGHTHS:
        return _TWOS_IN_THREES * (comes_again(folded, 2) > _TWOS * comes_again(folded, 3))
    if reading.count in _IN_QUARTERS and reading.period > _SLOW:
        return _THREES_IN_TWOS * _all_in_thirds(folded)
    return 0.0


def _all_in_thirds(folded: Folded) -> bool:
    """Whether a timekeeper strikes both thirds of most beats, and few have anything between.

    In a half-time shuffle the snare fills in the thirds that the hi-hat leaves out.
    """
    cells = folded.cells.reshape(len(folded.cells), TICKS, -1)[:, :, : len(CLASSES)]
    thirds = cells[:, _THIRDS, :][:, :, TIMEKEEPERS].max(axis=2).mean(axis=0).min()
    elsewhere = cells[:, _ELSEWHERE, :].max(axis=2).mean(axis=0).max()
    return bool(thirds > _MOSTLY and elsewhere < _HARDLY)
