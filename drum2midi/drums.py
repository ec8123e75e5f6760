"""The vocabulary: one table of drums for the whole project.

Every stage reads this table and none repeats it: the model's outputs are its
rows in order, the MIDI writer takes its notes, the sheet its staff positions,
noteheads and voices, and the scorers its five classes.

The staff positions are those of the Percussive Arts Society's guide (N. Weinberg,
*Guide to Standardized Drumset Notation*, 1998), as a treble clef would name them.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, Final, Literal

Notehead = Literal["normal", "x", "circle-x", "diamond"]
ScoringClass = Literal["KD", "SD", "TT", "HH", "CY"]

HANDS: Final = 1
FEET: Final = 2


@dataclass(frozen=True, slots=True)
class Drum:
    """One sound of the kit.

    Attributes
    ----------
    name : str
        What people and files call it: ``"snare"``, ``"open hi-hat"``.
    midi : int
        Its General MIDI percussion note, 35 to 59.
    midi_name : str
        General MIDI's own name of that note.
    step, octave : str, int
        The staff line or space, named as in a treble clef.
    notehead : str
        MusicXML notehead.
    voice : int
        1 for the hands (stems up), 2 for the feet (stems down).
    scoring : str
        The field's five classes: KD, SD, TT, HH or CY.
    """

    name: str
    midi: int
    midi_name: str
    step: str
    octave: int
    notehead: Notehead
    voice: int
    scoring: ScoringClass

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, astuple(self)


def _same(name: str, *fields: Any) -> Drum:
    """A drum that was copied or came from another process: the vocabulary's own object."""
    drum = Drum(name, *fields)
    known = BY_NAME.get(name)
    return known if known is not None and known == drum else drum


KICK: Final = Drum("kick", 36, "Bass Drum 1", "F", 4, "normal", FEET, "KD")
SNARE: Final = Drum("snare", 38, "Acoustic Snare", "C", 5, "normal", HANDS, "SD")
CROSS_STICK: Final = Drum("cross-stick", 37, "Side Stick", "C", 5, "x", HANDS, "SD")
CLOSED_HAT: Final = Drum("closed hi-hat", 42, "Closed Hi-Hat", "G", 5, "x", HANDS, "HH")
OPEN_HAT: Final = Drum("open hi-hat", 46, "Open Hi-Hat", "G", 5, "x", HANDS, "HH")
PEDAL_HAT: Final = Drum("pedal hi-hat", 44, "Pedal Hi-Hat", "D", 4, "x", FEET, "HH")
HIGH_TOM: Final = Drum("high tom", 50, "High Tom", "E", 5, "normal", HANDS, "TT")
MID_TOM: Final = Drum("mid tom", 47, "Low-Mid Tom", "D", 5, "normal", HANDS, "TT")
FLOOR_TOM: Final = Drum("floor tom", 43, "High Floor Tom", "A", 4, "normal", HANDS, "TT")
CRASH: Final = Drum("crash", 49, "Crash Cymbal 1", "A", 5, "x", HANDS, "CY")
RIDE: Final = Drum("ride", 51, "Ride Cymbal 1", "F", 5, "x", HANDS, "CY")
RIDE_BELL: Final = Drum("ride bell", 53, "Ride Bell", "F", 5, "diamond", HANDS, "CY")

DRUMS: Final[tuple[Drum, ...]] = (
    KICK,
    SNARE,
    CROSS_STICK,
    CLOSED_HAT,
    OPEN_HAT,
    PEDAL_HAT,
    HIGH_TOM,
    MID_TOM,
    FLOOR_TOM,
    CRASH,
    RIDE,
    RIDE_BELL,
)
"""Every drum, in the order of the model's outputs."""

SCORING_CLASSES: Final[tuple[ScoringClass, ...]] = ("KD", "SD", "TT", "HH", "CY")
"""The classes in which the field scores strokes, in the usual order."""

# Notes that other programs and kits write for a drum of the table. Splash and
# china count as crashes, a rimshot or electric snare as a snare; 22 and 26 are
# the edges of Roland's hi-hat.
_ALIASES: Final[dict[int, Drum]] = {
    35: KICK,
    39: SNARE,
    40: SNARE,
    22: CLOSED_HAT,
    26: OPEN_HAT,
    48: HIGH_TOM,
    45: MID_TOM,
    41: FLOOR_TOM,
    58: FLOOR_TOM,
    52: CRASH,
    55: CRASH,
    57: CRASH,
    59: RIDE,
}

CHANNEL: Final = 9
"""The MIDI channel, from 0, on which General MIDI has percussion."""

BY_MIDI: Final[dict[int, Drum]] = {**_ALIASES, **{drum.midi: drum for drum in DRUMS}}
"""The drum that a percussion note means, aliases included."""

BY_NAME: Final[dict[str, Drum]] = {drum.name: drum for drum in DRUMS}
