"""The drum sheet: a transcription as a music21 score, as MusicXML and as pages.

music21 takes long to import, so it is imported when a score is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from drum2midi.drums import DRUMS
from drum2midi.errors import InputError
from drum2midi.files import check_ours, is_ours, replacing
from drum2midi.transcription import Transcription

if TYPE_CHECKING:
    from music21.stream import Score

__all__ = ["to_music21", "write_pages", "write_sheet"]


PAPERS: Final = ("a4", "letter")
ROLLS: Final = ("written", "tremolo")


def to_music21(
    transcription: Transcription, *, repeats: bool = False, rolls: str = "written"
) -> Score:
    """Engrave a transcription as a music21 score of one drum-set part.

    Parameters
    ----------
    transcription : Transcription
    repeats : bool
        Whether to write passages that look the same once, between repeat barlines.
    rolls : {"written", "tremolo"}
        Every stroke of a roll as a note of its own, or one note with lines through its stem.
        A tremolo is what a drummer expects, but one note then stands for many strokes, and
        programs that compare or convert notes do not find those of the ``.mid``.

    Returns
    -------
    music21.stream.Score

    Raises
    ------
    InputError
        For another way to write rolls.

    Notes
    -----
    The score is complete, beams and tuplets included, and can be shown or changed with
    music21. `write_sheet` knows more about drums than music21's own exporter does: it
    gives every notehead of a chord its own instrument and velocity.
    """
    if rolls not in ROLLS:
        raise InputError(f"rolls {rolls!r} is none of {', '.join(ROLLS)}")
    from drum2midi.sheet.engraver import engrave

    return engrave(transcription, repeats=repeats, tremolos=rolls == "tremolo")


def write_sheet(
    transcription: Transcription,
    path: str | Path,
    *,
    repeats: bool = False,
    rolls: str = "written",
) -> None:
    """Write a transcription as MusicXML.

    Parameters
    ----------
    transcription : Transcription
    path : path
        ``.musicxml`` or ``.xml``, or ``.mxl`` for a compressed file.
    repeats, rolls
        See `to_music21`.

    Raises
    ------
    InputError
        For another suffix or way to write rolls, or if the file cannot be written.
    """
    from drum2midi.sheet.musicxml import write

    write(to_music21(transcription, repeats=repeats, rolls=rolls), Path(path))


def write_pages(
    transcription: Transcription,
    path: str | Path,
    *,
    paper: str = "a4",
    repeats: bool = False,
    rolls: str = "tremolo",
) -> tuple[Path, ...]:
    """Write a transcription as pages to look at or print.

    Parameters
    ----------
    transcription : Transcription
    path : path
        ``.pdf``; or ``.svg``, of which the second page is ``song-2.svg`` and so on.
    paper : {"a4", "letter"}
    repeats, rolls
        See `to_music21`.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    InputError
        For another suffix, paper or way to write rolls, or if a file cannot be written; a
        second page is not written over a file of somebody else's.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".pdf", ".svg"}:
        raise InputError(f"cannot write {path}: pages are .pdf or .svg")
    if paper not in PAPERS:
        raise InputError(f"paper {paper!r} is none of {', '.join(PAPERS)}")
    from drum2midi.sheet import musicxml, pages

    score = to_music21(transcription, repeats=repeats, rolls=rolls)
    title, composer = score.metadata.title, score.metadata.composer or ""
    played = {note.drum for note in transcription.notes}
    drums = [drum for drum in DRUMS if drum in played]
    xml = musicxml.to_bytes(score)
    drawn = pages.draw_pages(xml, paper=paper, composer=composer, drums=drums)
    if suffix == ".svg":
        contents = {
            _page_path(path, number): pages.to_bytes(page, number)
            for number, page in enumerate(drawn, 1)
        }
    else:
        from drum2midi.sheet import pdf

        contents = {path: pdf.to_bytes(drawn, title=title, author=composer)}
    # Nobody asked for the names of further pages: neither somebody's file may be in their way nor
    # the first page of another song.
    for number, target in [*enumerate(contents, 1)][1:]:
        check_ours(target, pages.mark(number))
    for target, content in contents.items():
        with replacing(target) as temporary:
            temporary.write_bytes(content)
    if suffix == ".svg":
        _remove_pages(path, len(contents) + 1)
    return tuple(contents)


def _remove_pages(path: Path, first: int) -> None:
    """Further pages, from the first on, that a longer song has left there."""
    from drum2midi.sheet.pages import mark

    number = first
    while is_ours(stale := _page_path(path, number), mark(number)):
        stale.unlink()
        number += 1


def _page_path(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")
