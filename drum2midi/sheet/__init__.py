"""The drum sheet: a transcription as a music21 score and as MusicXML.

music21 takes long to import, so it is imported when a score is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from drum2midi.transcription import Transcription

if TYPE_CHECKING:
    from music21.stream import Score

__all__ = ["to_music21", "write_sheet"]


def to_music21(transcription: Transcription) -> Score:
    """Engrave a transcription as a music21 score of one drum-set part.

    The score is complete, beams and tuplets included, and can be shown or changed with
    music21. `write_sheet` knows more about drums than music21's own exporter does: it
    gives every notehead of a chord its own instrument and velocity.
    """
    from drum2midi.sheet.engraver import engrave

    return engrave(transcription)


def write_sheet(transcription: Transcription, path: str | Path) -> None:
    """Write a transcription as MusicXML.

    Parameters
    ----------
    transcription : Transcription
    path : path
        ``.musicxml`` or ``.xml``, or ``.mxl`` for a compressed file.

    Raises
    ------
    InputError
        For another suffix, or if the file cannot be written.
    """
    from drum2midi.sheet.musicxml import write

    write(to_music21(transcription), Path(path))
