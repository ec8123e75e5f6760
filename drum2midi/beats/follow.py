"""Bars through a piece: where the metre changes, a bar is cut short, the drums start again.

One reading of the pulse holds for most of a piece, but not always for all of it. Every
stretch of some bars is scored as the whole was (`drum2midi.beats.metrical`), and the most
likely sequence of bars is decoded over beats: the bar-pointer model of Whiteley, Cemgil &
Godsill (ISMIR 2006), in which metre may change at a barline, with windows of drumming as
observations, and what begins a bar by what comes before and after it
(`drum2midi.beats.phrases`). A change has to be worth more than it costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import Folded, Reading, fold, rank, window_features
from drum2midi.beats.phrases import METRES, Evidence
from drum2midi.beats.strokes import Strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOW: Final = 16  # beats whose bars are judged together
_HOP: Final = 4  # beats from window to window
_CHANGE: Final = 3.0  # cost in nats of a new metre at a barline
_CUT: Final = 12.0  # cost of a bar that ends early while drums play
_AFTER_REST: Final = 2.0  # cost of either once nothing has been struck for so many beats
_REST: Final = 3
_PHRASES: Final = 0.3  # weight of what begins a bar by what comes before and after it
_TRUST: Final = 0.2  # nats a beat for the bars that the whole piece speaks for
_NEVER: Final = -1e3
_MOST: Final = 8.0  # nats that one window may say against a reading


def follow(strokes: Strokes, reading: Reading, counts: tuple[int, ...]) -> list[tuple[int, int]]:
    """First beat, and number of beats, of every bar from the first stroke to the last.

    Parameters
    ----------
    strokes : Strokes
    reading : Reading
        The best for the whole piece.
    counts : tuple of int
        Beats in a bar to consider.

    Returns
    -------
    list of (int, int)
        Beats are counted as the reading counts them, from the one at its offset. A bar
        may be shorter than the metre around it.
    """
    folded = fold(strokes, reading.pulse, reading.ratio, reading.offset)
    beats = len(folded.cells)
    start = (reading.downbeat - folded.origin) % reading.count
    if beats > _WINDOW:
        counts = (reading.count, *(count for count in counts if count != reading.count))
        states = np.array([(count, place) for count in counts for place in range(count)])
        evidence = _evidence(folded, reading.period, counts, states)
        evidence += _PHRASES * _phrased(folded, states)
        path = _path(evidence, states, start, _resting(folded.cells))
        edges = [*np.flatnonzero(path[:, 1] == 0), beats]
        if len(edges) > 1:
            lengths = [int(path[a, 0]) if b == beats else int(b - a) for a, b in pairwise(edges)]
            return [
                (folded.origin + int(edge), length)
                for edge, length in zip(edges, lengths, strict=False)
            ]
    return [(folded.origin + first, reading.count) for first in range(start, beats, reading.count)]


def _evidence(
    folded: Folded, period: float, counts: Sequence[int], states: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log-odds that each beat is in each state; shape (beats, states)."""
    beats = len(folded.cells)
    evidence = np.zeros((beats, len(states)))
    seen = np.zeros((beats, 1))
    first = np.cumsum([0, *counts])
    row = np.array([first[counts.index(count)] for count in states[:, 0]])
    for start in [*range(0, beats - _WINDOW, _HOP), beats - _WINDOW]:
        seen[start : start + _WINDOW] += 1
        if not folded.cells[start : start + _WINDOW].any():
            continue
        scores = rank(window_features(folded, period, start, start + _WINDOW, counts))
        scores = np.maximum(scores - scores.max(), -_MOST) / _WINDOW
        within = np.arange(_WINDOW)[:, None]
        downbeat = (within - states[:, 1]) % states[:, 0]
        evidence[start : start + _WINDOW] += scores[row + downbeat]
    return np.asarray(evidence / seen)


def _phrased(folded: Folded, states: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much more each beat sounds like the first of a bar than others do; shape (beats, states).

    Nothing on average, so that every metre is as likely as before.
    """
    logits = Evidence.of(folded).logits[:, [METRES.index(count) for count in states[:, 0]]]
    return np.asarray((logits - logits.mean(axis=0)) * (states[:, 1] == 0))


def _path(
    evidence: NDArray[np.float64],
    states: NDArray[np.int64],
    start: int,
    resting: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Count and place of every beat; the first of the counts, from `start` on, is trusted.

    Which bars there are is decided with that trust, and then without it where they change.
    """
    tracks = (np.arange(len(evidence))[:, None] - states[:, 1]) % states[:, 0]
    trusted = (states[:, 0] == states[0, 0]) & (tracks == start)
    chosen = _decode(evidence + _TRUST * trusted, states, resting)
    beats = np.arange(len(evidence))
    played = set(zip(states[chosen, 0].tolist(), tracks[beats, chosen].tolist(), strict=True))
    # Of the piece as a whole the reading knows more than the sum of its parts.
    if (int(states[0, 0]), start) not in played:
        played = {(int(states[0, 0]), start)}
    allowed = np.zeros(evidence.shape, dtype=bool)
    for count, track in played:
        allowed |= (states[:, 0] == count) & (tracks == track)
    chosen = _decode(np.where(allowed, evidence, _NEVER), states, resting)
    if not trusted[beats, chosen].any():  # nor can the parts together do without it
        chosen = _decode(np.where(trusted, evidence, _NEVER), states, resting)
    return states[chosen]


def _resting(cells: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether nothing has been struck for some beats before each."""
    struck = np.flatnonzero(cells.any(1))
    beats = np.arange(len(cells))
    last = np.searchsorted(struck, beats) - 1
    gap = np.where(last >= 0, beats - struck[np.maximum(last, 0)] - 1, 0)
    return np.asarray(gap >= _REST)


def _decode(
    evidence: NDArray[np.float64], states: NDArray[np.int64], resting: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Most likely state of every beat (Viterbi's algorithm)."""
    starts = np.flatnonzero(states[:, 1] == 0)
    ends = np.flatnonzero(states[:, 1] == states[:, 0] - 1)
    best = evidence[0].copy()
    back = np.zeros(evidence.shape, np.int64)
    for beat in range(1, len(evidence)):
        source = np.arange(len(states)) - 1
        rested = resting[beat]
        change, cut = (_AFTER_REST, _AFTER_REST) if rested else (_CHANGE, _CUT)
        new_metre, early = ends[best[ends].argmax()], int(best.argmax())
        for start, end in zip(starts, ends, strict=True):
            ways = (best[end], best[new_metre] - change, best[early] - cut)
            source[start] = (end, new_metre, early)[int(np.argmax(ways))]
        penalty = np.zeros(len(states))
        penalty[starts] = [
            max(best[end], best[new_metre] - change, best[early] - cut) - best[source[start]]
            for start, end in zip(starts, ends, strict=True)
        ]
        best = best[source] + penalty + evidence[beat]
        back[beat] = source
    path = [int(best.argmax())]
    for source in back[:0:-1]:
        path.append(int(source[path[-1]]))
    return np.array(path[::-1])
