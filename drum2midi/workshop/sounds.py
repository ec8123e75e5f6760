"""Sounds: which drums a name in somebody's labels may mean.

Annotators do not all tell drums apart as finely as the vocabulary does: ``"HH"`` may be
a closed, an open or a pedal hi-hat. A sound is the set of drums that a name leaves open;
training says nothing about what a name does not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from drum2midi import drums
from drum2midi.drums import BY_MIDI, BY_NAME, DRUMS, Drum
from drum2midi.errors import InputError

Sound = tuple[Drum, ...]
"""Drums in the order of the vocabulary; one for a name that tells exactly."""

ANYTHING: Final[Sound] = DRUMS
"""Any drum or none: a moment of which nobody has said anything."""

SIX: Final = ("crash", "hi-hat", "kick", "ride", "snare", "toms")
"""The article's six classes, in its order."""

_HATS: Final = (drums.CLOSED_HAT, drums.OPEN_HAT, drums.PEDAL_HAT)
_TOMS: Final = (drums.HIGH_TOM, drums.MID_TOM, drums.FLOOR_TOM)
_RIDES: Final = (drums.RIDE, drums.RIDE_BELL)
_CYMBALS: Final = (drums.CRASH, *_RIDES)
_SNARES: Final = (drums.SNARE, drums.CROSS_STICK)

_OTHERS: Final[Mapping[str, Sound]] = {
    "anything": ANYTHING, "KD": (drums.KICK,), "SD": _SNARES, "TT": _TOMS, "HH": _HATS,
    "CY": _CYMBALS,
    "hi-hat": _HATS, "hihat": _HATS, "hi hat": _HATS, "hat": _HATS,
    "toms": _TOMS, "tom": _TOMS, "cymbal": _CYMBALS, "cymbals": _CYMBALS,
    "bass drum": (drums.KICK,), "bass": (drums.KICK,), "snare drum": (drums.SNARE,),
    "rimshot": (drums.SNARE,), "side stick": (drums.CROSS_STICK,),
    "sidestick": (drums.CROSS_STICK,), "rim": (drums.CROSS_STICK,),
    "hihat closed": (drums.CLOSED_HAT,), "closed hihat": (drums.CLOSED_HAT,),
    "closed hat": (drums.CLOSED_HAT,), "hihat open": (drums.OPEN_HAT,),
    "open hihat": (drums.OPEN_HAT,), "open hat": (drums.OPEN_HAT,),
    "hihat pedal": (drums.PEDAL_HAT,), "pedal hihat": (drums.PEDAL_HAT,),
    "tom high": (drums.HIGH_TOM,), "tom mid": (drums.MID_TOM,), "tom low": (drums.FLOOR_TOM,),
    "low tom": (drums.FLOOR_TOM,), "splash": (drums.CRASH,), "china": (drums.CRASH,),
    "crash cymbal": (drums.CRASH,), "ride cymbal": (drums.RIDE,),
}  # fmt: skip


def meaning(name: str) -> Sound | None:
    """The drums that a name may mean; None if it is no name of a drum.

    Parameters
    ----------
    name : str
        A drum of the vocabulary, a scoring class (``"HH"``), one of the article's classes
        (``"toms"``), a General MIDI note, a usual other name, or several joined by " or ".
    """
    text = name.strip()
    if " or " in text:
        parts = [meaning(part) for part in text.split(" or ")]
        known = [part for part in parts if part is not None]
        return _ordered(*known) if len(known) == len(parts) else None
    if text.isascii() and text.isdigit():
        return (BY_MIDI[int(text)],) if int(text) in BY_MIDI else None
    for key in (text, text.lower(), text.lower().replace("_", " "), text.upper()):
        if key in BY_NAME:
            return (BY_NAME[key],)
        if key in _OTHERS:
            return _OTHERS[key]
    return None


def join(*sounds: Sound) -> Sound:
    """What may be any of several sounds."""
    return _ordered(*sounds)


def _ordered(*sounds: Sound) -> Sound:
    members = {drum for sound in sounds for drum in sound}
    return tuple(drum for drum in DRUMS if drum in members)


def name_of(sound: Sound) -> str:
    """A name that `meaning` reads back: ``"snare"``, ``"HH"``, ``"high tom or mid tom"``."""
    for name in ("SD", "TT", "HH", "CY", "anything"):
        if sound == _OTHERS[name]:
            return name
    return " or ".join(drum.name for drum in sound)


def _six(drum: Drum) -> str:
    if drum is drums.CRASH:
        return "crash"
    return {"KD": "kick", "SD": "snare", "TT": "toms", "HH": "hi-hat", "CY": "ride"}[drum.scoring]


_SCHEMES: Final[Mapping[str, Callable[[Drum], str]]] = {
    "drums": lambda drum: drum.name,
    "six": _six,
    "five": lambda drum: drum.scoring,
}
_ALL: Final[Mapping[str, tuple[str, ...]]] = {
    "drums": tuple(drum.name for drum in DRUMS),
    "six": SIX,
    "five": ("KD", "SD", "TT", "HH", "CY"),
}
SCHEMES: Final = tuple(_SCHEMES)


def classes_of(scheme: str) -> tuple[str, ...]:
    """The classes of a scheme: ``"drums"`` (twelve), ``"six"`` (the article's) or ``"five"``.

    Raises
    ------
    InputError
        If there is no such scheme.
    """
    if scheme not in _ALL:
        raise InputError(f"classes {scheme!r}: not one of {', '.join(SCHEMES)}")
    return _ALL[scheme]


def class_of(sound: Sound, scheme: str) -> str | None:
    """The class of a sound, or None if the sound leaves open which it is."""
    names = {_SCHEMES[scheme](drum) for drum in sound}
    return names.pop() if len(names) == 1 else None


def members(name: str, scheme: str) -> tuple[Drum, ...]:
    """The drums of a class."""
    return tuple(drum for drum in DRUMS if _SCHEMES[scheme](drum) == name)
