"""Pieces: rendered drums and accompaniment, kept as mel powers with their strokes.

Drums and accompaniment stay apart, so that training mixes them anew, at another
level and with another equaliser, each time it draws a piece. A piece is made
from its number and a seed alone: the same number gives the same bytes.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import soundfile

from drum2midi.drums import DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings, mel_filters, mel_power
from drum2midi.training import accompany, oneshots, render
from drum2midi.training.grooves import GrooveFile, Stroke, list_grooves, read_groove

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS: Final = 24.0
"""Length of a piece."""

_FILL_SHARE: Final = 0.25
_SCATTERED: Final = 0.2
_PROGRAMMED: Final = 0.25
_BLENDED: Final = 0.3
_PLAIN: Final = 0.3
_PLAIN_TREATMENT: Final = 0.2
_ACCOMPANIED: Final = 0.6
_GHOST: Final = 35
_SILENCE: Final = 1e-9


@dataclass(frozen=True)
class Sources:
    """Folders and files that pieces are rendered from.

    Attributes
    ----------
    oneshots : tuple of Path
        Folders with ``index.csv`` and audio files.
    grooves, impulses : Path
        A folder with ``info.csv`` and MIDI files; a folder of audio files.
    soundfonts : tuple of Path
        For the accompaniment; none means drums alone.
    without_kits : tuple of str
        Kits held out for validation.
    """

    oneshots: tuple[Path, ...]
    grooves: Path
    impulses: Path
    soundfonts: tuple[Path, ...] = ()
    without_kits: tuple[str, ...] = ()


@dataclass(frozen=True)
class Piece:
    """One piece.

    Attributes
    ----------
    drums, band : float16, shape (frames, bands)
        Decibels of mel power; `band` is empty if nothing accompanies.
    frames : float32, shape (strokes,)
        Onsets, in frames.
    drum : uint8, shape (strokes,)
        Index into ``DRUMS``.
    velocity : uint8, shape (strokes,)
        0 where it is not known, which teaches none.
    share : float16, shape (strokes, bands)
        How much of the kit's power just after the onset is that stroke's, 0 to 1.
    """

    drums: NDArray[np.float16]
    band: NDArray[np.float16]
    frames: NDArray[np.float32]
    drum: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    share: NDArray[np.float16]


class Player(Protocol):
    """Something that plays to a beat."""

    def play(
        self, beats: NDArray[np.float64], rng: np.random.Generator, *, seconds: float
    ) -> NDArray[np.float32]:
        """Accompaniment to beats at given seconds."""


@dataclass(frozen=True)
class Material:
    """Everything loaded that pieces are made from.

    Attributes
    ----------
    library : Library
    grooves : sequence of GrooveFile
    impulses : sequence of float32 arrays
    bands : sequence of Player
        What accompanies; may be empty.
    """

    library: oneshots.Library
    grooves: Sequence[GrooveFile]
    impulses: Sequence[NDArray[np.float32]]
    bands: Sequence[Player]


def load_material(sources: Sources, *, rate: int) -> Material:
    """Load what pieces are made from, at a sample rate in hertz."""
    voices = accompany.speak(rate=rate) if sources.soundfonts else []
    return Material(
        oneshots.load_library(*sources.oneshots, without=sources.without_kits, sample_rate=rate),
        list_grooves(sources.grooves, split="train"),
        read_impulses(sources.impulses),
        [accompany.Band(font, voices, rate=rate) for font in sources.soundfonts],
    )


class Renderer:
    """Makes pieces of material."""

    def __init__(self, material: Material, settings: FeatureSettings, *, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._material = material

    def piece(self, number: int) -> Piece:
        """Make one piece; always the same for a number."""
        rng = np.random.default_rng((self._seed, number))
        settings = self._settings
        rate = settings.sample_rate
        strokes, beats = (
            scatter(rng, seconds=SECONDS)
            if rng.random() < _SCATTERED
            else medley(self._material.grooves, rng, seconds=SECONDS)
        )
        if rng.random() < _PROGRAMMED:
            strokes = programme(strokes, rng)
        # Some pieces on a kit as somebody recorded it, lest all that is heard be treated.
        plain = rng.random() < _PLAIN
        style = {"loyalty": 1.0} if plain else {"blends": _BLENDED}
        performance = render.render(
            strokes,
            oneshots.draw_kit(self._material.library, rng, **style),
            self._material.impulses,
            rng,
            seconds=SECONDS,
            rate=rate,
            window=settings.window,
            treatment=_PLAIN_TREATMENT if plain else 1.0,
            dulled=True,
        )
        band = np.zeros((0, settings.bands), np.float16)
        bands = self._material.bands
        if bands and rng.random() < _ACCOMPANIED:
            player = bands[int(rng.integers(len(bands)))]
            band = decibels(mel_power([player.play(beats, rng, seconds=SECONDS)], settings))
        exact = performance.strokes
        return Piece(
            drums=decibels(mel_power([performance.audio], settings)),
            band=band,
            frames=np.array([s.onset * settings.frame_rate for s in exact], np.float32),
            drum=np.array([DRUMS.index(s.drum) for s in exact], np.uint8),
            velocity=np.array([s.velocity for s in exact], np.uint8),
            share=_share(performance, settings),
        )


def medley(
    files: Sequence[GrooveFile], rng: np.random.Generator, *, seconds: float
) -> tuple[tuple[Stroke, ...], NDArray[np.float64]]:
    """Grooves one after another until the time is full, and the seconds of their beats."""
    fills = [file for file in files if file.is_fill]
    steady = [file for file in files if not file.is_fill]
    strokes: list[Stroke] = []
    beats: list[float] = []
    now = float(rng.uniform(0.0, 0.5))
    while now < seconds:
        pool = fills if fills and rng.random() < _FILL_SHARE else steady
        groove = read_groove(pool[int(rng.integers(len(pool)))])
        if groove is None:
            continue
        groove = render.vary(groove, rng)
        beat = 60.0 / groove.bpm
        played = groove.strokes[-1].onset
        # Enter anywhere in a long performance, on a beat, and stay for at most the rest.
        skipped = beat * int(rng.uniform(0.0, max(0.0, played - 0.6 * seconds)) / beat)
        stay = min(played - skipped + beat, seconds - now)
        strokes += [
            Stroke(now + s.onset - skipped, s.drum, s.velocity)
            for s in groove.strokes
            if 0.0 <= s.onset - skipped < stay
        ]
        count = max(1, round(stay / beat))
        beats += [now + i * beat for i in range(count)]
        now += count * beat
    beat = beats[-1] - beats[-2] if len(beats) > 1 else 0.5
    beats += [beats[-1] + (i + 1) * beat for i in range(8)]
    kept = sorted((s for s in strokes if s.onset < seconds - 0.05), key=lambda s: s.onset)
    return tuple(kept), np.array(beats)


def scatter(
    rng: np.random.Generator, *, seconds: float
) -> tuple[tuple[Stroke, ...], NDArray[np.float64]]:
    """Strokes that follow no groove, and beats that have nothing to do with them.

    In grooves a drum can be guessed from the others; here only its sound tells it.
    Some pieces have one stroke at a time, each as likely to be any drum.
    """
    alone = rng.random() < 0.4
    onsets: dict[float, Drum] = {}
    if alone:
        gap = rng.uniform(0.12, 1.0)
        at = np.cumsum(gap * rng.uniform(0.5, 1.5, int(2.0 * seconds / gap)))
        for time in at[at < seconds - 0.1].tolist():
            onsets[time] = DRUMS[int(rng.integers(len(DRUMS)))]
    else:
        for index in rng.choice(len(DRUMS), size=int(rng.integers(3, 10)), replace=False):
            often = float(np.exp(rng.uniform(np.log(0.2), np.log(3.0))))
            gaps = 0.07 + rng.exponential(1.0 / often, int(2 + 2.0 * seconds * often))
            at = np.cumsum(gaps)
            onsets |= {time: DRUMS[int(index)] for time in at[at < seconds - 0.1].tolist()}
    strokes = tuple(
        Stroke(time, drum, int(np.clip(rng.normal(80.0, 30.0), 8, 127)))
        for time, drum in sorted(onsets.items())
    )
    return strokes, np.arange(0.3, seconds + 6.0, float(rng.uniform(0.35, 0.8)))


def programme(strokes: Sequence[Stroke], rng: np.random.Generator) -> tuple[Stroke, ...]:
    """Strokes as a drum machine plays them: every drum at one or two velocities, no ghosts.

    What a programmer writes hardly has dynamics, and its hats are as loud as the rest.
    """
    usual = int(rng.integers(85, 128))
    loud = {drum: int(np.clip(rng.normal(usual, 12.0), 50, 127)) for drum in DRUMS}
    accents = rng.random() < 0.4
    return tuple(
        Stroke(s.onset, s.drum, loud[s.drum] - (20 if accents and s.velocity < 64 else 0))
        for s in strokes
        if s.velocity >= _GHOST
    )


def decibels(power: NDArray[np.float32]) -> NDArray[np.float16]:
    """Mel power in decibels, compact."""
    levels: NDArray[np.float16] = (10.0 * np.log10(power + _SILENCE)).astype(np.float16)
    return levels


def _share(performance: render.Performance, settings: FeatureSettings) -> NDArray[np.float16]:
    filters = mel_filters(settings)
    taper = np.hanning(settings.window).astype(np.float32)
    alone, together = (
        np.abs(np.fft.rfft(windows * taper, axis=1)) ** 2 @ filters
        for windows in (performance.alone, performance.together)
    )
    share: NDArray[np.float16] = np.clip(alone / (together + _SILENCE), 0, 1).astype(np.float16)
    return share


def read_impulses(folder: Path) -> list[NDArray[np.float32]]:
    """Every impulse response in a folder, as float32 mono.

    Raises
    ------
    InputError
        If the folder holds none.
    """
    files = sorted((*folder.glob("*.flac"), *folder.glob("*.wav")))
    if not files:
        raise InputError(f"{folder}: no impulse response (.flac or .wav) in this folder")
    return [soundfile.read(file, dtype="float32", always_2d=True)[0][:, 0] for file in files]


def save_piece(piece: Piece, path: Path) -> None:
    """Write a piece; the file appears only when it is whole."""
    beside = path.with_suffix(".part")
    with beside.open("wb") as target:
        np.savez(target, **{name: getattr(piece, name) for name in Piece.__dataclass_fields__})
    beside.replace(path)


def load_piece(path: Path) -> Piece:
    """Read what `save_piece` wrote.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        with np.load(path) as stored:
            return Piece(**{name: stored[name] for name in Piece.__dataclass_fields__})
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a rendered piece ({error})") from error


def piece_path(folder: Path, number: int) -> Path:
    """Where a piece of that number lies."""
    return folder / f"{number:06d}.npz"


def start_renderers(
    folder: Path,
    sources: Sources,
    settings: FeatureSettings,
    *,
    count: int,
    seed: int = 0,
    workers: int = 1,
) -> list[SpawnProcess]:
    """Processes that render pieces 0 to `count` into a folder, those already there excepted.

    They end with the process that started them, however it ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from None
    context = get_context("spawn")
    crew = [
        context.Process(
            target=_work,
            args=(folder, sources, settings, range(worker, count, workers), seed, os.getpid()),
            daemon=True,
        )
        for worker in range(workers)
    ]
    for process in crew:
        process.start()
    return crew


def _work(
    folder: Path,
    sources: Sources,
    settings: FeatureSettings,
    numbers: Sequence[int],
    seed: int,
    parent: int,
) -> None:
    os.nice(10)
    try:
        material = load_material(sources, rate=settings.sample_rate)
        renderer = Renderer(material, settings, seed=seed)
        for number in numbers:
            if os.getppid() != parent:
                return
            path = piece_path(folder, number)
            if not path.exists():
                save_piece(renderer.piece(number), path)
    except (InputError, OSError, soundfile.LibsndfileError) as error:
        sys.exit(f"drum2midi: {error}")
