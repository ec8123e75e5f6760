"""Drum maps: which note a sampler or drum module plays for each drum.

A map of one's own is a TOML file with a note for every drum that differs from General
MIDI, by the names of `drum2midi.drums`; hyphens, underscores and spaces are all the same::

    [notes]
    kick = 24
    closed-hi-hat = 60
    "ride bell" = 66
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from drum2midi.drums import DRUMS, HIGH_TOM, MID_TOM, Drum
from drum2midi.errors import InputError

DrumMap = Mapping[Drum, int]
"""A MIDI note, 0 to 127, for every drum."""

GM: Final[DrumMap] = MappingProxyType({drum: drum.midi for drum in DRUMS})
"""General MIDI's percussion notes."""

# General MIDI's notes of these two toms are rims on Roland's modules.
ROLAND_TD: Final[DrumMap] = MappingProxyType({**GM, HIGH_TOM: 48, MID_TOM: 45})
"""The factory notes of Roland's TD drum modules."""

DRUM_MAPS: Final[Mapping[str, DrumMap]] = MappingProxyType({"gm": GM, "roland-td": ROLAND_TD})
"""The maps that are known by name."""


def find_drum_map(name: str) -> DrumMap:
    """A map by its name, or from the file of that name.

    Parameters
    ----------
    name : str
        One of `DRUM_MAPS`, or the path of a ``.toml`` file.

    Raises
    ------
    InputError
        If there is no such map, or for a file that is not one; the message names the line.
    """
    if name in DRUM_MAPS:
        return DRUM_MAPS[name]
    if Path(name).suffix.lower() == ".toml":
        return read_drum_map(Path(name))
    known = ", ".join(DRUM_MAPS)
    raise InputError(f"drum map {name!r} is none of {known}, nor a .toml file")


def read_drum_map(path: Path) -> DrumMap:
    """Read a map of one's own; drums that it leaves out keep General MIDI's notes."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is not TOML: {error}") from None
    notes = document.get("notes")
    if not isinstance(notes, dict) or not notes:
        raise InputError(f"{path}: has no [notes] with a line such as kick = 36")
    return MappingProxyType({**GM, **dict(_entry(path, text, *item) for item in notes.items())})


def _entry(path: Path, text: str, name: str, value: Any) -> tuple[Drum, int]:
    place = f"{path}, line {_line(text, name)}: {name}"
    drum = _BY_PLAIN_NAME.get(_plain(name))
    if drum is None:
        raise InputError(f"{place} is none of {', '.join(drum.name for drum in DRUMS)}")
    if type(value) is not int or not 0 <= value <= 127:
        raise InputError(f"{place} = {value!r} is not a MIDI note from 0 to 127")
    return drum, value


def _line(text: str, key: str) -> int:
    """The line on which a key of the notes stands, from 1."""
    pattern = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if _NOTES.match(line)), 0)
    return next((i for i, line in enumerate(lines[first:], first + 1) if pattern.match(line)), 1)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name.lower())


_NOTES: Final = re.compile(r"\s*\[\s*notes\s*\]")
_BY_PLAIN_NAME: Final = {_plain(drum.name): drum for drum in DRUMS}
