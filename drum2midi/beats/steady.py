"""One tempo for a whole recording, found exactly.

A straight line through all strokes at once says the tempo within an error that it
knows. Producers type their tempi in, and export loops that are whole bars long to the
sample: the posterior over such tempi (Bayes' rule, with the line's likelihood) tells
120 from 119.97 where strokes alone cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.settle import moments, phases
from drum2midi.beats.strokes import Strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ON_PLACE: Final = 0.025  # seconds from a sixteenth or triplet beyond which a stroke is on neither
_BENT: Final = 0.02  # relative change of tempo that says the strokes do not tell
_PASSES: Final = 6
_TYPED: Final = ((1.0, 0.7), (0.5, 0.05), (0.1, 0.1), (0.01, 0.05))
"""Multiples of beats a minute that tempi are typed in as, and shares of all tempi."""

_UNTYPED: Final = 0.1
_UNSURE: Final = 0.3  # beats a minute; standard error above which nothing is rounded
_LEAST_ERROR: Final = 5e-4  # beats a minute; no line is known better
_WHOLE_BARS: Final = 0.5  # share of steady recordings that are cut to whole bars
_CUT: Final = 1.5 / 44100  # seconds; how exactly they are
_CUT_TO_ERROR: Final = 4.0  # standard errors from the line at which such a tempo is believed


def steady_line(
    beats: NDArray[np.float64],
    strokes: Strokes,
    *,
    duration: float,
    tempo: float | None = None,
    per_pulse: float = 1.0,
    bar: float = 4.0,
) -> tuple[float, float]:
    """One tempo, fitted to all strokes at once.

    Every drum gets an offset of its own, so that a kick that is always heard late does
    not bend the tempo. Round tempi, and those that make the recording whole bars long,
    are taken where the strokes do not speak against them.

    Parameters
    ----------
    beats : array
        Seconds; nearly evenly spaced.
    strokes : Strokes
    duration : float
        Seconds of the recording, to the sample.
    tempo : float, optional
        Pulses a minute, if known.
    per_pulse : float
        Beats in a pulse.
    bar : float
        Pulses in a bar.

    Returns
    -------
    origin, period : float
        Seconds of the first of the beats, and in a beat.
    """
    numbers = np.arange(len(beats), dtype=np.float64)
    guess = float(np.median(np.diff(beats)))
    origin, period, spread = float(np.median(beats - guess * numbers)), guess, np.inf
    for _ in range(_PASSES):
        fit = _fit_line(origin + period * numbers, strokes)
        if abs(fit[0] / guess - 1) > _BENT:
            break
        period, origin, spread = fit
    rate = 60 / (period * per_pulse)
    error = max(rate * spread / period, _LEAST_ERROR)
    exact = tempo or likely_tempo(rate, error, bar=bar, duration=duration)
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


def likely_tempo(rate: float, error: float, *, bar: float, duration: float) -> float:
    """The tempo that a measured one most likely is.

    Parameters
    ----------
    rate, error : float
        Pulses a minute as measured, and their standard error.
    bar : float
        Pulses in a bar.
    duration : float
        Seconds of the recording.

    Returns
    -------
    float
        A round tempo, one at which the recording is whole bars long, or `rate` itself.
    """
    if error > _UNSURE:
        return rate
    bars = max(round(duration * rate / 60 / bar), 1)
    cut = 60 * bar * bars / duration
    # Per beat a minute: what each explanation makes of the measured tempo and of the duration.
    odds = {rate: _UNTYPED}
    for step, share in _TYPED:
        round_tempo = float(np.round(rate / step) * step)
        fits = abs(60 * bar * bars / max(round_tempo, 1e-9) - duration) < _CUT
        bonus = 1 + _WHOLE_BARS * 60 * bar / rate / (2 * _CUT) * fits
        odds.setdefault(round_tempo, share * step * _density(rate - round_tempo, error) * bonus)
    if abs(cut - rate) < _CUT_TO_ERROR * error and cut not in odds:
        odds[cut] = _UNTYPED * _WHOLE_BARS * _density(rate - cut, error) * rate / bars
    return max(odds, key=lambda tempo: odds[tempo])


def _density(off: float, error: float) -> float:
    """Of a normal deviate."""
    return float(np.exp(-0.5 * (off / error) ** 2) / (error * np.sqrt(2 * np.pi)))
