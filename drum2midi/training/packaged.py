"""Packaged one-shots: drums that Debian packages carry, as a folder of one-shots.

    apt install sonic-pi-samples lmms-common hydrogen-drumkits exadrums
    python -m drum2midi.training.packaged OUT

Sonic Pi's samples are CC0 1.0, those of LMMS GPL-2 or later, Hydrogen's kits GPL-2, GPL-2 or
later and CC BY 3.0, eXaDrums' BSD 3-clause. Each file is mixed to mono, cut to begin shortly
before its attack and brought to one peak.
``OUT/index.csv`` has the columns that `drum2midi.training.oneshots` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import soundfile
import soxr
import typer

from drum2midi.errors import InputError
from drum2midi.training.oneshots import write_index, write_oneshot
from drum2midi.training.synthesis import ATTACK, RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

_BEGUN: Final = 0.05  # of the peak; so loud, a stroke has begun
_LONGEST: Final = 3.0
_FADE: Final = 0.01


@dataclass(frozen=True)
class Package:
    """A Debian package's folder of drums, and what its file names mean.

    Attributes
    ----------
    name : str
        Begins the names of its kits.
    folder : str
        Under ``/usr/share``.
    licence : str
        Of the files that are named here.
    kits : mapping of str to mapping of str to str
        For every kit: the piece that files are of, by how their names begin, and its
        articulation after a slash.
    layer : str
        Regular expression of what the layers of one instrument differ in, at the end of
        their names.
    """

    name: str
    folder: str
    licence: str
    kits: Mapping[str, Mapping[str, str]]
    layer: str = "_hard|_soft"


PACKAGES: Final = (
    Package(
        "sonic-pi",
        "sonic-pi/samples",
        "CC0-1.0",
        {
            "acoustic": {
                "drum_bass_": "kick",
                "drum_heavy_kick": "kick",
                "drum_snare_": "snare",
                "drum_cymbal_closed": "hihat_closed",
                "drum_cymbal_open": "hihat_open",
                "drum_cymbal_pedal": "hihat_pedal",
                "drum_cymbal_hard": "crash",
                "drum_cymbal_soft": "crash",
                "drum_splash_": "splash",
                "drum_tom_hi_": "tom_high",
                "drum_tom_mid_": "tom_mid",
                "drum_tom_lo_": "tom_low",
            },
            "electronic": {
                "bd_": "kick",
                "elec_soft_kick": "kick",
                "elec_hollow_kick": "kick",
                "sn_": "snare",
                "elec_snare": "snare",
                "elec_hi_snare": "snare",
                "elec_mid_snare": "snare",
                "elec_lo_snare": "snare",
                "elec_filt_snare": "snare",
            },
        },
    ),
    Package(
        "lmms",
        "lmms/samples/drums",
        "GPL-2+",
        {
            "drums": {
                "bassdrum": "kick",
                "kick01": "kick",  # kick04 is no file that can be read
                "kick02": "kick",
                "kick03": "kick",
                "kick_hard01": "kick",
                "kick_hiphop": "kick",
                "kick_long": "kick",
                "kick_soft": "kick",
                "snare": "snare",
                "nasty_snare": "snare",
                "sidestick": "side_stick",
                "rim01": "side_stick",
                "hihat_closed": "hihat_closed",
                "hihat_foot": "hihat_pedal",
                "hihat_opened": "hihat_open",
                "crash": "crash",
                "ride": "ride",
                "tom_hi": "tom_high",
                "tom_mid": "tom_mid",
                "tom_low": "tom_low",
            },
        },
    ),
    Package(
        "forzee",
        "hydrogen/data/drumkits/ForzeeStereo",
        "GPL-2",
        {
            "stereo": {
                "Kick-": "kick",
                "Snare-": "snare",
                "SnareRim-": "snare",
                "SnareOff-": "snare/off",
                "SnareOffRim-": "snare/off",
                "RimClick-": "side_stick",
                "HiHatClosed-": "hihat_closed",
                "HiHatOpen-": "hihat_open",
                "HiHatSemiopen-": "hihat_open/half",
                "HiHatFoot-": "hihat_pedal",
                "TomHigh-": "tom_high",
                "TomMid-": "tom_mid",
                "TomLow-": "tom_low",
                "Crash18-": "crash",
                "CrashRide18-": "crash",
                "China-": "china",
                "Splash10-": "splash",
                "Ride-": "ride",
                "RideBow-": "ride",
                "CrashRide18Bow-": "ride",
                "RideBell-": "ride_bell",
                "CrashRide18Bell-": "ride_bell",
            },
        },
        layer=r"-\d",
    ),
    Package(
        "colombo",
        "hydrogen/data/drumkits/ColomboAcousticDrumkit",
        "GPL-2+",
        {
            "acoustic": {
                "bassdrum-": "kick",
                "snare-": "snare",
                "stick-rim-": "side_stick",
                "hihat-closed-": "hihat_closed",
                "hihat-open-": "hihat_open",
                "hihat-semi-open-": "hihat_open/half",
                "tom-hi-": "tom_high",
                "tom-mid-": "tom_mid",
                "tom-low-": "tom_low",
                "crash16i__crash": "crash",
                "crash20i__crash": "crash",
                "crash16i__ride2": "ride",
                "crash20i__ride4": "ride",
                "crash16i__ride_cup": "ride_bell",
                "crash20i__ride-cup": "ride_bell",
            },
        },
        layer=r"\d",
    ),
    Package(
        "rumpf",
        "hydrogen/data/drumkits/rumpf_kit_z01_h2",
        "CC-BY-3.0",
        {
            "z01": {  # as the kit's own map has it
                "beats_06-38": "kick",
                "beats_06-46": "kick",
                "beats_07-18": "kick",
                "beats_07-20": "kick",
                "beats_01-21": "snare",
                "beats_06-25": "snare",
                "beats_09-12": "side_stick",
                "beats_09-10": "hihat_closed",
                "beats_08-31": "hihat_open",
                "beats_06-28": "hihat_pedal",
                "beats_08-17": "tom_low",
                "beats_08-18": "tom_mid",
                "beats_08-19": "tom_high",
                "beats_06-43": "crash",
                "beats_08-20": "ride",
                "beats_06-40": "ride_bell",
            },
        },
    ),
    Package(
        "exadrums",
        "exadrums",
        "BSD-3-Clause",
        {
            "acoustic": {
                "BD_Acou": "kick",
                "Snr_Acou": "snare",
                "Tom01": "tom_high",
                "Tom03": "tom_low",
                "Crash_High": "crash",
                "RideEdge": "ride",
                "RideBell": "ride_bell",
            },
        },
    ),
)


def trim(audio: Audio) -> Audio:
    """From `ATTACK` seconds before the attack on, peak 1, fading out at the end.

    Parameters
    ----------
    audio : float32, shape (n,)
        One stroke at `RATE`.
    """
    level = np.abs(audio)
    start = int(np.argmax(level > _BEGUN * level.max())) - int(ATTACK * RATE)
    cut = np.concatenate((np.zeros(max(0, -start), np.float32), audio[max(0, start) :]))
    cut = cut[: int(_LONGEST * RATE)]
    fade = min(len(cut), int(_FADE * RATE))
    cut[len(cut) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return np.asarray(cut / np.abs(cut).max(), np.float32)


def gather(out: Path, *, root: Path = Path("/usr/share")) -> int:
    """Write what the packages carry as FLAC files with their index; return how many.

    Parameters
    ----------
    out : Path
        Folder to make.
    root : Path
        Where packages put their data.

    Raises
    ------
    InputError
        If a package is not installed, or a file of it is not a sound.
    """
    for package in PACKAGES:
        if not (root / package.folder).is_dir():
            raise InputError(f"{root / package.folder}: no such folder; is the package installed?")
    rows: list[dict[str, object]] = []
    for package in PACKAGES:
        source, before = root / package.folder, len(rows)
        for kit, pieces in package.kits.items():
            for files in _instruments(source, pieces, package.layer):
                rows += _write(out, files, f"{package.name}-{kit}", package, source)
        if len(rows) == before:
            raise InputError(f"{source}: none of its drums is there")
    write_index(out, rows)
    return len(rows)


def _instruments(
    source: Path, pieces: Mapping[str, str], layer: str
) -> Iterator[list[tuple[Path, str]]]:
    """Files of one instrument, with the piece that they are of."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for file in sorted(source.iterdir()):
        for start, piece in pieces.items():
            if file.name.startswith(start):
                found.setdefault(_instrument(file, layer), []).append((file, piece))
                break
    yield from found.values()


def _instrument(file: Path, layer: str) -> str:
    """The name that all layers of an instrument share."""
    return re.sub(f"({layer})$", "", file.stem)


def _write(
    out: Path, files: list[tuple[Path, str]], kit: str, package: Package, source: Path
) -> list[dict[str, object]]:
    """The one-shots of one instrument, levels below the loudest; their rows of the index."""
    sounds = [_read(file) for file, _ in files]
    peaks = [float(np.abs(sound).max()) for sound in sounds]
    rows: list[dict[str, object]] = []
    for (file, sort), sound, peak in zip(files, sounds, peaks, strict=True):
        piece, _, articulation = sort.partition("/")
        rows.append(
            write_oneshot(
                out,
                file.stem,
                trim(sound),
                rate=RATE,
                kit=kit,
                piece=piece,
                articulation=articulation,
                instrument=_instrument(file, package.layer),
                level_db=round(20.0 * float(np.log10(peak / max(peaks))), 1),
                licence=package.licence,
                source=f"{package.folder}/{file.relative_to(source)}",
            )
        )
    return rows


def _read(file: Path) -> Audio:
    try:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"{file}: cannot be read ({error.error_string})") from None
    if not samples.any():
        raise InputError(f"{file}: holds no sound")
    return np.asarray(soxr.resample(samples.mean(1), rate, RATE), np.float32)


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    root: Annotated[Path, typer.Option(help="Where packages put their data.")] = Path("/usr/share"),
) -> None:
    """Gather the drums of Debian packages as one-shots."""
    try:
        count = gather(out, root=root)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} one-shots")


if __name__ == "__main__":
    typer.run(_main)
