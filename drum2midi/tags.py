"""What a recording's file says of itself: title and artist."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import soundfile


@dataclass(frozen=True, slots=True)
class Tags:
    """Empty where the file says nothing."""

    title: str = ""
    artist: str = ""


def read_tags(path: Path) -> Tags:
    """The tags of a recording; none for a kind of file whose tags are not known."""
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            said = file.copy_metadata()
    except (soundfile.LibsndfileError, TypeError):  # TypeError: samples without a header
        return Tags()
    return Tags(plain(said.get("title", "")), plain(said.get("artist", "")))


def plain(text: str) -> str:
    """One line without characters that cannot be shown; what is no Unicode becomes ``?``."""
    line = " ".join(text.encode(errors="replace").decode().split())
    return "".join(letter for letter in line if letter.isprintable())
