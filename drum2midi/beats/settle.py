"""Beats onto strokes: local, robust regression of when the beats were played.

A tracker's beats are coarse (its frames, its few tempi). Here each becomes the value
of a straight line fitted to the strokes near it, weighted by distance (local linear
regression, Cleveland 1979), so that tempo is smooth and a beat lies where the
strokes on it lie. `steady_tempo` fits a single line to a whole loop.
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


_ON_PLACE: Final = 0.025  # seconds from a sixteenth or triplet beyond which a stroke is on neither
_BENT: Final = 0.02  # relative change of tempo that says the strokes do not tell
_WHOLE: Final = 0.8  # prior probability that a steady tempo is a whole number of beats a minute
_SURE: Final = 0.05  # beats a minute; standard error above which nothing is rounded


def steady_line(
    beats: NDArray[np.float64],
    strokes: Strokes,
    *,
    tempo: float | None = None,
    per_pulse: float = 1.0,
) -> tuple[float, float]:
    """One tempo, fitted to all strokes at once.

    Every drum gets an offset of its own, so that a kick that is always heard late does
    not bend the tempo. A whole number of pulses a minute is taken where the data do not
    speak against it: producers type them in.

    Parameters
    ----------
    beats : array
        Seconds; nearly evenly spaced.
    strokes : Strokes
    tempo : float, optional
        Pulses a minute, if known.
    per_pulse : float
        Beats in a pulse.

    Returns
    -------
    origin, period : float
        Seconds of the first of the beats, and in a beat.
    """
    numbers = np.arange(len(beats), dtype=np.float64)
    guess = float(np.median(np.diff(beats)))
    origin, period, spread = float(np.median(beats - guess * numbers)), guess, np.inf
    for _ in range(4):
        fit = _fit_line(origin + period * numbers, strokes)
        if abs(fit[0] / guess - 1) > _BENT:
            break
        period, origin, spread = fit
    rate = 60 / (period * per_pulse)
    exact = tempo or _whole_tempo(rate, rate * spread / period)
    if exact is None:
        return origin, period
    # Turn the line around the middle of the strokes, where it is known best.
    middle = (float(strokes.times.mean()) - origin) / period
    known = 60 / (exact * per_pulse)
    return origin + (period - known) * middle, known


def _fit_line(beats: NDArray[np.float64], strokes: Strokes) -> tuple[float, float, float]:
    """Seconds in a beat, time of beat 0, standard error of the former."""
    phase = phases(strokes.times, beats)
    period = float(np.median(np.diff(beats)))
    place = np.round(4 * phase) / 4
    thirds = np.round(3 * phase) / 3
    place = np.where(np.abs(phase - thirds) < 0.6 * np.abs(phase - place), thirds, place)
    error = strokes.times - moments(place, beats)
    near = np.abs(error) < min(_ON_PLACE, 0.12 * period)
    if np.unique(place[near]).size < 2:
        return period, float(beats[0]), np.inf
    kinds = np.eye(int(strokes.classes.max()) + 1)[strokes.classes[near]]
    kinds = kinds[:, kinds.any(0)]
    design = np.column_stack([place[near], kinds])
    weight = np.sqrt(strokes.weights[near])
    times = strokes.times[near]
    solution, *_ = np.linalg.lstsq(design * weight[:, None], times * weight, rcond=None)
    residual = times - design @ solution
    inner = np.linalg.pinv(design.T @ (design * weight[:, None] ** 2))
    freedom = max(len(times) - design.shape[1], 1)
    spread = float(np.sqrt(inner[0, 0] * np.sum((weight * residual) ** 2) / freedom))
    share = kinds.T @ weight**2
    return float(solution[0]), float(np.average(solution[1:], weights=share)), max(spread, 1e-9)


def _whole_tempo(rate: float, error: float) -> float | None:
    """The whole number that a tempo most likely is, if it is one."""
    whole = round(rate)
    if error > _SURE:
        return None
    density = np.exp(-0.5 * ((rate - whole) / error) ** 2) / (error * np.sqrt(2 * np.pi))
    return float(whole) if _WHOLE * density > 1 - _WHOLE else None
