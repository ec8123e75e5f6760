"""Drum patterns as text, for tests.

A score is a line for each drum, with bars between ``|``::

    hh x-x- x-x- x-x- x-x- | x-x- x-x- x-x- xxx
    sd ---- x--- ---- x--- | %
    bd x--- ---- x-x- ---- | %

A bar's words are equal parts of it, and a word's characters equal parts of the word, so
that ``xxx`` as one of four words in a 4/4 bar is a triplet of eighths. ``%`` is the bar
before once more, ``.`` a silent bar. Strokes: ``x`` plain, ``X`` loud, ``g`` soft, ``f``
with a flam's grace stroke, ``d`` with a drag's two, ``r`` in a roll, ``z`` in a roll with a
grace stroke of the roll before it. A line ``metre 4/4 | 3/4`` gives
metres bar by bar, the last one from there on; ``4/4:1`` is a bar of one beat of a 4/4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from drum2midi import drums
from drum2midi.transcription import STRAIGHT, Bar, Grid, Hit, Metre, Note, Swing, Transcription

DRUMS: Final = {
    "bd": drums.KICK,
    "sd": drums.SNARE,
    "cs": drums.CROSS_STICK,
    "hh": drums.CLOSED_HAT,
    "oh": drums.OPEN_HAT,
    "ph": drums.PEDAL_HAT,
    "ht": drums.HIGH_TOM,
    "mt": drums.MID_TOM,
    "ft": drums.FLOOR_TOM,
    "cr": drums.CRASH,
    "rd": drums.RIDE,
    "rb": drums.RIDE_BELL,
}
VELOCITIES: Final = {"x": 90, "X": 125, "g": 30, "f": 90, "d": 90, "r": 60, "z": 60}
_GRACES: Final = {"f": 1, "d": 2, "z": 1}
_GRACE_VELOCITY: Final = 40


def read_score(
    text: str,
    *,
    bpm: float | list[float] = 120.0,
    times: int = 1,
    title: str = "A pattern",
    composer: str = "",
    swing: Swing = STRAIGHT,
) -> Transcription:
    """Make a transcription of a score.

    Parameters
    ----------
    text : str
    bpm : float or list of float
        Quarter notes a minute; a list gives them bar by bar.
    times : int
        How often to play the whole of it.
    """
    lines = dict(line.split(maxsplit=1) for line in text.strip().splitlines())
    metres = [_read_metre(word) for word in lines.pop("metre", "4/4").split("|")]
    parts = {DRUMS[name]: _bars(line) for name, line in lines.items()}
    count = max((len(bars) for bars in parts.values()), default=1)
    metres += metres[-1:] * (count - len(metres))
    tempi = bpm if isinstance(bpm, list) else [bpm]
    tempi = tempi + tempi[-1:] * (count * times - len(tempi))
    grid = _grid(metres[:count] * times, tempi)
    places = [
        (repeat * count + index, *stroke, drum)
        for repeat in range(times)
        for drum, bars in parts.items()
        for index, bar in enumerate(bars)
        for stroke in _strokes(bar, grid.bars[index].length)
    ]
    notes = [note for place in sorted(places, key=_place) for note in _notes(grid, *place)]
    return Transcription(
        hits=tuple(sorted((_hit(note) for note in notes), key=lambda hit: hit.onset)),
        grid=grid,
        notes=tuple(notes),
        duration=grid.end,
        title=title,
        composer=composer,
        swing=swing,
    )


def _place(place: tuple[int, Fraction, str, drums.Drum]) -> tuple[int, Fraction, int]:
    return place[0], place[1], place[3].midi


def _bars(line: str) -> list[str]:
    bars: list[str] = []
    for bar in line.split("|"):
        bars.append(bars[-1] if bar.strip() == "%" else bar.strip())
    return bars


def _strokes(bar: str, length: Fraction) -> Iterator[tuple[Fraction, str]]:
    words = bar.split()
    for i, word in enumerate(words):
        for j, character in enumerate(word):
            if character in VELOCITIES:
                yield length * (i + Fraction(j, len(word))) / len(words), character


def _read_metre(word: str) -> tuple[Metre, int]:
    text, _, beats = word.strip().partition(":")
    metre = Metre.parse(text)
    return metre, int(beats) if beats else metre.numerator


def _grid(metres: list[tuple[Metre, int]], tempi: list[float]) -> Grid:
    bars, now = [], 0.0
    for (metre, beats), bpm in zip(metres, tempi, strict=True):
        step = float(metre.beat) * 60.0 / bpm
        bars.append(Bar(metre, tuple(now + i * step for i in range(beats))))
        now += beats * step
    return Grid(tuple(bars), now)


def _notes(
    grid: Grid, bar: int, position: Fraction, character: str, drum: drums.Drum
) -> Iterator[Note]:
    onset = float(grid.seconds(float(grid.bar_quarters[bar] + position)))
    roll = character in "rz"
    for i in range(_GRACES.get(character, 0), 0, -1):
        yield Note(bar, position, drum, _GRACE_VELOCITY, onset - 0.03 * i, True, roll)
    yield Note(bar, position, drum, VELOCITIES[character], onset, False, roll)


def _hit(note: Note) -> Hit:
    return Hit(note.onset, note.drum, note.velocity)


@dataclass(frozen=True)
class Case:
    """A score and what its sheet must show; `tremolos` is the hands' rhythm with rolls folded.

    Rhythms are read bar by bar: ``8`` an eighth, ``r4`` a quarter rest, ``R`` a whole
    bar's rest, ``(R)`` one that is not shown, ``4/3`` a quarter with three tremolo lines,
    ``8.-16`` two notes under a beam, ``3(8-8-8)`` a triplet and ``3[4 8]`` one with a bracket.
    An empty rhythm stands for a voice that is left out.
    """

    score: str
    hands: str
    feet: str = ""
    graces: int = 0
    ghosts: int = 0
    accents: int = 0
    tremolos: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def read(self) -> Transcription:
        """The transcription of the score."""
        return read_score(self.score, **self.options)


BACKBEAT: Final = """
hh x-x- x-x- x-x- x-x-
sd ---- x--- ---- x---
bd x--- ---- x-x- ----
"""
_EIGHTHS: Final = "8-8 8-8 8-8 8-8"
_THIRTYSECONDS: Final = "32-32-32-32-32-32-32-32"

CASES: Final[dict[str, Case]] = {
    "backbeat": Case(BACKBEAT, _EIGHTHS, "4 r4 8-8 r4"),
    "one stroke": Case("sd x--- ---- ---- ----", "4 r4 r2"),
    "one kick": Case("bd x--- ---- ---- ----", "R", "4 r4 r2"),
    "silent bars": Case("sd x---|.|.|---- ---- ---- x---", "4 r4 r2 | R | R | r2 r4 4"),
    "rest across the middle": Case("sd x--- ---- ---- x---", "4 r4 r4 4"),
    # Straight values
    "quarters": Case("rd x--- x--- x--- x---", "4 4 4 4"),
    "off-beat eighths": Case("hh --x- --x- --x- --x-", "r8 8 r8 8 r8 8 r8 8"),
    "sixteenths": Case("hh xxxx xxxx xxxx xxxx", " ".join(["16-16-16-16"] * 4)),
    "dotted eighth": Case("bd x--x ---- --xx ----", "R", "8.-16 r4 r8 16-16 r4"),
    "late sixteenth": Case("bd ---x ---- ---- ----", "R", "r8 r16 16 r4 r2"),
    "inner sixteenths": Case("sd -xx- -x-x xx-- xx-x", "r16 16-8 r16 8-16 16-8. 16-8-16"),
    "thirty-seconds": Case(
        "sd xxxxxxxx x-x-x-x- x------x -x--x---",
        "32-32-32-32-32-32-32-32 16-16-16-16 8.-r32-32 r32 16.-8",
    ),
    # Ternary values
    "triplets": Case("sd xxx xxx xxx xxx", " ".join(["3(8-8-8)"] * 4)),
    "shuffle": Case("rd x-x x-x x-x x-x", " ".join(["3[4 8]"] * 4)),
    "triplet rests": Case("sd -xx --x -x- xx-", "3[r8 8-8] 3[r4 8] 3[r8 4] 3[8 4]"),
    "triplets of quarters": Case("cr x-x -x- --x -x-", "3[4 4 4] 3[r4 4 4]"),
    "sextuplets": Case(
        "sd xxxxxx x-xx-x xxx--- x-x-xx",
        "6(16-16-16-16-16-16) 6(8-16-8-16) 3(16-16-16) r8 3(8-8-16-16)",
    ),
    "half a beat in three": Case(
        "sd xxxx-- x--xxx xxxx-- ------", "3[16-16-16]-8 8-3[16-16-16] 3[16-16-16]-8 r4"
    ),
    "three against four": Case(
        "hh xxx xxx xxx xxx\nbd x--x ---- --x- ----",
        " ".join(["3(8-8-8)"] * 4),
        "8.-16 r4 r8 8 r4",
    ),
    "quarters' triplets under eighths'": Case(
        "hh xxx xxx x--- x---\nbd x-x -x- ---- ----", "3(8-8-8) 3(8-8-8) 4 4", "3[4 8] 3[r8 4] r2"
    ),
    "a triplet of sixteenths under a sextuplet": Case(
        "hh xxxxxx x--- x--- x---\nbd xxx--- ---- ---- ----",
        "6(16-16-16-16-16-16) 4 4 4",
        "3(16-16-16) r8 r4 r2",
    ),
    "hands early in a triplet and feet late": Case(
        "hh xx---- x--- x--- x---\nbd ----x- ---- ---- ----",
        "3[16-16 r8 r8] 4 4 4",
        "3[r4 8] r4 r2",
    ),
    "a third beside a sixteenth": Case(
        "sd ---xx------- ---- ---- ----", "3[r16 r32 32-16] r8 r4 r2"
    ),
    "straight and ternary halves": Case(
        "sd x--x--x-x-x- x---x-x--x-- ---- ----", "16-16-3[16-16-16] 3[8-16]-16-16 r2"
    ),
    # Marks
    "ghosts": Case("sd -g-g x--g -g-g x---", "r16 8-16 8.-16 r16 8-16 4", ghosts=5),
    "one soft backbeat in many": Case(
        "sd ---- x--- ---- x---|%|%|---- g--- ---- x---",
        " | ".join(["r4 4 r4 4"] * 4),
        ghosts=1,
    ),
    "an even loud backbeat": Case("sd ---- X--- ---- X---|%", "r4 4 r4 4 | r4 4 r4 4"),
    "a softer song has no ghosts": Case("sd g-g- g-g- g-g- g-g-", _EIGHTHS),
    "accents": Case("hh x-x- x-x- x-x- x-X-|%", f"{_EIGHTHS} | {_EIGHTHS}", "(R) | (R)", accents=2),
    "one mark for two accents": Case(
        "hh x-x- x-x- x-x- X-x-\nsd x-x- x-x- x-x- X-x-", _EIGHTHS, "(R)", accents=1
    ),
    "loud on every beat is no accent": Case("hh X-x- X-x- X-x- X-x-", _EIGHTHS),
    "flam": Case("sd ---- f--- ---- f---", "r4 4 r4 4", graces=2),
    "flam under a hi-hat": Case(
        "hh x-x- x-x- x-x- x-x-\nsd ---- f--- ---- x---", _EIGHTHS, graces=1
    ),
    "flams on two drums": Case(
        "sd ---- f--- ---- ----\nht ---- f--- ---- ----", "r4 4 r2", graces=2
    ),
    "drag": Case("sd ---- d--- ---- ----", "r4 4 r2", graces=2),
    "flam of the feet": Case("bd f--- ---- x--- ----", "R", "4 r4 4 r4", graces=1),
    # Rolls
    "roll of a beat": Case(
        "sd x--- rrrrrrrr x--- ----\nbd x--- ---- x--- ----",
        f"4 {_THIRTYSECONDS} 4 r4",
        "4 r4 4 r4",
        tremolos="4 4/3 4 r4",
    ),
    "roll of a bar": Case(
        "sd rrrrrrrr rrrrrrrr rrrrrrrr rrrrrrrr | x--- ---- ---- ----",
        " ".join([_THIRTYSECONDS] * 4) + " | 4 r4 r2",
        tremolos="1/3 | 4 r4 r2",
    ),
    "roll into a stroke": Case(
        "sd ---- ----rrrr x--- ----",
        "r4 r8 32-32-32-32 4 r4",
        tremolos="r4 r8 8/2 4 r4",
    ),
    "two short rolls": Case(
        "sd rrrrrrrr ---- rrrrxxxx ----\nht ---- ---- ---- xxxx",
        f"{_THIRTYSECONDS} r4 {_THIRTYSECONDS} 16-16-16-16",
        tremolos="4/3 r4 8/2-32-32-32-32 16-16-16-16",
    ),
    "five-stroke roll": Case(
        "sd ---- rrrrr--- ---- ----",
        "r4 32-32-32-32-8 r2",
        tremolos="r4 8/2-8 r2",
    ),
    "roll under a crash": Case(
        "sd rrrrrrrr rrrrrrrr ---- ----\ncr x--- ---- ---- ----",
        f"{_THIRTYSECONDS} {_THIRTYSECONDS} r2",
        tremolos=f"{_THIRTYSECONDS} 4/3 r2",
    ),
    "roll of another drum": Case(
        "ft rrrrrrrr ---- ---- ----\nsd ---- rrrrrrrr x--- ----",
        f"{_THIRTYSECONDS} {_THIRTYSECONDS} 4 r4",
        tremolos="4/3 4/3 4 r4",
    ),
    "dense roll": Case(
        "sd rzrzrzrz zrzzrzzr x--- ----",
        f"{_THIRTYSECONDS} {_THIRTYSECONDS} 4 r4",
        graces=9,
        tremolos="2/3 4 r4",
    ),
    "roll that misses a stroke": Case(
        "sd rrr-rrrr x--- ---- ----", "32-32-16-32-32-32-32 4 r2", tremolos="4/3 4 r2"
    ),
    "roll in 6/8": Case(
        "metre 6/8\nsd rrrrrrrrrrrr x--",
        "32-32-32-32-32-32-32-32-32-32-32-32 4.",
        tremolos="4./3 4.",
    ),
    "roll of a bar in 12/8": Case(
        "metre 12/8\nsd rrrrrrrrrrrr rrrrrrrrrrrr x-- ---",
        "32-32-32-32-32-32-32-32-32-32-32-32 32-32-32-32-32-32-32-32-32-32-32-32 4. r4.",
        tremolos="2./3 4. r4.",
    ),
    # The kit
    "open hi-hat": Case("hh x-x- x-x- x-x- x---\noh ---- ---- ---- --x-", _EIGHTHS),
    "pedal hi-hat": Case(
        "rd x--- x-xx x--- x-xx\nph ---- x--- ---- x---",
        "4 8-16-16 4 8-16-16",
        "r4 4 r4 4",
    ),
    "cross-stick": Case("cs ---- x--- ---- x---\nhh x-x- x-x- x-x- x-x-", _EIGHTHS),
    "ride and bell": Case("rd x--- x--- x--- x---\nrb --x- --x- --x- --x-", _EIGHTHS),
    "crash": Case(
        "cr x--- ---- ---- ----\nhh --x- x-x- x-x- x-x-\nbd x--- ---- ---- ----",
        _EIGHTHS,
        "4 r4 r2",
    ),
    "fill": Case(
        "sd xxxx ---- ---- ----\nht ---- xxxx ---- ----\nmt ---- ---- xx-- ----\n"
        "ft ---- ---- --xx xx--\nbd ---- ---- ---- x---",
        "16-16-16-16 16-16-16-16 16-16-16-16 16-8.",
        "r2 r4 4",
    ),
    "every drum": Case(
        "cr x--- ---- ---- ----\nrd ---- x--- ---- ----\nrb ---- --x- ---- ----\n"
        "hh x-x- ---- x-x- ----\noh ---- ---- ---- x---\nsd ---- x--- ---- ----\n"
        "cs ---- ---- x--- ----\nht ---- ---- ---- -x--\nmt ---- ---- ---- --x-\n"
        "ft ---- ---- ---- ---x\nbd x--- ---- x--- ----\nph ---- x--- ---- x---",
        "8-8 8-8 8-8 16-16-16-16",
        "4 4 4 4",
    ),
    # Metres
    "3/4": Case("metre 3/4\nrd x--- x-x- x-x-\nbd x--- ---- ----", "4 8-8 8-8", "4 r4 r4"),
    "2/4": Case("metre 2/4\nhh x-x- x-x-\nbd x--- --x-", "8-8 8-8", "4 r8 8"),
    "2/2": Case("metre 2/2\nsd x--- ---- ---- ----", "4 r4 r2"),
    "5/4": Case("metre 5/4\nbd x--- ---- ---- x--- ----", "R", "4 r4 r4 4 r4"),
    "7/4": Case(
        "metre 7/4\nsd --x- ---- x--- ---- x--- ---- xxxx",
        "r8 8 r4 4 r4 4 r4 16-16-16-16",
    ),
    "6/8": Case("metre 6/8\nhh xxx xxx\nsd --- x--\nbd x-- ---", "8-8-8 8-8-8", "4. r4."),
    "6/8 in twos": Case("metre 6/8\nrd x-x x-x|-x- --x", "4 8 4 8 | r8 4 r4 8"),
    "6/8 sixteenths": Case(
        "metre 6/8\nhh xxxxxx x-x-xx|x--x-- x--xx-",
        "16-16-16-16-16-16 8-8-16-16 | 8.-8. 8.-16-8",
    ),
    "6/8 in small threes": Case("metre 6/8\nsd xxx------ ---", "3(16-16-16) r8 r8 r4."),
    "6/8 beams over the rest": Case(
        "metre 6/8\nhh x-x xxx|xxx xx-",
        "8-r8-8 8-8-8 | 8-8-8 8-8 r8",
    ),
    "6/8 upbeat": Case("metre 6/8\nsd --x xxx", "r4 8-8-8-8"),
    "3/8": Case("metre 3/8\nhh xxx|x-x|x--|.", "8-8-8 | 4 8 | 4. | R"),
    "9/8": Case("metre 9/8\nhh xxx xxx xxx\nbd x-- --- ---", "8-8-8 8-8-8 8-8-8", "4. r4. r4."),
    "12/8": Case(
        "metre 12/8\nhh xxx xxx xxx xxx\nsd --- x-- --- x--\nbd x-- --- x-x ---",
        "8-8-8 8-8-8 8-8-8 8-8-8",
        "4. r4. 4 8 r4.",
    ),
    "12/8 rests": Case(
        "metre 12/8\nsd x-- --- --- ---|--- --- x-- ---",
        "4. r4. r2. | r2. 4. r4.",
    ),
    "5/8": Case("metre 5/8\nhh xxxxx\nbd x-x--", "8-8 8-8-8", "4 4."),
    "7/8": Case("metre 7/8\nhh xxxxxxx\nbd x---x--", "8-8 8-8 8-8-8", "4 r4 4."),
    "7/8 sixteenths": Case(
        "metre 7/8\nhh xxxxxxxxxxxxxx", "16-16-16-16-16-16 16-16-16-16 16-16-16-16"
    ),
    "7/8 counted in 2+3+2": Case(
        "metre 7/8\nhh xxxxxxx\nsd --x--x-\nbd x------", "8-8 8-8-8 8-8", "4 r4. r4"
    ),
    "5/8 counted in 3+2": Case("metre 5/8\nhh xxxxx\nbd x--x-", "8-8-8 8-8", "4. 4"),
    # Bars
    "pickup": Case("metre 4/4:1 | 4/4\nsd xxx | x--- ---- ---- ----", "3(8-8-8) | 4 r4 r2"),
    "pickup in 6/8": Case("metre 6/8:2 | 6/8\nsd xx | x-- ---", "8-8 | 4. r4."),
    "silent pickup": Case("metre 4/4:2 | 4/4\nsd . | x--- ---- ---- ----", "r4 r4 | 4 r4 r2"),
    "pickup of the feet": Case("metre 4/4:2 | 4/4\nbd ---- x--- | .", "r4 r4 | R", "r4 4"),
    "short bar": Case(
        "metre 4/4 | 4/4:2 | 4/4\nhh x-x- x-x- x-x- x-x- | x-x- x-x- | x-x- x-x- x-x- x-x-",
        f"{_EIGHTHS} | 8-8 8-8 | {_EIGHTHS}",
    ),
    "short last bar": Case(
        "metre 4/4 | 4/4:3\nhh x-x- x-x- x-x- x-x- | x--- x--- x---",
        f"{_EIGHTHS} | 4 4 4",
    ),
    "metres in turn": Case(
        "metre 4/4 | 3/4 | 6/8 | 7/8\nhh x-x- x-x- x-x- x-x- | x-x- x-x- x-x- | xxx xxx | xxxxxxx",
        f"{_EIGHTHS} | 8-8 8-8 8-8 | 8-8-8 8-8-8 | 8-8-8 8-8 8-8",
    ),
    "a long song": Case(
        BACKBEAT,
        " | ".join([_EIGHTHS] * 300),
        " | ".join(["4 r4 8-8 r4"] * 300),
        options={"times": 300},
    ),
}
