"""Which beat, which bar: readings of a pulse, ranked by what drummers play.

A pulse can be read at several levels, phases, metres and downbeats. Every reading
folds the strokes into an average bar; a small network, trained on human grooves and
on bars derived from them (`drum2midi.training.patterns`), says how much that bar looks
like drumming: where kick, snare, hats and cymbals fall on the first, second, middle
and last beat, how well the bars repeat, how fast it is. It is the pattern likelihood of
the bar-pointer model (Krebs, Böck & Widmer, ISMIR 2013), learnt discriminatively.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.pulse import TICKS
from drum2midi.beats.settle import moments, phases
from drum2midi.beats.strokes import CLASSES, Strokes

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS: Final[tuple[tuple[float, tuple[float, ...]], ...]] = (
    (1 / 4, (0,)),
    (1 / 3, (0,)),
    (1 / 2, (0, 1 / 4)),
    (2 / 3, (0, 1 / 3)),
    (3 / 4, (0, 1 / 4, 1 / 2)),
    (1, (0, 1 / 2, 1 / 4, 3 / 4, 1 / 3, 2 / 3)),
    (4 / 3, (0, 1 / 3, 2 / 3, 1)),
    (3 / 2, (0, 1 / 2, 1)),
    (2, (0, 1, 1 / 2, 3 / 2)),
    (3, (0, 1, 2)),
    (4, (0, 1, 2, 3)),
)
"""Beats in units of the pulse, and where the first may lie: octaves, thirds, off-beats."""

PERIODS: Final[dict[int, tuple[float, float]]] = {
    2: (0.25, 1.55),
    3: (0.22, 1.55),
    4: (0.23, 1.55),
    5: (0.16, 1.2),
    6: (0.14, 0.75),
    7: (0.15, 1.2),
    12: (0.14, 0.6),
}
"""Seconds that a beat may last, for bars of so many (6 and 12 are counted in eighths)."""

_LAGS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 24)
_CHANNELS: Final = len(CLASSES) + 1
_SIGMA: Final = 0.018
_BUMPS: Final = np.linspace(np.log(0.14), np.log(1.55), 14)
_BUMP_WIDTH: Final = 0.12
_MODEL: Final = Path(__file__).with_name("patterns.npz")


@dataclass(frozen=True)
class Reading:
    """One way to count a pulse.

    Attributes
    ----------
    pulse : array
        Seconds of the pulse.
    ratio, offset : float
        A beat lasts `ratio` pulses; one falls `offset` pulses after the first.
    count : int
        Beats in a bar.
    downbeat : int
        A bar begins this many beats after the one at `offset`, and every `count`.
    period : float
        Seconds in a beat, at the median tempo.
    """

    pulse: NDArray[np.float64]
    ratio: float
    offset: float
    count: int
    downbeat: int
    period: float

    def seconds(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Times of beats, counted from the one at the offset."""
        return moments(self.offset + self.ratio * beats, self.pulse)

    def beats(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Beats from the one at the offset to given times."""
        return (phases(seconds, self.pulse) - self.offset) / self.ratio

    def agrees(self, other: Reading) -> bool:
        """Whether another reading has the same bars, half-way through at least."""
        if self.count != other.count or abs(np.log(self.period / other.period)) > 0.03:
            return False
        middle = self.pulse[len(self.pulse) // 2 : len(self.pulse) // 2 + 1]
        bars = (self.beats(middle) - self.downbeat) / self.count
        others = (other.beats(middle) - other.downbeat) / other.count
        off = float((bars - others)[0])
        return abs(off - round(off)) * self.period * self.count < 0.07


@dataclass(frozen=True)
class Folded:
    """The strokes, in beats of one level and phase.

    Attributes
    ----------
    cells : array, shape (beats, TICKS * channels)
        Strokes of every class, and the loudest, on every place of every beat.
    origin : int
        Index of the first of these beats, counted from the one at the offset.
    first : float
        Beats from the first row to the first stroke.
    fit : float
        Mean log-density of strokes around their places, relative to anywhere.
    """

    cells: NDArray[np.float32]
    origin: int
    first: float
    fit: float


@cache
def model() -> dict[str, NDArray[np.float32]]:
    """The trained parameters: `pulse` (classes, TICKS) and the networks' layers."""
    with np.load(_MODEL) as arrays:
        return {name: arrays[name].astype(np.float32) for name in arrays.files}


def fold(strokes: Strokes, pulse: NDArray[np.float64], ratio: float, offset: float) -> Folded:
    """Strokes on the places of the beats of one level and phase."""
    phase = phases(strokes.times, pulse)
    local = ratio * np.interp(phase, np.arange(len(pulse) - 1) + 0.5, np.diff(pulse))
    beat = (phase - offset) / ratio
    origin = int(np.floor(beat.min() + 0.5 / TICKS))
    tick = np.round((beat - origin) * TICKS).astype(np.int64)
    error = (beat - origin - tick / TICKS) * local
    density = 0.9 * np.exp(-0.5 * (error / _SIGMA) ** 2) / (_SIGMA * 2.5066) + 1.0
    fit = np.average(np.log(density * local / TICKS), weights=strokes.weights)
    cells = np.zeros((int(tick.max()) // TICKS + 1, TICKS, _CHANNELS), np.float32)
    np.add.at(cells, (tick // TICKS, tick % TICKS, strokes.classes), strokes.weights)
    cells = np.minimum(cells, 1)
    np.maximum.at(cells[:, :, -1], (tick // TICKS, tick % TICKS), strokes.loudness)
    return Folded(cells.reshape(len(cells), -1), origin, float(tick.min()) / TICKS, float(fit))


def _repetition(cells: NDArray[np.float32], lag: int) -> float:
    """Share of strokes that come again `lag` beats later (Dice's coefficient)."""
    if lag >= len(cells):
        return 0.0
    before, after = cells[:-lag], cells[lag:]
    return float(2 * np.minimum(before, after).sum() / (before.sum() + after.sum() + 1))


def _bar_features(folded: Folded, count: int, repetition: dict[int, float]) -> NDArray[np.float32]:
    """What the average bar looks like, for every downbeat; shape (count, features)."""
    beats = len(folded.cells)
    bars = -(-beats // count)
    padded = np.zeros((bars * count, folded.cells.shape[1]), np.float32)
    padded[:beats] = folded.cells
    seen = np.maximum(np.bincount(np.arange(beats) % count, minlength=count), 1)
    profile = padded.reshape(bars, count, -1).sum(0) / seen[:, None]
    roles = [np.roll(profile, -shift, axis=0) for shift in (0, 1, 2, count // 2, -1)]
    pitch = np.sqrt(np.minimum(np.concatenate(roles, axis=1), 1.5))
    downbeat = np.arange(count)
    late = (downbeat - folded.first) % count
    start = [abs(folded.first - downbeat) < 0.1, late < 0.25, late / count]
    other = max((value for lag, value in repetition.items() if lag % count), default=0.0)
    again = repetition.get(count, 0.0)
    half = repetition.get(count // 2, 0.0) if count % 2 == 0 and count > 2 else 0.0
    twice = repetition.get(2 * count, again)
    per_bar = float(folded.cells.sum()) / beats / count
    common = [again, half, twice, again - other, per_bar, float(beats < 2 * count)]
    common += [float(count == known) for known in PERIODS]
    return np.concatenate(
        [pitch, np.stack(start, 1), np.tile(common, (count, 1))], axis=1, dtype=np.float32
    )


def _level_features(
    folded: Folded, period: float, repetition: dict[int, float]
) -> NDArray[np.float32]:
    """What all readings of one level and phase share."""
    mean = folded.cells.mean(0)
    places = mean.reshape(TICKS, _CHANNELS).sum(1)
    tempo = np.exp(-0.5 * ((np.log(period) - _BUMPS) / _BUMP_WIDTH) ** 2)
    some = [folded.fit, *(repetition[lag] for lag in (1, 2, 3, 4, 6, 8))]
    some += [np.log(len(folded.cells)), np.log(folded.cells.sum() / len(folded.cells) + 1e-6)]
    return np.concatenate(
        [np.sqrt(np.minimum(mean, 1.5)), places / places.sum(), tempo, some], dtype=np.float32
    )


def readings(
    strokes: Strokes,
    pulse: NDArray[np.float64],
    *,
    limits: Mapping[int, tuple[float, float]] = PERIODS,
) -> Iterator[tuple[list[Reading], NDArray[np.float32]]]:
    """Every way to count a pulse, level by level, with the features of each.

    Parameters
    ----------
    strokes : Strokes
    pulse : array
        Seconds.
    limits : mapping of int to (float, float)
        Beats in a bar to consider, and the seconds that a beat may then last.

    Yields
    ------
    list of Reading, array of shape (readings, features)
    """
    base = float(np.median(np.diff(pulse)))
    for ratio, offsets in LEVELS:
        length = base * ratio
        fitting = [count for count, (low, high) in limits.items() if low <= length <= high]
        for offset in offsets if fitting else ():
            folded = fold(strokes, pulse, ratio, offset)
            repetition = {lag: _repetition(folded.cells, lag) for lag in _LAGS}
            level = _level_features(folded, length, repetition)
            for count in fitting:
                bar = _bar_features(folded, count, repetition)
                found = [
                    Reading(pulse, ratio, offset, count, folded.origin + first, length)
                    for first in range(count)
                ]
                yield found, np.hstack([bar, np.tile(level, (count, 1))])


def rank(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Score of readings from their features: log-odds up to a constant; shape (readings,)."""
    net = model()
    scaled = np.clip((features - net["mean"]) / net["scale"], -6, 6)
    total = np.zeros(len(features))
    members = len(net["w3"])
    for i in range(members):
        hidden = np.maximum(scaled @ net["w1"][i] + net["b1"][i], 0)
        hidden = np.maximum(hidden @ net["w2"][i] + net["b2"][i], 0)
        total += hidden @ net["w3"][i]
    return total / members
