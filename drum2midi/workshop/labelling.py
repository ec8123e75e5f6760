"""Labelling: going through slices and saying what was struck.

A `LabellingState` is where a labeller stands, and its methods give the next one. It knows
of no page and no file: `drum2midi.workshop.session` keeps it on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from drum2midi import drums
from drum2midi.drums import Drum
from drum2midi.workshop.labels import Label
from drum2midi.workshop.slices import Slice

DRUM_KEYS: Final[Mapping[str, Drum]] = {
    "k": drums.KICK,
    "s": drums.SNARE,
    "x": drums.CROSS_STICK,
    "h": drums.CLOSED_HAT,
    "o": drums.OPEN_HAT,
    "p": drums.PEDAL_HAT,
    "1": drums.HIGH_TOM,
    "2": drums.MID_TOM,
    "3": drums.FLOOR_TOM,
    "c": drums.CRASH,
    "r": drums.RIDE,
    "b": drums.RIDE_BELL,
}
"""The key of each drum."""

_VELOCITY_STEP: Final = 8


@dataclass(frozen=True)
class Skipped:
    """The labeller passed over a hit: nothing is said about it."""


Mark = Label | Skipped
"""What is noted of a hit."""


@dataclass(frozen=True)
class LabellingState:
    """Where a labeller stands.

    Attributes
    ----------
    slices : tuple of Slice
    index : int
        Of the current slice.
    chosen : frozenset of Drum
        What is ticked for it, not yet confirmed.
    velocity : int, optional
        Likewise; 1 to 127.
    marks : mapping of int to Label or Skipped
        What is noted, by index.
    history : tuple of (int, Mark or None)
        What each index held before, oldest first; what `undo` takes back.
    """

    slices: tuple[Slice, ...]
    index: int = 0
    chosen: frozenset[Drum] = frozenset()
    velocity: int | None = None
    marks: Mapping[int, Mark] = field(default_factory=dict)
    history: tuple[tuple[int, Mark | None], ...] = ()

    @property
    def current(self) -> Slice:
        """The slice at hand."""
        return self.slices[self.index]

    @property
    def labelled(self) -> int:
        """How many slices have a label."""
        return sum(isinstance(mark, Label) for mark in self.marks.values())

    @property
    def skipped(self) -> int:
        """How many were passed over."""
        return len(self.marks) - self.labelled

    @property
    def done(self) -> bool:
        """Whether every slice has a label or was passed over."""
        return len(self.marks) == len(self.slices)

    @property
    def changed(self) -> bool:
        """Whether what is ticked is not what stands there when one comes to the slice."""
        fresh = self.at(self.index)
        return (self.chosen, self.velocity) != (fresh.chosen, fresh.velocity)

    def at(self, index: int) -> LabellingState:
        """Go to a slice: its own label is ticked, or else what the model suggests."""
        index = min(max(index, 0), len(self.slices) - 1)
        mark = self.marks.get(index)
        if isinstance(mark, Label):
            return replace(self, index=index, chosen=frozenset(mark.drums), velocity=mark.velocity)
        suggested = frozenset(guess.drum for guess in self.slices[index].predictions)
        return replace(self, index=index, chosen=suggested, velocity=None)

    def toggled(self, drum: Drum) -> LabellingState:
        """Tick a drum, or take its tick away."""
        return replace(self, chosen=self.chosen ^ {drum})

    def cleared(self) -> LabellingState:
        """Take all ticks away."""
        return replace(self, chosen=frozenset(), velocity=None)

    def harder(self, steps: int) -> LabellingState:
        """Say how hard the hit is: from what the model hears, up or down by steps of 8."""
        heard = max((guess.velocity for guess in self.current.predictions), default=64)
        velocity = heard if self.velocity is None else self.velocity + steps * _VELOCITY_STEP
        return replace(self, velocity=min(max(velocity, 1), 127))

    def marked(self, index: int, mark: Mark | None) -> LabellingState:
        """Note something of a slice, or take the note back; where one stands stays."""
        marks = {**self.marks, index: mark}
        return replace(
            self,
            marks={place: one for place, one in marks.items() if one is not None},
            history=(*self.history, (index, self.marks.get(index))),
        )

    def onwards(self) -> LabellingState:
        """Go to the next slice that nothing is noted of; to the next at all if there is none."""
        count = len(self.slices)
        for step in range(1, count):
            if (self.index + step) % count not in self.marks:
                return self.at((self.index + step) % count)
        return self.at(self.index + 1)

    def undone(self) -> LabellingState:
        """Take the latest note back and go to its slice, with what was said ticked, to mend it."""
        if not self.history:
            return self
        index, before = self.history[-1]
        taken = self.marks.get(index)
        after = replace(self.marked(index, before), history=self.history[:-1]).at(index)
        if before is None and isinstance(taken, Label):
            return replace(after, chosen=frozenset(taken.drums), velocity=taken.velocity)
        return after
