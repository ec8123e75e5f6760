"""Drum parts of accompaniment styles as performances: metres and swing that the grooves lack.

    python -m drum2midi.training.styles OUT

Writes OUT/NAME.mid, drums alone, from the grooves of MMA (Musical MIDI Accompaniment by
Bob van der Poel; Debian's package `mma`, GPL-2+), which must be installed: a section of
each of some grooves of a file, now and then with an introduction, fills and an ending; of those
in 4/4, of which the human grooves have enough, only what swings: a drummer or two play jazz there.
`drum2midi.training.patterns` learns bars from them.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import mido
import numpy as np
import typer

from drum2midi.drums import BY_MIDI, CHANNEL
from drum2midi.errors import InputError
from drum2midi.training.played import write_performance

LIBRARY: Final = Path("/usr/share/mma/lib")
"""Where Debian's package puts the grooves."""

_SONGS: Final = 10  # of a file and metre
_SECTIONS: Final = (2, 6)
_BARS: Final = (4, 8, 8, 16)
_FEWEST: Final = 16  # strokes that are worth keeping
# Beats a minute (eighths for 6 and 12), and of grooves that are called slow or fast.
_TEMPI: Final = {3: (85, 190), 4: (100, 240), 5: (90, 200), 6: (140, 350), 12: (150, 350)}
_SPEEDS: Final = ((r"slow|ballad|bald|lullaby", 0.65), (r"fast|bebop|vienese|quick", 1.4))
# What a bar is, by MMA's beats in it and its time signature: beats to count, MMA's in one.
_METRES: Final = {
    ("3", "3/4"): (3, 1.0),
    ("3", "4/4"): (3, 1.0),
    ("5", "5/4"): (5, 1.0),
    ("6", "6/8"): (6, 1.0),
    ("6", "4/4"): (6, 1.0),
    ("3", "6/8"): (6, 0.5),
    ("2", "6/8"): (6, 1 / 3),
}
_COMMON: Final = ("4", "4/4")
# And what that is, by the file's name; nothing else in it is taken.
_NAMED: Final = (
    ("128", (12, 1 / 3)),
    (r"swing|bebop|jazz(?!bossa|country|rhumba|rock)", (4, 1.0)),
)


@dataclass(frozen=True)
class Style:
    """The grooves of a file that have drums and one metre.

    Attributes
    ----------
    name : str
        Folder and file, as MMA wants them.
    grooves : tuple of str
    count : int
        Beats in a bar.
    unit : float
        MMA's beats in one of them.
    """

    name: str
    grooves: tuple[str, ...]
    count: int
    unit: float

    def named(self, pattern: str) -> list[str]:
        """Its grooves whose names have a pattern."""
        return [name for name in self.grooves if re.search(pattern, name, re.IGNORECASE)]


def _mma(*arguments: str, folder: Path) -> str:
    """What MMA prints."""
    try:
        done = subprocess.run(
            ["mma", "-w", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise InputError("mma is not installed (Debian: apt-get install mma)") from None
    return done.stdout


def read_styles(file: Path, *, library: Path = LIBRARY) -> list[Style]:
    """The styles of a library file, one for each metre that its grooves have; 4/4 if it swings."""
    name = file.relative_to(library).with_suffix("").as_posix()
    with tempfile.TemporaryDirectory() as scratch:
        printed = _mma("-Djs", str(file), folder=Path(scratch))
        start = printed.find("[", printed.find("JSON"))
        grooves = [
            groove["groove"]
            for groove in json.loads(printed[start:] if start >= 0 else "[]")
            if any(track["track"].startswith("DRUM") for track in groove["tracks"])
            # With strings held besides; the drums are another groove's.
            and not groove["groove"].lower().endswith("sus")
        ]
        asked = "".join(
            f"Groove {name}:{groove}\nPrint METRE {groove} $_Time $_TimeSig\n" for groove in grooves
        )
        (Path(scratch) / "ask.mma").write_text(asked)
        answers = re.findall(
            r"METRE (\S+) (\S+) (\S+)", _mma("-n", "ask.mma", folder=Path(scratch))
        )
    metres: dict[tuple[int, float], list[str]] = {}
    for groove, beats, signature in answers:
        written = beats.removesuffix(".0"), signature
        metre = _METRES.get(written)
        if written == _COMMON:
            metre = next((metre for word, metre in _NAMED if re.search(word, name)), None)
        if metre is not None:
            metres.setdefault(metre, []).append(groove)
    return [Style(name, tuple(found), *metre) for metre, found in metres.items()]


def _sections(style: Style, rng: np.random.Generator) -> Iterator[tuple[str, int]]:
    """Grooves of a song, and for how many bars."""
    intros, fills, ends = (style.named(word) for word in ("intro", "fill", r"end(ing)?\d*$"))
    main = [name for name in style.grooves if name not in {*intros, *fills, *ends}]
    if intros and rng.random() < 0.4:
        yield str(rng.choice(intros)), 4
    for _ in range(int(rng.integers(*_SECTIONS))):
        bars = int(rng.choice(_BARS))
        groove = str(rng.choice(main or list(style.grooves)))
        filled = bool(fills) and rng.random() < 0.6
        yield groove, bars - filled
        if filled:
            yield str(rng.choice(fills)), 1
    if ends and rng.random() < 0.4:
        yield str(rng.choice(ends)), 2


def _tempo(style: Style, rng: np.random.Generator) -> float:
    low, high = _TEMPI[style.count]
    tempo = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    for pattern, factor in _SPEEDS:
        if re.search(pattern, style.name):
            tempo = min(tempo * factor, 1.2 * high)
    return tempo


def write_song(style: Style, out: Path, *, seed: int) -> bool:
    """Write the drums of a song in a style; False where they hardly play."""
    rng = np.random.default_rng(seed)
    lines = [
        f"RndSeed {seed}",
        *(f"Groove {style.name}:{groove}\nC * {bars}" for groove, bars in _sections(style, rng)),
    ]
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "song.mma").write_text("\n".join(lines) + "\n")
        _mma("-f", "song.mid", "song.mma", folder=Path(scratch))
        song = Path(scratch) / "song.mid"
        if not song.exists():
            return False
        strokes = _drums(mido.MidiFile(song))
    if len(strokes) < _FEWEST:
        return False
    _write(strokes, style, _tempo(style, rng), out)
    return True


def _drums(file: mido.MidiFile) -> list[tuple[float, int, int]]:
    """MMA's beats from the start, note and velocity of the strokes on the drum channel."""
    now, strokes = 0, []
    for message in mido.merge_tracks(file.tracks):
        now += message.time
        if message.type == "note_on" and message.velocity and message.channel == CHANNEL:
            strokes.append((now / file.ticks_per_beat, message.note, message.velocity))
    return sorted(stroke for stroke in strokes if stroke[1] in BY_MIDI)


def _write(
    strokes: Sequence[tuple[float, int, int]], style: Style, tempo: float, out: Path
) -> None:
    unit = 8 if style.count in (6, 12) else 4
    counted = [(beat / style.unit, BY_MIDI[note], velocity) for beat, note, velocity in strokes]
    write_performance(out, counted, count=style.count, unit=unit, tempo=tempo)


def _write_songs(file: Path, *, library: Path, out: Path) -> int:
    """Write the songs of a library file; how many."""
    written = 0
    for place, style in enumerate(read_styles(file, library=library)):
        name = f"{style.name.replace('/', '-')}-{place}"
        for song in range(_SONGS):
            written += write_song(style, out / f"{name}-{song}.mid", seed=song)
    return written


def write_songs(out: Path, *, library: Path = LIBRARY) -> int:
    """Write songs in all styles, OUT/NAME.mid; how many.

    Raises
    ------
    InputError
        If MMA or its library is not there.
    """
    files = sorted(library.glob("*/*.mma"))
    if not files:
        raise InputError(f"{library}: no grooves of MMA (Debian: apt-get install mma)")
    out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        return sum(pool.map(partial(_write_songs, library=library, out=out), files))


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    library: Annotated[Path, typer.Option(help="MMA's grooves.")] = LIBRARY,
) -> None:
    """Write drum parts of MMA's accompaniment styles that swing or are not in 4/4."""
    try:
        count = write_songs(out, library=library)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} songs")


if __name__ == "__main__":
    typer.run(_main)
