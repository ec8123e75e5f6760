"""Accompaniment: the rest of a band, and what else is not the kit.

A generator writes simple parts (bass, guitars, keys, strings, a lead, hand
percussion) to the beat of a drum performance and FluidSynth plays them; voices
come from espeak-ng. All of it is negative material: nothing in it is a stroke
on the kit, and much of it starts where one does.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soundfile
import soxr

from drum2midi.drums import CHANNEL
from drum2midi.errors import InputError
from drum2midi.training import effects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

_CHORDS: Final = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 7, 12), (0, 5, 7))
_ROOTS: Final = (0, 5, 7, 9, 2, 4, 10, 8, 3)
_BASSES: Final = tuple(range(32, 40))
_GUITARS: Final = (24, 25, 26, 27, 28, 29, 29, 30, 30, 30)
_KEYS: Final = (0, 1, 2, 4, 5, 6, 7, 11, 12, 16, 17, 18, 21)
_PADS: Final = (48, 49, 50, 51, 52, 53, 54, 61, 62, 88, 89, 90, 91, 92, 94, 95)
_LEADS: Final = (40, 52, 53, 54, 56, 57, 60, 64, 65, 66, 68, 71, 73, 75, 80, 81, 82, 85, 87)
# All that plays tunes, but timpani and what comes after the woodblock: those are drums, or noises.
_ANYTHING: Final = tuple(program for program in range(116) if program != 47)
_STRANGE: Final = 0.25
"""How often a part is played by an instrument that is not made for it."""

# Bongos, congas, timbales, agogos, cabasa, maracas, guiro, claves, blocks,
# triangles, shaker, tambourine, cowbell: heard beside a kit, but not of it.
_PERCUSSION: Final = (*range(60, 79), 80, 81, 82, 69, 70, 82, 54, 56)
# Words with the consonants that a hi-hat is mistaken for.
_WORDS: Final = (
    "yesterday such sweet chances slip past us", "she sees stars shining across the sea",
    "take this to the streets tonight", "hush now baby just dance", "what is it that you want",
    "so so tired of these endless nights", "catch the last train", "kiss me quick",
    "je suis sur les toits de la cité", "ich weiß es ist schon spät", "las estrellas sin cesar",
    "oh oh oh yeah", "la la la", "stop it stop it", "please please take me back", "this is it",
)  # fmt: skip
_VOICES: Final = ("en", "en-us", "en+f2", "en+f4", "en+m3", "en+m7", "de+f3", "fr", "es+f1", "it")


@dataclass(frozen=True)
class _Event:
    """One note of a part: seconds, channel, key and velocity."""

    start: float
    stop: float
    key: int
    velocity: int


def synthesiser(soundfont: Path, *, rate: int, polyphony: int = 2048) -> tuple[Any, int]:
    """FluidSynth at a sample rate in hertz, and its number for the soundfont that it has loaded.

    Raises
    ------
    InputError
        If it is not installed, or the soundfont cannot be loaded.
    """
    try:
        import fluidsynth
    except ImportError as error:  # its binding looks for the library when imported
        raise InputError(f"accompaniment needs FluidSynth ({error})") from None
    if not soundfont.is_file():
        raise InputError(f"{soundfont}: no such soundfont")
    # The chorus takes a third of the time; with fewer voices a busy song loses notes.
    settings = {"synth.chorus.active": 0, "synth.polyphony": polyphony}
    synth = fluidsynth.Synth(gain=0.5, samplerate=float(rate), **settings)
    font = synth.sfload(str(soundfont))
    if font < 0:
        synth.delete()
        raise InputError(f"{soundfont}: FluidSynth cannot load this soundfont")
    return synth, int(font)


class Band:
    """FluidSynth with one soundfont, and a store of voices.

    Parameters
    ----------
    soundfont : Path
        A General MIDI ``.sf2``.
    voices : sequence of float16 arrays
        Spoken phrases at `rate`; may be empty.
    rate : int
        Hertz.
    """

    def __init__(
        self, soundfont: Path, voices: Sequence[NDArray[np.float16]], *, rate: int
    ) -> None:
        self._rate = rate
        self._voices = voices
        # Notes that ring on under others are not missed.
        self._synth, self._font = synthesiser(soundfont, rate=rate, polyphony=96)

    def play(
        self, beats: NDArray[np.float64], rng: np.random.Generator, *, seconds: float
    ) -> Audio:
        """Accompaniment to beats at given seconds; peak 1 unless nothing plays."""
        self._key = int(rng.integers(0, 12))
        self._roots = rng.choice(_ROOTS, size=4)
        self._chord = _CHORDS[int(rng.integers(len(_CHORDS)))]
        length = int(seconds * self._rate)
        parts: list[tuple[float, Callable[..., Audio]]] = [
            (0.8, self._bass),
            (0.7, self._guitar),
            (0.4, self._guitar),
            (0.5, self._keys),
            (0.35, self._pad),
            (0.45, self._lead),
            (0.5, self._sequence),
            (0.25, self._sequence),
            (0.22, self._percussion),
            (0.45, self._voice),
        ]
        total = np.zeros(length, np.float32)
        for chance, part in parts:
            if rng.random() < chance:
                sound = part(beats, rng, length)
                level = float(np.sqrt(np.mean(sound**2)))
                if level > 0.0:
                    sound = effects.equalise(sound, rng, depth_db=4.0, rate=self._rate)
                    total += sound * np.float32(10 ** (rng.normal(0.0, 4.0) / 20.0) / level)
        if rng.random() < 0.5:
            total = effects.saturate(total, float(rng.uniform(-3.0, 8.0)))
        peak = float(np.abs(total).max(initial=0.0))
        return total / np.float32(peak) if peak else total

    def _perform(self, program: int, events: Sequence[_Event], length: int, *,
                 channel: int = 0) -> Audio:  # fmt: skip
        synth: Any = self._synth
        synth.system_reset()
        bank = 128 if channel == CHANNEL else 0
        synth.program_select(channel, self._font, bank, program)
        changes = sorted(
            [(e.start, 1, e) for e in events] + [(e.stop, 0, e) for e in events],
            key=lambda change: change[:2],
        )
        chunks, now = [], 0
        for at, on, event in changes:
            frame = min(length, max(now, int(at * self._rate)))
            if frame > now:
                chunks.append(synth.get_samples(frame - now))
                now = frame
            if on:
                synth.noteon(channel, event.key, event.velocity)
            else:
                synth.noteoff(channel, event.key)
        if length > now:
            chunks.append(synth.get_samples(length - now))
        stereo = np.concatenate(chunks).reshape(-1, 2).astype(np.float32) / 32768.0
        return np.asarray(stereo.mean(axis=1), np.float32)

    def _rhythm(self, beats: NDArray[np.float64], rng: np.random.Generator) -> list[float]:
        """Onsets in beats: a random pattern of one bar that repeats, with a few changes."""
        steps = int(rng.choice([4, 8, 8, 16, 16, 12]))
        density = rng.uniform(0.2, 1.0)
        weights = np.where(np.arange(steps) % max(1, steps // 4) == 0, 0.3, 0.0)
        pattern = rng.random(steps) < density * 0.7 + weights
        onsets: list[float] = []
        for bar in range(0, len(beats) - 4, 4):
            flips = rng.random(steps) < 0.05
            onsets += [bar + 4.0 * i / steps for i in np.flatnonzero(pattern ^ flips).tolist()]
        return onsets

    def _events(
        self,
        beats: NDArray[np.float64],
        onsets: Sequence[float],
        keys: Callable[[int], Sequence[int]],
        rng: np.random.Generator,
        *,
        legato: float,
        jitter: float = 0.008,
    ) -> list[_Event]:
        at = np.interp(onsets, np.arange(len(beats)), beats)
        at = np.maximum(0.0, at + rng.normal(0.0, jitter, len(at)))
        gaps = np.append(np.diff(at), 1.0)[: len(at)]
        loud = int(rng.integers(60, 115))
        return [
            _Event(t, t + max(0.03, gap * legato), key, int(np.clip(rng.normal(loud, 10), 20, 127)))
            for t, gap, onset in zip(at.tolist(), gaps.tolist(), onsets, strict=True)
            for key in keys(int(onset))
        ]

    def _root(self, beat: int) -> int:
        return self._key + int(self._roots[(beat // 4) % len(self._roots)])

    def _bass(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        def keys(beat: int) -> list[int]:
            return [28 + (self._root(beat) - 28) % 12 + (12 if rng.random() < 0.1 else 0)]

        events = self._events(
            beats, self._rhythm(beats, rng), keys, rng, legato=rng.uniform(0.3, 1)
        )
        sound = self._perform(_instrument(_BASSES, rng), events, length)
        return effects.saturate(sound, float(rng.uniform(0, 20))) if rng.random() < 0.3 else sound

    def _guitar(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        program = _instrument(_GUITARS, rng)
        distorted = program in (29, 30) or rng.random() < 0.3
        shape = (0, 7, 12) if distorted and rng.random() < 0.7 else self._chord

        def keys(beat: int) -> list[int]:
            return [40 + (self._root(beat) - 40) % 12 + interval for interval in shape]

        legato = float(rng.choice([0.25, 0.6, 1.0]))
        events = self._events(beats, self._rhythm(beats, rng), keys, rng, legato=legato)
        sound = self._perform(program, events, length)
        if not distorted:
            return sound
        # An amplifier: hard drive into a loudspeaker that stops near 5 kHz.
        sound = effects.saturate(sound, float(rng.uniform(12.0, 40.0)))
        return effects.low_pass(sound, float(rng.uniform(3500.0, 9000.0)), rate=self._rate)

    def _keys(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        def keys(beat: int) -> list[int]:
            return [55 + (self._root(beat) - 55) % 12 + interval for interval in self._chord]

        events = self._events(
            beats, self._rhythm(beats, rng), keys, rng, legato=rng.uniform(0.2, 1)
        )
        return self._perform(_instrument(_KEYS, rng), events, length)

    def _pad(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        def keys(beat: int) -> list[int]:
            return [52 + (self._root(beat) - 52) % 12 + interval for interval in self._chord]

        onsets = [float(b) for b in range(0, len(beats) - 4, 4)]
        events = self._events(beats, onsets, keys, rng, legato=1.0)
        return self._perform(_instrument(_PADS, rng), events, length)

    def _lead(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        walk = [int(rng.integers(64, 80))]

        def keys(_: int) -> list[int]:
            walk.append(int(np.clip(walk[-1] + rng.integers(-4, 5), 58, 88)))
            return walk[-1:]

        onsets = [o for o in self._rhythm(beats, rng) if rng.random() < 0.6]
        events = self._events(beats, onsets, keys, rng, legato=rng.uniform(0.5, 1.0), jitter=0.02)
        return self._perform(_instrument(_LEADS, rng), events, length)

    def _sequence(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        """Notes as even as a machine's or a practised hand's, on any instrument, high or low.

        Plucked and struck strings, mallets and synthesisers begin as sharply as a drum does.
        """
        low = int(rng.integers(30, 85))
        figure = [
            low + (self._key - low) % 12 + int(rng.choice(self._chord)) + 12 * int(rng.integers(2))
            for _ in range(int(rng.choice([1, 2, 3, 4, 6, 8, 16])))
        ]
        rests = rng.random(len(figure)) < rng.uniform(0.0, 0.5)
        every = float(rng.choice([1.0, 0.5, 0.5, 1 / 3, 0.25, 0.25]))
        moves = rng.random() < 0.5
        played = [
            (step, figure[step % len(figure)])
            for step in range(int((len(beats) - 1) / every))
            if not rests[step % len(figure)]
        ]
        onsets = [step * every for step, _ in played]
        tune = iter(key for _, key in played)

        def keys(beat: int) -> list[int]:
            return [next(tune) + (self._root(beat) - self._key if moves else 0)]

        legato, jitter = float(rng.uniform(0.15, 1.0)), float(rng.choice([0.0, 0.004]))
        events = self._events(beats, onsets, keys, rng, legato=legato, jitter=jitter)
        return self._perform(int(rng.choice(_ANYTHING)), events, length)

    def _percussion(
        self, beats: NDArray[np.float64], rng: np.random.Generator, length: int
    ) -> Audio:
        choice = rng.choice(_PERCUSSION, size=int(rng.integers(1, 4)))

        def keys(_: int) -> list[int]:
            return [int(rng.choice(choice))]

        events = self._events(beats, self._rhythm(beats, rng), keys, rng, legato=0.5)
        return self._perform(0, events, length, channel=CHANNEL)

    def _voice(self, beats: NDArray[np.float64], rng: np.random.Generator, length: int) -> Audio:
        out = np.zeros(length, np.float32)
        at = float(rng.uniform(0.0, 3.0))
        while self._voices and int(at * self._rate) < length:
            phrase = self._voices[int(rng.integers(len(self._voices)))].astype(np.float32)
            pitch = float(2.0 ** (rng.normal(0.0, 3.0) / 12.0))
            sound = soxr.resample(phrase, self._rate * pitch, self._rate, quality="LQ")
            start = int(at * self._rate)
            sound = sound[: length - start]
            out[start : start + len(sound)] += sound
            at += len(sound) / self._rate + float(rng.exponential(1.0))
        return out


def _instrument(usual: Sequence[int], rng: np.random.Generator) -> int:
    """A program that plays such a part, now and then any other."""
    return int(rng.choice(_ANYTHING if rng.random() < _STRANGE else usual))


def speak(*, rate: int) -> list[NDArray[np.float16]]:
    """Phrases by espeak-ng in several voices, float16 mono at `rate`; none without espeak-ng."""
    program = shutil.which("espeak-ng")
    if program is None:
        return []
    phrases = []
    with TemporaryDirectory() as folder:
        target = Path(folder) / "phrase.wav"
        for index, words in enumerate(_WORDS * 4):
            voice = _VOICES[index % len(_VOICES)]
            speed, pitch = 90 + 13 * (index % 7), 10 + 9 * (index % 9)
            subprocess.run(
                [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", target, words],
                check=True,
                capture_output=True,
            )
            samples, source_rate = soundfile.read(target, dtype="float32")
            phrases.append(soxr.resample(samples, source_rate, rate).astype(np.float16))
    return phrases
