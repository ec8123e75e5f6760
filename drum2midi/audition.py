"""Audition: a transcription as sound, so that an ear can check it in seconds.

A small drum kit made of sines and shaped noise plays every stroke where it was heard,
as loud as its velocity, alone or over the recording, with or without a click.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from drum2midi.audio import read_audio
from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    CROSS_STICK,
    FLOOR_TOM,
    HIGH_TOM,
    KICK,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SNARE,
    Drum,
)
from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.transcription import Grid, Note, Transcription

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

RATE: Final = 44100
"""Samples a second."""

_TAIL: Final = 2.0  # seconds for the last cymbal to ring
_CHOKE: Final = 0.02  # seconds in which a closing hi-hat falls silent
_HATS: Final = (CLOSED_HAT, OPEN_HAT, PEDAL_HAT)
_DRUMS_LEVEL, _CLICK_LEVEL, _RECORDING_LEVEL = 0.5, 0.25, 0.7
_CEILING: Final = 0.98  # of full scale


def write_audition(
    transcription: Transcription,
    path: str | Path,
    *,
    recording: str | Path | None = None,
    start: float = 0.0,
    click: bool = False,
) -> None:
    """Write a ``.wav`` of a transcription: mono, 16 bits, 44.1 kHz.

    Parameters
    ----------
    transcription : Transcription
    path : path
    recording : path, optional
        What to play the drums over.
    start : float
        Seconds of the recording at which the transcription's times begin.
    click : bool
        Whether to click on every beat, higher on the first of a bar.

    Raises
    ------
    InputError
        If the recording cannot be read or the file not be written.
    """
    sound = _DRUMS_LEVEL * render(transcription)
    if click:
        sound = _add(sound, _CLICK_LEVEL * render_click(transcription.grid, len(sound)))
    if recording is not None:
        end = start + transcription.duration
        heard = read_audio(recording, sample_rate=RATE, start=start, end=end).samples
        peak = max(float(np.abs(heard).max(initial=0.0)), 1e-9)
        sound = _add(sound, _RECORDING_LEVEL / peak * heard)
    peak = float(np.abs(sound).max(initial=0.0))
    with replacing(Path(path)) as temporary:
        level = min(1.0, _CEILING / max(peak, 1e-9))
        try:  # bytes: soundfile knows no name that is not UTF-8
            soundfile.write(os.fsencode(temporary), level * sound, RATE, "PCM_16", format="WAV")
        except soundfile.LibsndfileError as error:
            raise InputError(f"cannot write {path}: {error.error_string}") from None


def render(transcription: Transcription) -> Samples:
    """The strokes as they were played; shape (samples,), a loud kick about 1 high."""
    ends = _hat_ends(transcription.notes)
    length = round((max(transcription.duration, transcription.grid.end) + _TAIL) * RATE)
    sound = np.zeros(length, np.float32)
    for note in transcription.notes:
        stroke = _stroke(note.drum, note.velocity)
        if (end := ends.get(note)) is not None:
            stroke = _choked(stroke, end - note.onset)
        _mix_in(sound, stroke, note.onset)
    return sound


def render_click(grid: Grid, length: int) -> Samples:
    """A click on every beat of a grid, higher on the first of a bar, but not of a pickup."""
    sound = np.zeros(length, np.float32)
    for number, bar in enumerate(grid.bars, grid.first_number):
        for index, beat in enumerate(bar.beats):
            _mix_in(sound, _click(number > 0 and index == 0), beat)
    return sound


def _add(one: Samples, other: Samples) -> Samples:
    """Two sounds that begin together."""
    total = np.zeros(max(len(one), len(other)), np.float32)
    total[: len(one)] += one
    total[: len(other)] += other
    return total


def _mix_in(sound: Samples, stroke: Samples, seconds: float) -> None:
    start = round(seconds * RATE)
    stroke = stroke[max(0, -start) :]
    start = max(0, start)
    part = stroke[: max(0, len(sound) - start)]
    sound[start : start + len(part)] += part


def _hat_ends(notes: tuple[Note, ...]) -> dict[Note, float]:
    """When each open hi-hat is struck again or closed, in seconds."""
    strokes = sorted((n for n in notes if n.drum in _HATS), key=lambda n: n.onset)
    later = ((note, other.onset) for note, other in _followed(strokes))
    return {note: end for note, end in later if note.drum == OPEN_HAT}


def _followed(strokes: list[Note]) -> Iterator[tuple[Note, Note]]:
    """Each stroke with the first one after it that is not at the same time."""
    for index, note in enumerate(strokes):
        after = (other for other in strokes[index + 1 :] if other.onset > note.onset)
        if (other := next(after, None)) is not None:
            yield note, other


def _choked(stroke: Samples, seconds: float) -> Samples:
    """A ringing stroke that is stopped after some time."""
    end = round(seconds * RATE)
    fade = np.linspace(1.0, 0.0, round(_CHOKE * RATE), dtype=np.float32)
    stopped = stroke[: end + len(fade)].copy()
    tail = stopped[end:]
    tail *= fade[: len(tail)]
    return stopped


@cache
def _stroke(drum: Drum, velocity: int) -> Samples:
    """One stroke: softer ones are duller too."""
    force = velocity / 127
    body, edge = _SOUNDS[drum]()
    sound: Samples = (force**1.5 * (body + force * edge)).astype(np.float32)
    return sound


@cache
def _click(accented: bool) -> Samples:
    t = _time(0.03)
    pitch = 1760.0 if accented else 1175.0
    sound: Samples = ((1.0 if accented else 0.7) * np.sin(2 * np.pi * pitch * t)).astype(np.float32)
    return sound * np.exp(-t / 0.008).astype(np.float32)


# The sounds: a body that is always there and an edge that hard strokes bring out.
_Sound = tuple["NDArray[np.float64]", "NDArray[np.float64]"]


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE)) / RATE


def _noise(seconds: float, low: float, high: float, decay: float) -> NDArray[np.float64]:
    """Noise between two frequencies in hertz that dies away; 1 high at first."""
    t = _time(seconds)
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=len(t)))
    frequency = np.fft.rfftfreq(len(t), 1 / RATE)
    spectrum *= 1 / (1 + (low / np.maximum(frequency, 1.0)) ** 4) / (1 + (frequency / high) ** 4)
    noise = np.fft.irfft(spectrum, len(t))
    shaped: NDArray[np.float64] = noise / (3 * noise.std()) * np.exp(-t / decay)
    return shaped


def _tone(
    seconds: float, pitch: float, decay: float, *, drop: float = 0.0, settle: float = 0.03
) -> NDArray[np.float64]:
    """A sine that dies away, `drop` hertz too high at first."""
    t = _time(seconds)
    phase = pitch * t + drop * settle * (1 - np.exp(-t / settle))
    sine: NDArray[np.float64] = np.sin(2 * np.pi * phase) * np.exp(-t / decay)
    return sine


def _kick() -> _Sound:
    return _tone(0.5, 52, 0.11, drop=160), 0.5 * _noise(0.5, 1500, 5000, 0.006)


def _snare() -> _Sound:
    body = 0.5 * _tone(0.4, 185, 0.06, drop=60) + 0.25 * _tone(0.4, 330, 0.04)
    return body + 0.25 * _noise(0.4, 1000, 7000, 0.08), 0.6 * _noise(0.4, 1800, 11000, 0.09)


def _cross_stick() -> _Sound:
    body = 0.5 * _tone(0.15, 820, 0.015) + 0.3 * _tone(0.15, 1650, 0.012)
    return body, 0.4 * _noise(0.15, 1500, 6000, 0.008)


def _tom(pitch: float) -> Callable[[], _Sound]:
    def sound() -> _Sound:
        body = 0.8 * _tone(0.8, pitch, 0.2, drop=0.6 * pitch)
        return body, 0.25 * _noise(0.8, 400, 4000, 0.02)

    return sound


def _hat(decay: float, *, level: float = 1.0) -> Callable[[], _Sound]:
    def sound() -> _Sound:
        seconds = 0.05 + 6 * decay
        body = 0.25 * level * _noise(seconds, 6500, 14000, decay)
        return body, 0.3 * level * _noise(seconds, 8500, 17000, 0.7 * decay)

    return sound


def _crash() -> _Sound:
    return 0.3 * _noise(2.5, 2500, 12000, 0.5), 0.4 * _noise(2.5, 4000, 16000, 0.3)


def _ride() -> _Sound:
    ping = 0.08 * (_tone(1.8, 3150, 0.25) + _tone(1.8, 4480, 0.2) + _tone(1.8, 5570, 0.15))
    return ping + 0.08 * _noise(1.8, 4000, 12000, 0.4), 0.25 * _noise(1.8, 6000, 14000, 0.03)


def _ride_bell() -> _Sound:
    partials = ((810, 0.5), (1310, 0.4), (2030, 0.35), (3260, 0.25))
    ping = sum((0.13 * _tone(2.2, pitch, decay) for pitch, decay in partials), np.zeros(1))
    return ping, 0.15 * _noise(2.2, 4000, 12000, 0.05)


_SOUNDS: Final[dict[Drum, Callable[[], _Sound]]] = {
    KICK: _kick,
    SNARE: _snare,
    CROSS_STICK: _cross_stick,
    CLOSED_HAT: _hat(0.035),
    OPEN_HAT: _hat(0.35),
    PEDAL_HAT: _hat(0.025, level=0.6),
    HIGH_TOM: _tom(175),
    MID_TOM: _tom(125),
    FLOOR_TOM: _tom(82),
    CRASH: _crash,
    RIDE: _ride,
    RIDE_BELL: _ride_bell,
}
