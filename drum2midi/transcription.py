"""What a transcription is made of: hits, a grid, notes.

Conventions
-----------
Times are seconds from the start of the audio. Places in a bar are exact
fractions of a quarter note. Velocities are MIDI's, 1 to 127. Everything here is
immutable; a stage takes some of these and returns others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.drums import Drum
from drum2midi.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def _check_velocity(velocity: int) -> None:
    if not 1 <= velocity <= 127:
        raise ValueError(f"velocity {velocity} is not between 1 and 127")


@dataclass(frozen=True, slots=True)
class Hit:
    """One stroke on one drum, as it was heard.

    Attributes
    ----------
    onset : float
        Seconds from the start of the audio.
    drum : Drum
    velocity : int
        1 to 127.
    confidence : float
        The model's activation at the onset, 0 to 1.
    """

    onset: float
    drum: Drum
    velocity: int
    confidence: float = 1.0

    def __post_init__(self) -> None:
        _check_velocity(self.velocity)


@dataclass(frozen=True, slots=True)
class Metre:
    """A time signature; its beat is one ``denominator``-th note."""

    numerator: int
    denominator: int

    @classmethod
    def parse(cls, text: str) -> Metre:
        """Read ``"3/4"``.

        Raises
        ------
        InputError
            If the text is not a time signature of 1 to 32 halves to sixteenths.
        """
        top, slash, bottom = text.strip().partition("/")
        if (
            slash
            and top.isascii()
            and top.isdigit()
            and bottom in {"2", "4", "8", "16"}
            and 1 <= int(top) <= 32
        ):
            return cls(int(top), int(bottom))
        raise InputError(f"metre {text!r} is not a time signature such as 4/4, 3/4 or 6/8")

    @property
    def beat(self) -> Fraction:
        """Length of one beat in quarter notes."""
        return Fraction(4, self.denominator)

    @property
    def length(self) -> Fraction:
        """Length of a full bar in quarter notes."""
        return self.numerator * self.beat

    @property
    def pulse(self) -> Fraction:
        """What a player taps, in quarter notes: three beats of 6, 9, 12 or 15 that are short."""
        compound = self.denominator >= 8 and self.numerator in (6, 9, 12, 15)
        return 3 * self.beat if compound else self.beat

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the grid.

    Attributes
    ----------
    metre : Metre
        As it is written. A pickup bar keeps the metre of the bar it leads into.
    beats : tuple of float
        Seconds of each of its beats. Fewer than ``metre.numerator`` in a pickup,
        whose beats are then the last ones of a full bar.
    """

    metre: Metre
    beats: tuple[float, ...]

    @property
    def length(self) -> Fraction:
        """Quarter notes in the bar, as it is: shorter than the metre's in a pickup."""
        return len(self.beats) * self.metre.beat


@dataclass(frozen=True)
class Grid:
    """Bars and beats over time.

    Attributes
    ----------
    bars : tuple of Bar
        At least one, without gaps: a bar ends where the next begins.
    end : float
        Seconds where the last bar ends.
    confidence : float
        0 to 1; how far the tracker trusts its beats and downbeats.
    """

    bars: tuple[Bar, ...]
    end: float
    confidence: float = 1.0

    def __post_init__(self) -> None:
        times = self.beat_times
        if len(times) < 2 or not np.all(np.diff(times) > 0):
            raise ValueError("a grid needs at least one bar, and beats that go forward in time")

    @cached_property
    def beat_times(self) -> NDArray[np.float64]:
        """Seconds of every beat, and of the end; shape (beats + 1,)."""
        return np.array([t for bar in self.bars for t in bar.beats] + [self.end])

    @cached_property
    def beat_quarters(self) -> NDArray[np.float64]:
        """Quarter notes from the first bar to every beat and the end; shape (beats + 1,)."""
        steps = [float(bar.metre.beat) for bar in self.bars for _ in bar.beats]
        return np.concatenate(([0.0], np.cumsum(steps)))

    @cached_property
    def bar_quarters(self) -> tuple[Fraction, ...]:
        """Quarter notes from the first bar to the start of every bar, and to the end."""
        starts = [Fraction(0)]
        for bar in self.bars:
            starts.append(starts[-1] + bar.length)
        return tuple(starts)

    def quarters(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes since the first bar at given times, at the nearest beats' tempo outside."""
        return _interpolate(seconds, self.beat_times, self.beat_quarters)

    def seconds(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Times of given quarter notes since the first bar; the inverse of `quarters`."""
        return _interpolate(quarters, self.beat_quarters, self.beat_times)

    @property
    def has_pickup(self) -> bool:
        """Whether the first bar is incomplete, and leads into one of its metre."""
        return len(self.bars) > 1 and len(self.bars[0].beats) < self.bars[0].metre.numerator

    @property
    def first_number(self) -> int:
        """The number of the first bar on paper: 0 of a pickup, else 1."""
        return 0 if self.has_pickup else 1

    @property
    def metre(self) -> Metre:
        """The metre of most bars."""
        metres = [bar.metre for bar in self.bars]
        return max(set(metres), key=metres.count)

    @property
    def tempo(self) -> float:
        """Median tempo, in pulses of the main metre a minute."""
        per_quarter = np.diff(self.beat_times) / np.diff(self.beat_quarters)
        return float(60.0 / (np.median(per_quarter) * float(self.metre.pulse)))


def _interpolate(
    x: ArrayLike, known_x: NDArray[np.float64], known_y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear interpolation that goes on with the first and last slope outside."""
    points = np.asarray(x, dtype=np.float64)
    segment = np.clip(np.searchsorted(known_x, points, side="right") - 1, 0, len(known_x) - 2)
    slope = np.diff(known_y) / np.diff(known_x)
    return known_y[segment] + (points - known_x[segment]) * slope[segment]


@dataclass(frozen=True, slots=True)
class Note:
    """One stroke in its place on the grid.

    Attributes
    ----------
    bar : int
        Index into ``Grid.bars``.
    position : Fraction
        Quarter notes from the start of that bar; below the bar's length.
    drum : Drum
    velocity : int
        1 to 127.
    onset : float
        Seconds, as it was played.
    grace : bool
        A grace stroke (of a flam or drag) that leans on the main stroke at ``position``.
    roll : bool
        One of the even strokes of a roll, at ``position`` or, if it is also a grace stroke,
        on the way there.
    openness : float, optional
        Of a hi-hat stroke: 0 closed to 1 open. Not known of what the model hears, which
        tells open from closed only; the sheet says "half-open" from it.
    """

    bar: int
    position: Fraction
    drum: Drum
    velocity: int
    onset: float
    grace: bool = False
    roll: bool = False
    openness: float | None = None

    def __post_init__(self) -> None:
        _check_velocity(self.velocity)


EIGHTH: Final = Fraction(1, 2)
SIXTEENTH: Final = Fraction(1, 4)
"""Of a quarter note: the notes that can swing."""


@dataclass(frozen=True, slots=True)
class Swing:
    """How unevenly pairs of equal written notes are played.

    Attributes
    ----------
    ratio : float
        Where the second note of a pair is played, as a share of the pair: 0.5 is straight,
        2/3 a triplet's shuffle; below 0.75, where a dotted rhythm begins.
    value : Fraction
        Such a note in quarter notes: 1/2 if eighths swing, 1/4 if sixteenths do.

    Raises
    ------
    ValueError
        If there is no such swing.
    """

    ratio: float = 0.5
    value: Fraction = EIGHTH

    def __post_init__(self) -> None:
        if not 0.5 <= self.ratio < 0.75:
            raise ValueError(f"swing {self.ratio} is not a share from 0.5 to below 0.75")
        if self.value not in (EIGHTH, SIXTEENTH):
            raise ValueError(f"swing of notes of {self.value} quarters: 1/2 and 1/4 can swing")

    def played(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Where written places are played, in quarter notes from the start of a pair."""
        return self._bend(quarters, 0.5, self.ratio)

    def written(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Where played places are written: the inverse of `played`."""
        return self._bend(quarters, self.ratio, 0.5)

    def _bend(self, quarters: ArrayLike, middle: float, to: float) -> NDArray[np.float64]:
        places = np.asarray(quarters, dtype=np.float64)
        if middle == to:
            return places
        pair = 2.0 * float(self.value)
        whole, part = np.divmod(places / pair, 1.0)
        return pair * (whole + np.interp(part, [0.0, middle, 1.0], [0.0, to, 1.0]))


STRAIGHT: Final = Swing()
"""Nothing swings."""


@dataclass(frozen=True)
class Transcription:
    """A recording, written down.

    Attributes
    ----------
    hits : tuple of Hit
        Every stroke as it was heard, in order of time.
    grid : Grid
    notes : tuple of Note
        The same strokes on the grid, in order of place.
    duration : float
        Seconds of audio.
    title : str
    composer : str
        Empty if unknown.
    swing : Swing
        How the eighths or the sixteenths are played. They are written straight either way.
    """

    hits: tuple[Hit, ...]
    grid: Grid
    notes: tuple[Note, ...]
    duration: float
    title: str = "Drums"
    composer: str = ""
    swing: Swing = STRAIGHT

    @classmethod
    def load(cls, path: str | Path) -> Transcription:
        """Read a ``.json`` that `save` wrote, corrected by hand or not.

        Raises
        ------
        InputError
            If the file cannot be read or is no transcription.
        """
        from drum2midi.tables import read_json

        return read_json(Path(path))

    def save(self, path: str | Path, **options: Any) -> None:
        """Write a file; the suffix says which kind.

        Parameters
        ----------
        path : path
            ``.mid``, ``.musicxml``, ``.mxl``, ``.pdf``, ``.svg``, ``.csv``, ``.json`` …
        **options
            Fields of `drum2midi.writers.WriteOptions`, such as ``timing="performed"``.

        Raises
        ------
        InputError
            For an unknown suffix or a folder that cannot be written.
        """
        from drum2midi.writers import WriteOptions, save

        save(self, Path(path), WriteOptions(**options))


def count_by_drum(hits: Sequence[Hit]) -> dict[Drum, int]:
    """Strokes by drum, most first."""
    counts: dict[Drum, int] = {}
    for hit in hits:
        counts[hit.drum] = counts.get(hit.drum, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
