"""Beats onto strokes: local, robust regression of when the beats were played.

A tracker's beats are coarse (its frames, its few tempi). Here each becomes the value
of a straight line fitted to the strokes near it, weighted by distance (local linear
regression, Cleveland 1979), so that tempo is smooth and a beat lies where the
strokes on it lie. A steady tempo is fitted elsewhere: `drum2midi.beats.steady`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.strokes import Strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REACH: Final = 2.5  # beats; standard deviation of the weight by distance
_NEAR: Final = 0.045  # seconds from its place beyond which a stroke is not on it
_NEAR_SHARE: Final = 0.14  # the same in beats
_OFFBEAT: Final = 0.5  # weight of strokes on half beats: swing and anticipation move them
_PRIOR: Final = 0.6  # weight of no correction at all


def phases(times: NDArray[np.float64], beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beats counted from the first, at given times; straight on outside."""
    index = np.clip(np.searchsorted(beats, times, side="right") - 1, 0, len(beats) - 2)
    return index + (times - beats[index]) / np.diff(beats)[index]


def moments(phase: NDArray[np.float64], beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds of given phases, the inverse of `phases`."""
    index = np.clip(np.floor(phase).astype(np.int64), 0, len(beats) - 2)
    return beats[index] + (phase - index) * np.diff(beats)[index]


def settle(
    beats: NDArray[np.float64], strokes: Strokes, *, reach: float = _REACH
) -> NDArray[np.float64]:
    """Move beats onto the strokes around them.

    Parameters
    ----------
    beats : array
        Seconds, at least two, ascending.
    strokes : Strokes
    reach : float
        Beats over which tempo is taken to be constant.

    Returns
    -------
    array
        As many beats, ascending.
    """
    phase = phases(strokes.times, beats)
    place = np.round(2 * phase).astype(np.int64)
    error = strokes.times - moments(place / 2, beats)
    period = np.interp(phase, np.arange(len(beats) - 1) + 0.5, np.diff(beats))
    near = np.abs(error) < np.minimum(_NEAR, _NEAR_SHARE * period)
    weight = strokes.weights * np.where(place % 2, _OFFBEAT, 1.0)
    half = int(np.ceil(6 * reach))
    bins = 2 * len(beats) + 2 * half
    inside = near & (place > -half) & (place < bins - half)
    index = place[inside] + half
    mass = np.bincount(index, weight[inside], minlength=bins).astype(np.float64)
    moved = np.bincount(index, weight[inside] * error[inside], minlength=bins).astype(np.float64)
    correction = _local_lines(mass, moved, reach)[half : half + 2 * len(beats) : 2]
    settled = beats + correction
    return settled if np.all(np.diff(settled) > 0) else beats


def _local_lines(
    mass: NDArray[np.float64], moved: NDArray[np.float64], reach: float
) -> NDArray[np.float64]:
    """Value at every half beat of the line fitted to weighted errors around it."""
    distance = np.arange(-int(6 * reach), int(6 * reach) + 1) / 2
    bell = np.exp(-0.5 * (distance / reach) ** 2)

    def around(values: NDArray[np.float64], power: int) -> NDArray[np.float64]:
        kernel = (bell * distance**power)[::-1]
        full = np.convolve(values, kernel)
        return full[len(distance) // 2 :][: len(values)]

    s0, s1, s2 = (around(mass, power) for power in range(3))
    t0, t1 = around(moved, 0), around(moved, 1)
    # Ridge terms keep the correction small where there are few strokes.
    s0, s2 = s0 + _PRIOR, s2 + _PRIOR * reach**2
    return (s2 * t0 - s1 * t1) / (s0 * s2 - s1**2)
