"""Cargo: what pieces are rendered from, packed small enough to travel.

    python -m drum2midi.training.device.cargo CARGO --oneshots DIR --grooves DIR --impulses DIR \
        --soundfont FILE.sf2

One-shots are cut where they have nearly died away; they and clips of accompaniment are kept as
Ogg Vorbis in a few streams. Soundfonts stay at home: the clips are played before the journey.
Beside what `drum2midi.training.accompany` makes up, others' songs accompany (``--song FILE.mid``,
all but their kit) and real music without drums (``--drumless``, `drum2midi.training.drumless`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import soundfile
import soxr
import typer

from drum2midi.audio import read_audio
from drum2midi.drums import DRUMS
from drum2midi.errors import InputError
from drum2midi.training import accompany, effects
from drum2midi.training.grooves import list_grooves
from drum2midi.training.oneshots import Instrument, OneShot, load_library
from drum2midi.training.pieces import Material, read_impulses
from drum2midi.training.song_set import USUAL_TEMPO, play_band, read_songs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

RATE: Final = 44100
CLIP_SECONDS: Final = 20.0
"""Length of a clip of accompaniment."""

_ANY_SPEED: Final = 0.06
"""Spread, in nats, of how fast a clip of no known tempo is played."""

_STREAMS: Final = 14
LONGEST: Final = 2.0
"""Seconds of a one-shot, where what travels has to be small."""

_DIED_AWAY: Final = 10.0 ** (-55.0 / 20.0)
_FADE: Final = 441
_SQUEEZE: Final = {"shots": 0.65, "clips": 0.9}  # from 0, the best, to 1, the smallest
_SONG_CLIPS: Final = 6  # of one song
_SILENCE: Final = 1e-3
_HEADROOM: Final = np.float32(0.9)
_GAP: Final = 2048
"""Samples of silence after every sound: the codec would put a click where the next begins."""

_BLOCK: Final = 1 << 16
_INDEX: Final = "cargo.json"


@dataclass(frozen=True)
class Clips:
    """Accompaniment that was played before, as a `drum2midi.training.pieces.Player`.

    Attributes
    ----------
    sounds : tuple of float16 arrays
    tempi : tuple of float
        Beats a minute; the first beat is at 0 s. 0 if it is not known.
    """

    sounds: tuple[NDArray[np.float16], ...]
    tempi: tuple[float, ...]

    def play(self, beats: NDArray[np.float64], rng: np.random.Generator, *,
             seconds: float) -> Audio:  # fmt: skip
        """A clip brought to the tempo of beats at given seconds, over and over; peak 1.

        Faster is higher, too. An octave's difference of tempo is none: eighths become quarters.
        What has no tempo is as fast as it was, or nearly so.
        """
        chosen = int(rng.integers(len(self.sounds)))
        sound = self.sounds[chosen].astype(np.float32)
        if tempo := self.tempi[chosen]:
            octaves = np.log2(60.0 / float(np.median(np.diff(beats))) / tempo)
            speed = float(2.0 ** ((octaves + 0.5) % 1.0 - 0.5))
            # Whole bars, so that it can begin again.
            bar = 4.0 * 60.0 / tempo
            sound = sound[: int(bar * max(1, int(len(sound) / RATE / bar)) * RATE)]
        else:
            speed = float(np.exp(rng.normal(0.0, _ANY_SPEED)))
        sound = np.asarray(soxr.resample(sound, RATE * speed, RATE, quality="LQ"), np.float32)
        start = int(max(0.0, float(beats[0])) * RATE)
        length = int(seconds * RATE)
        repeats = -(-length // max(1, len(sound)))
        out = np.concatenate((np.zeros(start, np.float32), np.tile(sound, repeats)))[:length]
        out = effects.equalise(out, rng, depth_db=4.0, rate=RATE)
        if rng.random() < 0.3:
            out = effects.saturate(out, float(rng.uniform(-3.0, 12.0)))
        peak = float(np.abs(out).max(initial=0.0))
        return np.asarray(out / np.float32(peak) if peak else out, np.float32)


def pack(
    out: Path,
    *,
    oneshots: Sequence[Path],
    grooves: Path,
    impulses: Path,
    soundfonts: Sequence[Path] = (),
    clips: int = 160,
    songs: Sequence[Path] = (),
    drumless: Path | None = None,
    longest: float = LONGEST,
    without_kits: Sequence[str] = (),
    seed: int = 0,
) -> None:
    """Write a cargo folder.

    Parameters
    ----------
    out : Path
    oneshots, grooves, impulses, soundfonts, without_kits
        See `drum2midi.training.pieces.Sources`.
    clips : int
        Clips of accompaniment that is made up, of 20 s each.
    songs : sequence of Path
        Songs as MIDI, whose bands are clips besides (see `drum2midi.training.song_set.read_songs`).
    drumless : Path, optional
        Folder of clips of real music without drums, which are too.
    longest : float
        Seconds at which one-shots are cut. Most of the room is cymbals'.
    seed : int
        Decides the accompaniment.

    Raises
    ------
    InputError
        If material is missing.
    """
    library = load_library(*oneshots, without=without_kits, sample_rate=RATE)
    out.mkdir(parents=True, exist_ok=True)
    sounds: dict[int, tuple[int, Audio]] = {}

    def number(samples: NDArray[np.float16]) -> int:
        known = sounds.setdefault(id(samples), (len(sounds), np.zeros(0, np.float32)))
        if not len(known[1]):
            sounds[id(samples)] = (known[0], trim(samples.astype(np.float32), longest))
        return known[0]

    instruments = [
        [
            {"kit": one.kit, "name": one.name, "weight": one.weight,
             "layers": [[number(shot.samples), shot.level_db] for shot in one.layers]}
            for one in library[drum]
        ]
        for drum in DRUMS
    ]  # fmt: skip
    for file in [grooves / "info.csv", *(f.path for f in list_grooves(grooves, split="train"))]:
        target = out / "grooves" / file.relative_to(grooves)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    shutil.copytree(impulses, out / "impulses", dirs_exist_ok=True)
    bands = [
        *_accompany(soundfonts, clips, seed),
        *_from_songs(songs, soundfonts),
        *_from_folder(drumless),
    ]
    facts = {
        "instruments": instruments,
        "tempi": [tempo for _, tempo in bands],
        "gap": _GAP,
        "shots": _write(out, "shots", [sound for _, sound in sounds.values()]),
        "clips": _write(out, "clips", [sound for sound, _ in bands]),
    }
    (out / _INDEX).write_text(json.dumps(facts))


def unpack(folder: Path, *, map_files: Callable[..., Any] = map) -> Material:
    """Load a cargo folder.

    Parameters
    ----------
    folder : Path
    map_files : callable
        What decodes the streams: `map`, or that of a pool of processes.

    Raises
    ------
    InputError
        If it is none.
    """
    index = folder / _INDEX
    if not index.is_file():
        raise InputError(f"{index}: no such file; pack a cargo first")
    facts = json.loads(index.read_text())
    if facts.get("gap") != _GAP:
        raise InputError(f"{index}: of another version of drum2midi; pack it again")
    shots = _read(folder, "shots", facts["shots"], map_files)
    clips = _read(folder, "clips", facts["clips"], map_files)
    library = {
        drum: tuple(
            Instrument(
                one["kit"],
                one["name"],
                tuple(OneShot(shots[shot], level) for shot, level in one["layers"]),
                one["weight"],
            )
            for one in rows
        )
        for drum, rows in zip(DRUMS, facts["instruments"], strict=True)
    }
    return Material(
        library,
        list_grooves(folder / "grooves", split="train"),
        read_impulses(folder / "impulses"),
        [Clips(tuple(clips), tuple(facts["tempi"]))] if clips else [],
    )


def trim(samples: Audio, longest: float = LONGEST) -> Audio:
    """A sound up to where it has died away, or so many seconds of it, faded out."""
    loud = np.flatnonzero(np.abs(samples) > _DIED_AWAY * np.abs(samples).max(initial=1e-9))
    stop = min(len(samples), int(longest * RATE), (int(loud[-1]) if len(loud) else 0) + _FADE)
    kept = samples[:stop].copy()
    fade = min(_FADE, stop)
    kept[stop - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return np.asarray(kept, np.float32)


def _accompany(soundfonts: Sequence[Path], clips: int, seed: int) -> Iterator[tuple[Audio, float]]:
    if not soundfonts:
        return
    voices = accompany.speak(rate=RATE)
    bands = [accompany.Band(font, voices, rate=RATE) for font in soundfonts]
    rng = np.random.default_rng(seed)
    for index in range(clips):
        tempo = float(np.exp(rng.uniform(np.log(75.0), np.log(160.0))))
        beats = np.arange(0.0, CLIP_SECONDS + 6.0, 60.0 / tempo)
        yield bands[index % len(bands)].play(beats, rng, seconds=CLIP_SECONDS), tempo


def _from_songs(files: Sequence[Path], soundfonts: Sequence[Path]) -> Iterator[tuple[Audio, float]]:
    """What accompanies the kit in some songs, each played by the next soundfont."""
    fonts = cycle(soundfonts)
    for song in read_songs(files) if soundfonts else ():
        tempo = 60e6 / next((m.tempo for m in song.band if m.type == "set_tempo"), USUAL_TEMPO)
        bar = 4.0 * 60.0 / tempo
        wanted = min(song.strokes[-1].onset, _SONG_CLIPS * CLIP_SECONDS)
        sound = play_band(song.band, next(fonts), wanted)
        step = bar * max(1, int(CLIP_SECONDS / bar))
        for start in np.arange(0.0, wanted - CLIP_SECONDS, step):
            clip = sound[int(start * RATE) :][: int(CLIP_SECONDS * RATE)]
            if (peak := float(np.abs(clip).max())) > _SILENCE:
                yield clip / np.float32(peak), tempo


def _from_folder(folder: Path | None) -> Iterator[tuple[Audio, float]]:
    """Clips of music without drums."""
    for path in sorted(folder.glob("*.ogg")) if folder else ():
        yield read_audio(path, sample_rate=RATE).samples, 0.0


def _write(out: Path, name: str, sounds: Sequence[Audio]) -> list[list[int]]:
    """Streams of sounds; of each, the sounds' lengths."""
    lengths = []
    for stream in range(_STREAMS):
        own = sounds[stream::_STREAMS]
        lengths.append([len(sound) for sound in own])
        silence = np.zeros(_GAP, np.float32)
        audio = np.concatenate([part for sound in own for part in (sound, silence)] or [silence])
        audio *= _HEADROOM
        with soundfile.SoundFile(
            out / f"{name}-{stream}.ogg", "w", RATE, 1, subtype="VORBIS", format="OGG",
            compression_level=_SQUEEZE[name],
        ) as file:  # fmt: skip
            for first in range(0, len(audio), _BLOCK):
                file.write(audio[first : first + _BLOCK])
    return lengths


def _read(
    folder: Path, name: str, lengths: Sequence[Sequence[int]], map_files: Callable[..., Any]
) -> list[NDArray[np.float16]]:
    files = [folder / f"{name}-{stream}.ogg" for stream in range(len(lengths))]
    streams = [
        [samples[end - length : end] for length, end in zip(own, _ends(own), strict=True)]
        for samples, own in zip(map_files(_decode, files), lengths, strict=True)
    ]
    count = sum(len(own) for own in lengths)
    return [streams[i % len(lengths)][i // len(lengths)] for i in range(count)]


def _ends(lengths: Sequence[int]) -> list[int]:
    """Where each sound of a stream ends, with a gap after every one."""
    return [int(end) for end in np.cumsum(lengths) + _GAP * np.arange(len(lengths))]


def _decode(file: Path) -> NDArray[np.float16]:
    return np.asarray(soundfile.read(file, dtype="float32")[0] / _HEADROOM, np.float16)


def _main(
    out: Annotated[Path, typer.Argument(metavar="CARGO")],
    oneshots: Annotated[list[Path], typer.Option(help="Folder with index.csv; repeatable.")],
    grooves: Annotated[Path, typer.Option()],
    impulses: Annotated[Path, typer.Option()],
    soundfont: Annotated[list[Path] | None, typer.Option(help="Repeatable.")] = None,
    hold_out: Annotated[list[str] | None, typer.Option(help="A kit to leave out.")] = None,
    clips: Annotated[int, typer.Option(help="Clips of accompaniment.")] = 160,
    longest: Annotated[float, typer.Option(help="Seconds at which one-shots are cut.")] = LONGEST,
    song: Annotated[
        list[Path] | None, typer.Option(help="MIDI whose band plays too. Repeatable.")
    ] = None,
    drumless: Annotated[Path | None, typer.Option(help="Folder of clips without drums.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Pack material to train on a GPU with."""
    try:
        pack(out, oneshots=oneshots, grooves=grooves, impulses=impulses,
             soundfonts=soundfont or (), clips=clips, songs=song or (), drumless=drumless,
             longest=longest, without_kits=hold_out or (), seed=seed)  # fmt: skip
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 2**20
    typer.echo(f"{out}: {size:.0f} MiB")


if __name__ == "__main__":
    typer.run(_main)
