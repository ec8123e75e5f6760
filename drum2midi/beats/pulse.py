"""The pulse: the most likely train of beats under the strokes, at one metrical level.

A hidden semi-Markov model whose segments are beats: the bar-pointer model of
Whiteley, Cemgil & Godsill (ISMIR 2006) in the form of Krebs, Böck & Widmer (ISMIR
2015), where tempo may only change at a beat, but with strokes observed in continuous
phase instead of frame features. Tempi span a little more than an octave and a half,
so that one level of every rhythm lies inside; which level that is, where the beat
proper falls and how bars are formed is decided afterwards (`drum2midi.beats.metrical`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.strokes import Strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME: Final = 0.01
"""Seconds between possible beats."""

TICKS: Final = 12
"""Places in a beat that rhythms use: sixteenths and triplets both fall on them."""

_PERIODS: Final = np.arange(28, 88)  # frames: 214 down to 69 beats a minute
_SIGMA: Final = 0.018  # seconds; how far strokes lie from their place
_FLOOR: Final = 0.15  # share of strokes that lie anywhere: false ones, flams, rolls
_STEADINESS: Final = 2.0  # cost of a change of period by one frame
_DRIFT: Final = 400.0  # cost of a relative change of period beyond one frame
_JUMP: Final = 60.0  # cost of a new tempo out of the blue


def phase_densities(weights: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Density of strokes over the phase of a beat, relative to strokes anywhere.

    Parameters
    ----------
    weights : array, shape (classes, TICKS)
        How often each class is struck on every place of the beat.
    period : int
        Frames in the beat.

    Returns
    -------
    array, shape (classes, period)
        With mean 1 over the beat for every class.
    """
    phase = np.arange(period) / period
    off = phase[:, None] - np.arange(TICKS) / TICKS
    off -= np.round(off)
    bumps = np.exp(-0.5 * (off * period * FRAME / _SIGMA) ** 2)
    density: NDArray[np.float64] = weights @ bumps.T
    density /= density.mean(1, keepdims=True)
    density *= 1 - _FLOOR
    density += _FLOOR
    return density


def _segment_scores(
    strokes: Strokes, weights: NDArray[np.float64], frames: int, periods: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log-likelihood of the strokes in a beat from every frame and of every period."""
    scores = np.zeros((frames, len(periods)))
    index = np.round(strokes.times / FRAME).astype(np.int64) + periods[-1]
    for i, period in enumerate(periods):
        kernel = np.log(phase_densities(weights, int(period)))
        start = index[:, None] - np.arange(period)
        value = kernel[strokes.classes] * strokes.weights[:, None]
        scores[:, i] = np.bincount(start.ravel(), value.ravel(), minlength=frames)[:frames]
    return scores


def _change_costs(periods: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cost of going from one period to the next, shape (from, to)."""
    step = np.abs(periods[:, None] - periods[None])
    beyond = np.maximum(step - 1, 0) / np.minimum(periods[:, None], periods[None])
    costs: NDArray[np.float64] = _STEADINESS * np.minimum(step, 1) + _DRIFT * beyond
    return np.minimum(costs, _JUMP)


def track_pulse(
    strokes: Strokes,
    weights: NDArray[np.float64],
    *,
    periods: NDArray[np.int64] = _PERIODS,
) -> NDArray[np.float64]:
    """Times of the pulse, from before the first stroke to after the last.

    Parameters
    ----------
    strokes : Strokes
        At least one.
    weights : array, shape (classes, TICKS)
        How often each class is struck on every place of the beat.
    periods : array of int
        Frames of the beats to consider, ascending and consecutive.

    Returns
    -------
    array
        Seconds, with an error of up to half a frame; may begin below zero.
    """
    longest, shortest = int(periods[-1]), int(periods[0])
    last = int(np.ceil(strokes.times[-1] / FRAME)) + longest + 1
    frames = last + longest
    scores = _segment_scores(strokes, weights, frames, periods)
    costs = _change_costs(periods)
    first = int(strokes.times[0] / FRAME)
    best = np.full((frames + longest, len(periods)), -np.inf)
    best[first : first + longest + 1] = np.where(
        np.arange(longest + 1)[:, None] < periods, 0.0, -np.inf
    )
    columns = np.arange(len(periods))
    for start in range(first, last, shortest):
        rows = np.arange(start, min(start + shortest, last))
        left = (best[rows, :, None] - costs).max(1) + scores[rows]
        target = rows[:, None] + periods
        best[target, columns] = np.maximum(best[target, columns], left)
    return _backtrack(best, costs, periods, last, first)


def _backtrack(
    best: NDArray[np.float64],
    costs: NDArray[np.float64],
    periods: NDArray[np.int64],
    last: int,
    first: int,
) -> NDArray[np.float64]:
    """Follow the best path from the end; the first beat is the one that nothing led to."""
    longest = int(periods[-1])
    final = best[last : last + longest]
    row, column = divmod(int(np.argmax(final)), len(periods))
    frame = last + row
    beats = [frame]
    while True:
        frame -= int(periods[column])
        beats.append(frame)
        column = int(np.argmax(best[frame] - costs[:, column]))
        if best[frame, column] == 0.0 and frame < first + periods[column]:
            return np.array(beats[::-1], dtype=np.float64) * FRAME - longest * FRAME


def steady_period(times: NDArray[np.float64], weights: NDArray[np.float64], guess: float) -> float:
    """Period near a guess at which strokes line up best over the whole recording.

    Parameters
    ----------
    times, weights : array
        Seconds and weights of the strokes.
    guess : float
        Seconds, right within a percent and a half.

    Returns
    -------
    float
        Seconds.
    """
    span = max(float(times[-1] - times[0]), guess)
    # Fine enough that the last stroke moves by a thirty-second of a beat from step to step.
    steps = min(2001, 2 * int(np.ceil(32 * 0.015 * span / guess)) + 3)
    periods = guess * np.linspace(0.985, 1.015, steps)
    # A few at a time: all periods by all strokes of an hour would be a gigabyte.
    some = np.array_split(periods, -(-steps // 64))
    lined_up = np.concatenate([_lined_up(times, weights, part) for part in some])
    return float(periods[np.argmax(lined_up)])


def _lined_up(
    times: NDArray[np.float64], weights: NDArray[np.float64], periods: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How well strokes lie on the beats of each period, their halves and their quarters.

    A pulse may be too slow by two levels.
    """
    turns = np.exp(2j * np.pi * times / periods[:, None])
    return np.asarray(sum(np.abs(turns**power @ weights) for power in (1, 2, 4)))


def steady_pulse(strokes: Strokes, pulse: NDArray[np.float64]) -> NDArray[np.float64]:
    """The pulse of one tempo throughout on which most of a given one lies."""
    period = steady_period(strokes.times, strokes.weights, float(np.median(np.diff(pulse))))
    inside = pulse[(pulse > strokes.times[0] - period) & (pulse < strokes.times[-1] + period)]
    turns = inside / period
    # A pulse that slides lies on several of four phases: the mean of all would be none of them.
    fourths = np.angle(np.exp(8j * np.pi * turns).sum()) / (8 * np.pi) + np.arange(4) / 4
    off = turns - fourths[:, None]
    there = np.abs(off - np.round(off)) < 1 / 8
    most = turns[there[np.argmax(there.sum(axis=1))]]
    phase = np.angle(np.exp(2j * np.pi * most).sum()) / (2 * np.pi)
    first = np.floor(strokes.times[0] / period - phase)
    last = np.ceil(strokes.times[-1] / period - phase)
    return np.asarray(period * (phase + np.arange(first, last + 2)))
