"""One-shots: single recorded hits, and kits drawn from them.

An instrument is one drum of one kit with its velocity layers; a kit is one
instrument for every drum of the vocabulary, most of them from one source and
some from others, so that no two pieces sound alike.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from drum2midi import drums
from drum2midi.drums import DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

PEAK: Final = 0.98
"""Of every file that is written; full scale may clip."""

# What each drum may sound like, by the index's `piece`, with how often.
_PIECES: Final[Mapping[Drum, Mapping[str, float]]] = {
    drums.KICK: {"kick": 1.0},
    drums.SNARE: {"snare": 1.0},
    drums.CROSS_STICK: {"side_stick": 1.0},
    drums.CLOSED_HAT: {"hihat_closed": 1.0},
    drums.OPEN_HAT: {"hihat_open": 1.0},
    drums.PEDAL_HAT: {"hihat_pedal": 1.0},
    drums.HIGH_TOM: {"tom_high": 1.0},
    drums.MID_TOM: {"tom_mid": 1.0},
    drums.FLOOR_TOM: {"tom_low": 1.0},
    drums.CRASH: {"crash": 1.0, "china": 0.25, "splash": 0.2},
    drums.RIDE: {"ride": 1.0},
    drums.RIDE_BELL: {"ride_bell": 1.0},
}
# A snare with things on it is no longer what a listener calls a snare.
_LEFT_OUT_ARTICULATIONS: Final = {"prepared", "stacked"}
_LEFT_OUT: Final = {("crash", "bell")}  # nearer to a ride's bell than to a crash
_RARE_ARTICULATIONS: Final = {
    "off": 0.3, "brush": 0.3, "orchestral": 0.4, "muted": 0.5, "swish": 0.2,
}  # fmt: skip
_BLENDED_LAYERS: Final = 8
_HATS: Final = (drums.CLOSED_HAT, drums.OPEN_HAT, drums.PEDAL_HAT)
_TOMS: Final = (drums.HIGH_TOM, drums.MID_TOM, drums.FLOOR_TOM)


@dataclass(frozen=True)
class OneShot:
    """One recorded hit: float16 mono samples, peak 1, and its level below the loudest, in dB."""

    samples: NDArray[np.float16]
    level_db: float


@dataclass(frozen=True)
class Instrument:
    """One drum of one kit: its one-shots, and how often to draw it against its like."""

    kit: str
    name: str
    layers: tuple[OneShot, ...]
    weight: float

    def draw(self, level_db: float, rng: np.random.Generator) -> OneShot:
        """A one-shot played about this loud; neighbours serve as round robins."""
        distance = np.array([abs(layer.level_db - level_db) for layer in self.layers])
        return self.layers[int(np.argmin(distance + rng.exponential(2.0, len(distance))))]


Library = Mapping[Drum, Sequence[Instrument]]
Kit = Mapping[Drum, Instrument]


def load_library(
    *folders: Path,
    only: Collection[str] = (),
    without: Collection[str] = (),
    sample_rate: int = 44100,
) -> Library:
    """Read the one-shots that the ``index.csv`` of every folder lists.

    Parameters
    ----------
    *folders : Path
        Each has ``index.csv`` with columns file, piece, articulation, kit, instrument, level_db.
    only, without : collection of str
        Kits to use, if any are named, and kits to leave out.
    sample_rate : int
        What the files must have, in hertz.

    Raises
    ------
    InputError
        If the index is missing, or a kit to use is not in it, or a file has another sample rate, or
        a drum has no one-shot.
    """
    listed = [row for folder in folders for row in _read_index(folder)]
    for kit in sorted(set(only) - {row["kit"] for row in listed}):
        raise InputError(f"{folders[0] / 'index.csv'}: no kit {kit}")
    rows = [
        row
        for row in listed
        if row["kit"] not in without
        and (not only or row["kit"] in only)
        and row["articulation"] not in _LEFT_OUT_ARTICULATIONS
        and (row["piece"], row["articulation"]) not in _LEFT_OUT
    ]
    library = {drum: _instruments(rows, _PIECES[drum], sample_rate) for drum in DRUMS}
    if not library[drums.PEDAL_HAT]:
        library[drums.PEDAL_HAT] = library[drums.CLOSED_HAT]
    if only:
        return library
    for drum, instruments in library.items():
        if not instruments:
            raise InputError(f"{folders[0] / 'index.csv'}: no one-shot of the {drum}")
    return library


def write_oneshot(
    folder: Path,
    stem: str,
    audio: NDArray[np.float32],
    *,
    rate: int,
    kit: str,
    piece: str,
    articulation: str = "",
    instrument: str,
    level_db: float,
    licence: str,
    source: str,
) -> dict[str, object]:
    """Write a one-shot as ``KIT/PIECE/STEM.flac`` in a folder; its row of the index.

    Parameters
    ----------
    folder : Path
    stem : str
    audio : float32, shape (n,)
        Its peak is 1.
    rate : int
        Hertz.
    kit, piece, articulation, instrument, licence, source : str
    level_db : float
        Decibels against the loudest of the instrument.
    """
    target = folder / kit / piece / f"{stem}.flac"
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(target, PEAK * audio, rate)
    return {
        "file": target.relative_to(folder).as_posix(),
        "piece": piece,
        "articulation": articulation,
        "kit": kit,
        "instrument": instrument,
        "level_db": level_db,
        "seconds": round(len(audio) / rate, 3),
        "licence": licence,
        "source": source,
    }


def write_index(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a folder's index; the columns are those of the first row."""
    with replacing(folder / "index.csv") as target, target.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _read_index(folder: Path) -> list[dict[str, str]]:
    """The rows of a folder's index, each file's path made whole."""
    index = folder / "index.csv"
    if not index.is_file():
        raise InputError(f"{index}: no such file; a folder of one-shots needs its index")
    with index.open(newline="") as lines:
        return [{**row, "file": str(folder / row["file"])} for row in csv.DictReader(lines)]


def _instruments(
    rows: Sequence[Mapping[str, str]],
    pieces: Mapping[str, float],
    sample_rate: int,
) -> tuple[Instrument, ...]:
    grouped: dict[tuple[str, str, str, str], list[OneShot]] = {}
    for row in rows:
        if row["piece"] in pieces:
            key = (row["kit"], row["instrument"], row["piece"], row["articulation"])
            samples, rate = soundfile.read(row["file"], dtype="float32")
            if rate != sample_rate:
                raise InputError(f"{row['file']}: {rate} Hz, needs {sample_rate} Hz")
            shot = OneShot(samples.astype(np.float16), float(row["level_db"]))
            grouped.setdefault(key, []).append(shot)
    return tuple(
        Instrument(
            kit,
            name,
            tuple(shots),
            pieces[piece] * _RARE_ARTICULATIONS.get(articulation, 1.0) * min(len(shots), 4) ** 0.5,
        )
        for (kit, name, piece, articulation), shots in grouped.items()
    )


def draw_kit(
    library: Library, rng: np.random.Generator, *, loyalty: float = 0.65, blends: float = 0.0
) -> Kit:
    """One instrument for every drum.

    A base kit is drawn first and serves each group of drums (kick, snare, hats,
    toms, cymbals) with probability `loyalty`; otherwise, or where it lacks them, another
    kit does. Hats stay together, and toms do, as they do on a real kit: what a kit
    lacks of them is all of one other kit.

    Parameters
    ----------
    library : Library
    rng : Generator
    loyalty : float
    blends : float
        Probability that a group sounds together with its like of another kit, as
        producers layer samples: more instruments than anyone recorded.
    """
    base = _draw_source(library, drums.SNARE, rng)
    kit: dict[Drum, Instrument] = {}
    for group in ((drums.KICK,), (drums.SNARE,), (drums.CROSS_STICK,), _HATS, _TOMS,
                  (drums.CRASH,), (drums.RIDE, drums.RIDE_BELL)):  # fmt: skip
        has = any(one.kit == base for one in library[group[0]])
        loyal = rng.random() < loyalty and has
        chosen = _draw_group(library, group, base if loyal else None, rng)
        if rng.random() < blends:
            second_db = float(rng.uniform(-14.0, 3.0))
            others = _draw_group(library, group, None, rng)
            chosen = {
                drum: _blend(one, others[drum], second_db, rng) for drum, one in chosen.items()
            }
        kit |= chosen
    return kit


def _draw_group(
    library: Library, group: Sequence[Drum], source: str | None, rng: np.random.Generator
) -> dict[Drum, Instrument]:
    """Drums of one kit, if none is given one that has the first; what it lacks of another."""
    chosen: dict[Drum, Instrument] = {}
    while len(chosen) < len(group):
        lacking = [drum for drum in group if drum not in chosen]
        source = source or _draw_source(library, lacking[0], rng)
        for drum in lacking:
            own = [one for one in library[drum] if one.kit == source]
            if own:
                chosen[drum] = _draw(own, rng)
        source = None
    return chosen


def _blend(
    first: Instrument, second: Instrument, second_db: float, rng: np.random.Generator
) -> Instrument:
    """Two instruments struck as one: each layer of the first with one as loud of the second."""
    chosen = rng.permutation(len(first.layers))[:_BLENDED_LAYERS]
    layers = []
    for index in chosen.tolist():
        layer = first.layers[index]
        other = second.draw(layer.level_db, rng)
        mixed = np.zeros(max(len(layer.samples), len(other.samples)), np.float32)
        mixed[: len(layer.samples)] += layer.samples
        mixed[: len(other.samples)] += np.float32(10.0 ** (second_db / 20.0)) * other.samples
        peak = max(1e-6, float(np.abs(mixed).max()))
        layers.append(OneShot((mixed / peak).astype(np.float16), layer.level_db))
    return Instrument(first.kit, f"{first.name}+{second.name}", tuple(layers), first.weight)


def _draw_source(library: Library, drum: Drum, rng: np.random.Generator) -> str:
    """A kit, each as likely as the square root of what it offers of that drum."""
    totals: dict[str, float] = {}
    for instrument in library[drum]:
        totals[instrument.kit] = totals.get(instrument.kit, 0.0) + instrument.weight
    weights = np.sqrt(list(totals.values()))
    return str(rng.choice(list(totals), p=weights / weights.sum()))


def _draw(instruments: Sequence[Instrument], rng: np.random.Generator) -> Instrument:
    weights = np.array([instrument.weight for instrument in instruments])
    return instruments[int(rng.choice(len(instruments), p=weights / weights.sum()))]
