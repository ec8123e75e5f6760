"""Soundfont kits: drums of soundfonts that Debian packages carry, as a folder of one-shots.

    apt install avldrums.lv2-soundfont minuet-data denemo-data csound-soundfont
    python -m drum2midi.training.soundfont_kits OUT

Blonde Bop, an acoustic kit played with sticks and with hot rods, is in avldrums.lv2-soundfont
since Debian 13 (CC BY-SA 3.0); GeneralUser GS in minuet-data may be used for anything, A320U in
denemo-data is GPL-2, and sf_GMbank in csound-soundfont in the public domain. FluidSynth strikes
every drum of every kit at each of `VELOCITIES`, without reverberation; what sounds like a stroke
that another kit of the soundfont has already given is left out. ``OUT/index.csv`` has the columns
that `drum2midi.training.oneshots` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from drum2midi.drums import CHANNEL
from drum2midi.errors import InputError
from drum2midi.training.accompany import synthesiser
from drum2midi.training.oneshots import write_index, write_oneshot
from drum2midi.training.packaged import trim
from drum2midi.training.synthesis import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

VELOCITIES: Final = (14, 40, 65, 90, 118)
"""One within each of the five layers that Blonde Bop has."""

_SECONDS: Final = 3.5  # of a stroke, before it is cut
_PAUSE: Final = 0.2  # seconds until nothing of it sounds
_GAIN: Final = 0.3  # of FluidSynth, at velocity 127
_INAUDIBLE: Final = 5e-4  # of a stroke's peak
_ALIKE: Final = 0.99  # correlation from which on two strokes are the same sample
_SILENT: Final = 1e-4  # where a kit has no such drum, next to nothing sounds

GENERAL_MIDI: Final = {
    35: "kick",
    36: "kick",
    37: "side_stick",
    38: "snare",
    40: "snare",
    41: "tom_low",
    42: "hihat_closed",
    43: "tom_low",
    44: "hihat_pedal",
    45: "tom_mid",
    46: "hihat_open",
    47: "tom_mid",
    48: "tom_high",
    49: "crash",
    50: "tom_high",
    51: "ride",
    52: "china",
    53: "ride_bell",
    55: "splash",
    57: "crash",
    59: "ride",
}
"""The piece, and its articulation after a slash, that each note strikes."""

AVL: Final = {
    36: "kick",
    37: "side_stick",
    38: "snare",
    40: "snare/edge",
    41: "tom_low",
    42: "hihat_closed",
    43: "tom_low/edge",
    44: "hihat_pedal",
    45: "tom_high",
    46: "hihat_open/half",
    47: "tom_high/edge",
    48: "hihat_open/swish",
    49: "crash",
    51: "ride",
    53: "ride_bell",
    55: "splash",
    57: "crash",
    59: "ride/shank",
    60: "china",
}
"""The notes of AVL Drumkits as avldrums.lv2 has them since version 0.7."""


@dataclass(frozen=True)
class Soundfont:
    """A soundfont of a Debian package.

    Attributes
    ----------
    name : str
        Begins the names of its kits.
    file : str
        Under ``/usr/share``.
    licence : str
    presets : tuple of (int, int)
        Bank and program of every kit.
    notes : mapping of int to str
    """

    name: str
    file: str
    licence: str
    presets: tuple[tuple[int, int], ...]
    notes: Mapping[int, str]


# Not the brushes, whose second snare is a swirl, not a stroke.
_GM_KITS: Final = tuple((128, program) for program in (0, 8, 16, 24, 25, 32))

_NO_DRUMS: Final = {(24, 52)}
"""Programs and notes that are no drum: the electronic kit has a cymbal played backwards there."""

SOUNDFONTS: Final = (
    Soundfont("blonde-bop", "sounds/sf2/Blonde_Bop_LV2.sf2", "CC-BY-SA-3.0", ((0, 0),), AVL),
    Soundfont("blonde-bop-hr", "sounds/sf2/Blonde_Bop_HR_LV2.sf2", "CC-BY-SA-3.0", ((0, 0),), AVL),
    Soundfont(
        "generaluser",
        "minuet/soundfonts/GeneralUser-v1.47.sf2",
        "GeneralUser GS License v2.0",
        (*_GM_KITS, (128, 1)),
        GENERAL_MIDI,
    ),
    Soundfont("a320u", "sounds/sf2/A320U.sf2", "GPL-2", _GM_KITS, GENERAL_MIDI),
    Soundfont("gmbank", "sounds/sf2/sf_GMbank.sf2", "public domain", _GM_KITS, GENERAL_MIDI),
)


def gather(out: Path, *, root: Path = Path("/usr/share")) -> int:
    """Write what the soundfonts carry as FLAC files with their index; return how many.

    Parameters
    ----------
    out : Path
        Folder to make.
    root : Path
        Where packages put their data.

    Raises
    ------
    InputError
        If FluidSynth or a soundfont is not installed, or nothing sounds in one.
    """
    for font in SOUNDFONTS:
        if not (root / font.file).is_file():
            raise InputError(f"{root / font.file}: no such soundfont; is the package installed?")
    rows: list[dict[str, object]] = []
    for font in SOUNDFONTS:
        before = len(rows)
        rows += _write(out, font, root / font.file)
        if len(rows) == before:
            raise InputError(f"{root / font.file}: none of its drums sounds")
    write_index(out, rows)
    return len(rows)


def _write(out: Path, font: Soundfont, path: Path) -> Iterator[dict[str, object]]:
    """The one-shots of a soundfont's kits; their rows of the index."""
    synth, number = synthesiser(path, rate=RATE)
    synth.setting("synth.reverb.active", 0)
    known: dict[str, list[NDArray[np.float32]]] = {}
    try:
        for bank, program in font.presets:
            kit = f"{font.name}-{program}" if len(font.presets) > 1 else font.name
            synth.program_select(CHANNEL, number, bank, program)
            for note, sort in font.notes.items():
                if (program, note) in _NO_DRUMS:
                    continue
                piece, _, articulation = sort.partition("/")
                strokes = {v: _strike(synth, note, v) for v in VELOCITIES}
                for velocity, level_db, audio in _new(strokes, known.setdefault(piece, [])):
                    yield write_oneshot(
                        out, f"{note}-{velocity}", audio, rate=RATE, kit=kit, piece=piece,
                        articulation=articulation, instrument=f"note{note}", level_db=level_db,
                        licence=font.licence, source=f"{font.file}, {bank}:{program}",
                    )  # fmt: skip
    finally:
        synth.delete()


def _new(
    strokes: Mapping[int, NDArray[np.float32]], known: list[NDArray[np.float32]]
) -> Iterator[tuple[int, float, NDArray[np.float32]]]:
    """Velocity, decibels below the loudest and sound of strokes unlike those known, which grow."""
    peaks = {velocity: float(np.abs(sound).max()) for velocity, sound in strokes.items()}
    for velocity, sound in strokes.items():
        if peaks[velocity] < _SILENT:
            continue
        audio = _without_silence(trim(sound))
        if not any(_same(audio, other) for other in known):
            known.append(audio)
            level_db = 20.0 * float(np.log10(peaks[velocity] / max(peaks.values())))
            yield velocity, round(level_db, 1), audio


def _strike(synth: Any, note: int, velocity: int) -> NDArray[np.float32]:
    """A stroke in mono, float32 at `RATE`; what sounds on after it is let go."""
    gain = _GAIN * (127.0 / velocity) ** 1.5  # sixteen bits are few for what is soft
    synth.setting("synth.gain", gain)
    synth.noteon(CHANNEL, note, velocity)
    stereo = np.asarray(synth.get_samples(int(_SECONDS * RATE)), np.float32).reshape(-1, 2)
    synth.all_sounds_off(CHANNEL)
    synth.get_samples(int(_PAUSE * RATE))
    return np.asarray(stereo.mean(axis=1) / (32768.0 * gain), np.float32)


def _without_silence(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Up to the last sample that can be heard beside the stroke's peak."""
    heard = np.flatnonzero(np.abs(audio) > _INAUDIBLE)
    return audio[: int(heard[-1]) + 1]


def _same(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Whether two strokes, both from their attack on, are one but for their level."""
    length = max(len(first), len(second))
    one, other = (np.pad(sound, (0, length - len(sound))) for sound in (first, second))
    return bool(one @ other > _ALIKE * np.sqrt((one @ one) * (other @ other)))


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    root: Annotated[Path, typer.Option(help="Where packages put their data.")] = Path("/usr/share"),
) -> None:
    """Gather the drums of Debian's soundfonts as one-shots."""
    try:
        count = gather(out, root=root)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} one-shots")


if __name__ == "__main__":
    typer.run(_main)
