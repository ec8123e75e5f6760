"""Drum parts by the book, as performances: what players are taught, in every metre and tempo.

    python -m drum2midi.training.textbook OUT [--songs N]

Writes OUT/NAME.mid: sections of a bar or two that are told by a timekeeper, backbeats and the
places where a kick may fall, with fills, crashes and ghost notes. The human grooves are nearly
all in 4/4 and accompaniment styles have a metre at the tempi of their dances; in the books, a
waltz and a 6/8 are simple and as fast as you like. `drum2midi.training.patterns` learns bars
from them, beside those of `drum2midi.training.styles`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer

from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    FLOOR_TOM,
    HIGH_TOM,
    KICK,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    SNARE,
    Drum,
)
from drum2midi.training.played import write_performance

Stroke = tuple[float, Drum, int]
"""Beats from the start of the bar or song, drum and velocity."""


@dataclass(frozen=True)
class Chapter:
    """One way to play a metre.

    Attributes
    ----------
    count, unit : int
        Of the time signature.
    tempi : (float, float)
        Beats a minute.
    backbeats : tuple of tuple of float
        Beats of the bar that have the snare: one of these.
    kicks : tuple of float
        Beats that a kick may have besides the first.
    keepers : tuple of str
        Strokes of the timekeeper in a beat, or in several that come again: one of these.
    foot : tuple of float
        Beats on which the foot may close the hi-hat.
    """

    count: int
    unit: int
    tempi: tuple[float, float]
    backbeats: tuple[tuple[float, ...], ...]
    kicks: tuple[float, ...]
    keepers: tuple[str, ...] = ("x", "xx", "xx")
    foot: tuple[float, ...] = ()


_IN_THREE: Final = ((1.0, 2.0), (1.0, 2.0), (2.0,), (1.0,), ())
# What is to be learnt twice as well is there twice.
CHAPTERS: Final = (
    Chapter(3, 4, (75, 215), _IN_THREE, (1.5, 2.0, 2.5, 0.5)),
    Chapter(3, 4, (75, 215), _IN_THREE, (1.5, 2.0, 2.5, 0.5)),
    Chapter(
        3, 4, (80, 240), ((), (2.0,), (5 / 3,)), (2.0, 2 / 3, 5 / 3), ("x-- x-x x--",), (1.0, 2.0)
    ),
    Chapter(4, 4, (50, 100), ((1.0, 3.0),), (0.5, 1.5, 2.0, 2.5, 3.5), ("xx", "xxxx")),
    Chapter(4, 4, (120, 190), ((2.0,),), (0.5, 1.5, 2.5, 3.0, 3.5), ("xx",)),
    Chapter(4, 4, (75, 110), ((2.0,),), (2 / 3, 5 / 3, 8 / 3, 11 / 3), ("x-x",)),
    Chapter(4, 4, (150, 250), ((1.0, 3.0),), (0.5, 1.5, 2.0, 2.5, 3.5)),
    Chapter(4, 4, (75, 190), ((1.0, 3.0),), (5 / 3, 2.0, 8 / 3, 11 / 3), ("x-x",)),
    Chapter(4, 4, (150, 290), ((), (), (5 / 3,)), (2.0, 8 / 3), ("x-- x-x",), (1.0, 3.0)),
    Chapter(6, 8, (110, 330), ((3.0,),), (2.0, 5.0, 4.0, 2.5), ("x", "x", "xx", "x - x", "x - -")),
    Chapter(6, 8, (110, 330), ((3.0,),), (2.0, 5.0, 4.0, 2.5), ("x", "x", "xx", "x - x", "x - -")),
    Chapter(12, 8, (130, 330), ((3.0, 9.0),), (5.0, 6.0, 8.0, 11.0), ("x", "x", "x - x")),
    Chapter(5, 4, (85, 220), ((1.0, 3.0), (3.0,), (2.0, 4.0), (2.0,)), (1.5, 2.5, 3.0, 4.5)),
    Chapter(5, 4, (110, 230), ((), (3.0,)), (3.0, 5 / 3), ("x-- x-x x-- x-- x-x",), (1.0, 3.0)),
    Chapter(5, 8, (230, 370), ((3.0,), (2.0,)), (2.0, 3.0, 4.0)),
    Chapter(7, 8, (140, 370), ((2.0, 4.0), (4.0,), (2.0,), (2.0, 6.0)), (2.0, 4.0, 3.0, 5.0)),
    Chapter(7, 8, (140, 370), ((3.0, 5.0), (3.0,), (2.0, 5.0), (5.0,)), (2.0, 3.0, 5.0, 6.0)),
    Chapter(7, 4, (85, 190), ((1.0, 3.0, 5.0), (2.0, 5.0), (1.0, 4.0)), (0.5, 2.0, 3.5, 4.0, 6.5)),
)

_SECTIONS: Final = (2, 5)
_BARS: Final = (4, 8, 8, 16)
_TOMS: Final = (HIGH_TOM, MID_TOM, FLOOR_TOM)
_KEEPERS: Final = (CLOSED_HAT, CLOSED_HAT, CLOSED_HAT, RIDE, OPEN_HAT, FLOOR_TOM)


def _groove(chapter: Chapter, rng: np.random.Generator) -> list[Stroke]:
    """One bar."""
    strokes: list[Stroke] = []
    keeper = chapter.keepers[rng.integers(len(chapter.keepers))]
    drum = _KEEPERS[rng.integers(len(_KEEPERS))]
    drum = RIDE if chapter.foot else drum
    beats = keeper.split()
    accent = int(rng.integers(0, 25))
    for beat in range(chapter.count):
        places = beats[beat % len(beats)]
        for place, mark in enumerate(places):
            if mark == "x":
                strokes.append((beat + place / len(places), drum, 70 + accent * (place == 0)))
    backbeats = chapter.backbeats[rng.integers(len(chapter.backbeats))]
    strokes += [(beat, SNARE, 105) for beat in backbeats]
    likely = rng.uniform(0.1, 0.6)
    kicks = [beat for beat in chapter.kicks if beat not in backbeats and rng.random() < likely]
    strokes += [(beat, KICK, 95) for beat in (0.0, *kicks)]
    if rng.random() < 0.25:
        each = _parts(chapter)
        ghosts = rng.permutation(each * chapter.count)[: rng.integers(1, 4)] / each
        strokes += [(float(ghost), SNARE, 28) for ghost in ghosts if ghost not in backbeats]
    if chapter.foot and rng.random() < 0.8:
        strokes += [(beat, PEDAL_HAT, 60) for beat in chapter.foot]
    return strokes


def _fill(chapter: Chapter, first: int, rng: np.random.Generator) -> list[Stroke]:
    """Strokes from a beat to the end of the bar, on snare and toms after a kick."""
    each = _parts(chapter)
    drums = (SNARE, *_TOMS)
    strokes: list[Stroke] = [(float(first), KICK, 90)]
    for beat in range(first, chapter.count):
        drum = drums[int(rng.integers(len(drums)))]
        parts = int(rng.choice((1, each, each)))
        strokes += [(beat + part / parts, drum, 95) for part in range(parts)]
    return strokes


def _parts(chapter: Chapter) -> int:
    """Into how many a beat is divided: sixteenths, or triplets where the keeper has them."""
    swung = all(len(keeper.split()[0]) == 3 for keeper in chapter.keepers)
    return 3 if swung and chapter.unit == 4 else 16 // chapter.unit


def _bars(chapter: Chapter, rng: np.random.Generator) -> Iterator[list[Stroke]]:
    """The bars of a song."""
    phrase = int(rng.choice((4, 8)))
    crashing, filling = rng.random() < 0.7, rng.random() < 0.8
    for _ in range(int(rng.integers(*_SECTIONS))):
        groove = _groove(chapter, rng)
        answer = groove
        if rng.random() < (1.0 if chapter.count == 12 else 0.3):
            kicks = [s for s in _groove(chapter, rng) if s[1] == KICK]
            answer = [s for s in groove if s[1] != KICK] + kicks
        for bar in range(int(rng.choice(_BARS))):
            strokes = (groove, answer)[bar % 2]
            if filling and bar % phrase == phrase - 1:
                first = int(rng.integers(chapter.count))
                strokes = [s for s in strokes if s[0] < first] + _fill(chapter, first, rng)
            if crashing and bar % phrase == 0:
                strokes = [*strokes, (0.0, CRASH, 110)]
            yield strokes
    if rng.random() < 0.5:
        yield [(0.0, KICK, 105), (0.0, CRASH, 110)]


def write_songs(out: Path, *, songs: int, seed: int = 0) -> None:
    """Write songs by the book, OUT/book-NUMBER.mid."""
    out.mkdir(parents=True, exist_ok=True)
    for number in range(songs):
        rng = np.random.default_rng((seed, number))
        chapter = CHAPTERS[number % len(CHAPTERS)]
        tempo = float(np.exp(rng.uniform(*np.log(chapter.tempi))))
        strokes = [
            (bar * chapter.count + beat, drum, velocity)
            for bar, strokes in enumerate(_bars(chapter, rng))
            for beat, drum, velocity in strokes
        ]
        song = out / f"book-{number:04d}.mid"
        write_performance(song, strokes, count=chapter.count, unit=chapter.unit, tempo=tempo)


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    songs: Annotated[int, typer.Option(help="How many to write.")] = 486,
) -> None:
    """Write drum parts by the book, in every metre and tempo."""
    write_songs(out, songs=songs)
    typer.echo(f"{out}: {songs} songs")


if __name__ == "__main__":
    typer.run(_main)
