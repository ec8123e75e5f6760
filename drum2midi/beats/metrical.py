"""Which beat, which bar: readings of a pulse, ranked by what drummers play.

A pulse can be read at several levels, phases, metres and downbeats. Every reading
folds the strokes into an average bar; a small network, trained on human grooves and
on bars derived from them (`drum2midi.training.patterns`), says how much that bar looks
like drumming: where kick, snare, hats and cymbals fall on the first, second, middle
and last beat, how well the bars repeat, how fast it is. It is the pattern likelihood of
the bar-pointer model (Krebs, Böck & Widmer, ISMIR 2013), learnt discriminatively.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

TIMEKEEPERS: Final = tuple(CLASSES.index(name) for name in ("hat", "open hat", "ride"))
"""Classes of `drum2midi.beats.strokes` on which drummers keep time."""

_ROLES: Final[dict[int, tuple[int, ...]]] = {
    2: (0, 1, 0, 1, 1, 1),
    3: (0, 1, 2, 1, 2, 2),
    4: (0, 1, 2, 2, 3, 3),
    5: (0, 1, 2, 3, 4, 3),
    6: (0, 1, 2, 3, 5, 4),
    7: (0, 1, 2, 4, 6, 5),
    12: (0, 3, 6, 6, 9, 11),
}
"""Beats of the bar that are looked at: first, second, third, middle, last, an upbeat."""

_LAGS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 24)
_CHANNELS: Final = len(CLASSES) + 2
_KICK, _CRASH = CLASSES.index("kick"), CLASSES.index("crash")
_FILLING: Final = [CLASSES.index("snare"), CLASSES.index("tom")]
_BAR_BUMPS: Final = np.linspace(np.log(0.7), np.log(5.0), 10)
_BAR_WIDTH: Final = 0.18
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
    first, last : float
        Beats from the first row to the first and to the last stroke; not a number where
        the piece goes on.
    fit : float
        Mean log-density of strokes around their places, relative to anywhere.
    """

    cells: NDArray[np.float32]
    origin: int
    first: float
    last: float
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
    cells = np.zeros(((int(tick.max()) // TICKS + 1) * TICKS, _CHANNELS), np.float32)
    np.add.at(cells, (tick, strokes.classes), strokes.weights)
    cells = np.minimum(cells, 1)
    np.maximum.at(cells[:, -1], tick, strokes.loudness)
    keeping = np.isin(strokes.classes, TIMEKEEPERS)
    np.maximum.at(cells[:, -2], tick[keeping], strokes.loudness[keeping])
    cells = cells.reshape(-1, TICKS * _CHANNELS)
    span = float(tick.min()) / TICKS, float(tick.max()) / TICKS
    return Folded(cells, origin, *span, float(fit))


def _alike(cells: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """Strokes that come again `lag` beats later, and strokes in both, for every beat."""
    before, after = cells[:-lag], cells[lag:]
    return np.stack([2 * np.minimum(before, after).sum(1), before.sum(1) + after.sum(1)])


def _repetition(cells: NDArray[np.float32]) -> dict[int, NDArray[np.float32]]:
    return {lag: _alike(cells, lag) for lag in _LAGS if lag < len(cells)}


def _share(again: Mapping[int, NDArray[np.float32]], lag: int) -> float:
    """Share of strokes that come again `lag` beats later (Dice's coefficient)."""
    if lag not in again:
        return 0.0
    same, all_ = again[lag].sum(1)
    return float(same / (all_ + 1))


def comes_again(folded: Folded, lag: int) -> float:
    """Share of strokes that come again so many beats later."""
    return _share({lag: _alike(folded.cells, lag)} if lag < len(folded.cells) else {}, lag)


def _events(folded: Folded, count: int, again: Mapping[int, NDArray[np.float32]]) -> NDArray[Any]:
    """Of every beat: how new it is, whether a crash or kick begins it, both; (beats, 4)."""
    beats = len(folded.cells)
    places = folded.cells.reshape(beats, TICKS, _CHANNELS)
    new = np.zeros(beats, np.float32)
    if count in again:
        same, all_ = again[count]
        new[count:] = 1 - same / np.maximum(all_, 0.5)
    crash = places[:, 0, _CRASH]
    rolling = places[:, :, _FILLING].sum((1, 2))
    after = np.concatenate(([0.0], new[:-1])) * (crash + places[:, 0, _KICK])
    return np.stack([new, after, rolling, crash], axis=1)


def _edges(folded: Folded, downbeat: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Where in the bar the piece begins and ends; zeros where it goes on."""
    late = (downbeat - folded.first) % count
    left = (folded.last - downbeat) % count
    edges = [late < 0.1, late < 0.25, late / count, late >= 0, left < 0.15, left / count, left >= 0]
    return np.nan_to_num(np.stack(edges, axis=1).astype(np.float32))


def _bar_features(
    folded: Folded, count: int, period: float, again: Mapping[int, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What the average bar looks like, for every downbeat; shape (count, features)."""
    beats = len(folded.cells)
    bars = -(-beats // count)
    events = _events(folded, count, again)
    padded = np.zeros((bars * count, folded.cells.shape[1] + events.shape[1]), np.float32)
    padded[:beats] = np.hstack([folded.cells, events])
    seen = np.maximum(np.bincount(np.arange(beats) % count, minlength=count), 1)
    profile = padded.reshape(bars, count, -1).sum(0) / seen[:, None]
    downbeat = np.arange(count)
    width = folded.cells.shape[1]
    role = (downbeat[:, None] + np.array(_ROLES.get(count, _ROLES[4]))) % count
    pitch = np.sqrt(np.minimum(profile[:, :width], 1.5))[role].reshape(count, -1)
    moved = (profile[:, width:] - profile[:, width:].mean(0))[role][:, [0, 1, 3, 4]]
    edges = _edges(folded, downbeat, count)
    repeats = {lag: _share(again, lag) for lag in _LAGS}
    other = max((value for lag, value in repeats.items() if lag % count), default=0.0)
    same = repeats.get(count, 0.0)
    half = repeats.get(count // 2, 0.0) if count % 2 == 0 and count > 2 else 0.0
    twice = repeats.get(2 * count, same)
    per_bar = float(folded.cells.sum()) / beats / count
    common = [same, half, twice, same - other, per_bar, float(beats < 2 * count)]
    common += [float(count == known) for known in PERIODS]
    common += list(np.exp(-0.5 * ((np.log(period * count) - _BAR_BUMPS) / _BAR_WIDTH) ** 2))
    return np.concatenate(
        [pitch, moved.reshape(count, -1), edges, np.tile(common, (count, 1))],
        axis=1,
        dtype=np.float32,
    )


def _level_features(
    folded: Folded, period: float, again: Mapping[int, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """What all readings of one level and phase share."""
    mean = folded.cells.mean(0)
    places = mean.reshape(TICKS, _CHANNELS).sum(1)
    tempo = np.exp(-0.5 * ((np.log(period) - _BUMPS) / _BUMP_WIDTH) ** 2)
    some = [folded.fit, *(_share(again, lag) for lag in (1, 2, 3, 4, 6, 8))]
    some += [np.log(len(folded.cells)), np.log(folded.cells.sum() / len(folded.cells) + 1e-6)]
    return np.concatenate(
        [np.sqrt(np.minimum(mean, 1.5)), places / max(places.sum(), 1e-6), tempo, some],
        dtype=np.float32,
    )


def readings(
    strokes: Strokes,
    pulse: NDArray[np.float64],
    *,
    limits: Mapping[int, tuple[float, float]] = PERIODS,
    begins: bool = True,
    ends: bool = True,
) -> Iterator[tuple[list[Reading], Callable[[], NDArray[np.float32]]]]:
    """Every way to count a pulse, level by level, with the features of each.

    Parameters
    ----------
    strokes : Strokes
    pulse : array
        Seconds.
    limits : mapping of int to (float, float)
        Beats in a bar to consider, and the seconds that a beat may then last.
    begins, ends : bool
        Whether the piece begins with the first stroke and ends with the last.

    Yields
    ------
    list of Reading, function that returns an array of shape (readings, features)
    """
    base = float(np.median(np.diff(pulse)))
    for ratio, offsets in LEVELS:
        length = base * ratio
        fitting = [count for count, (low, high) in limits.items() if low <= length <= high]
        for offset in offsets if fitting else ():
            folded = fold(strokes, pulse, ratio, offset)
            if not begins:
                folded = replace(folded, first=np.nan)
            if not ends:
                folded = replace(folded, last=np.nan)
            level = _Level(folded, length)
            for count in fitting:
                found = [
                    Reading(pulse, ratio, offset, count, folded.origin + first, length)
                    for first in range(count)
                ]
                yield found, partial(level.features, count)


@dataclass(frozen=True)
class _Level:
    """Beats of one level and phase, and what its readings share, found when first needed."""

    folded: Folded
    period: float

    @cached_property
    def again(self) -> dict[int, NDArray[np.float32]]:
        return _repetition(self.folded.cells)

    @cached_property
    def shared(self) -> NDArray[np.float32]:
        return _level_features(self.folded, self.period, self.again)

    def features(self, count: int) -> NDArray[np.float32]:
        """Of the readings with so many beats in a bar, one for each downbeat."""
        bar = _bar_features(self.folded, count, self.period, self.again)
        return np.hstack([bar, np.tile(self.shared, (count, 1))])


def window_features(
    folded: Folded, period: float, start: int, stop: int, counts: Sequence[int]
) -> NDArray[np.float32]:
    """Features of the readings of some beats only, by metre and downbeat, from `start` on."""
    part = replace(
        folded,
        cells=folded.cells[start:stop],
        origin=folded.origin + start,
        first=np.nan if start else folded.first,
        last=np.nan if stop < len(folded.cells) else folded.last,
    )
    level = _Level(part, period)
    return np.concatenate([level.features(count) for count in counts])


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
