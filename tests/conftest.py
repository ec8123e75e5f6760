"""Fixtures: short synthesised recordings with known onsets, and the real data where it is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi.drums import CLOSED_HAT, KICK, SNARE
from drum2midi.transcription import Bar, Grid, Hit, Metre, Note, Transcription

RATE = 44100


def thump(*, rate: int = RATE) -> np.ndarray:
    """A kick drum: a sine that falls from 150 to 50 Hz in 0.2 s."""
    t = np.arange(int(0.25 * rate)) / rate
    sweep = 50.0 * t + 100.0 * 0.03 * (1 - np.exp(-t / 0.03))
    return (np.sin(2 * np.pi * sweep) * np.exp(-t / 0.08) * _fade(t)).astype(np.float32)


def crack(*, rate: int = RATE) -> np.ndarray:
    """A snare drum: a 190 Hz tone under 0.15 s of noise."""
    t = np.arange(int(0.25 * rate)) / rate
    noise = np.random.default_rng(5).normal(size=len(t))
    tone = 0.5 * np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.05)
    return ((tone + 0.4 * noise * np.exp(-t / 0.06)) * _fade(t)).astype(np.float32)


def _fade(t: np.ndarray) -> np.ndarray:
    """Down to nothing at the end: a tail that is cut off clicks, and a click is a stroke."""
    return np.minimum(1.0, (t[-1] - t) / 0.1)


def place(sound: np.ndarray, onsets: list[float], seconds: float) -> np.ndarray:
    """The sound at each onset."""
    out = np.zeros(int(seconds * RATE), np.float32)
    for onset in onsets:
        start = round(onset * RATE)
        part = sound[: len(out) - start]
        out[start : start + len(part)] += part
    return out


@pytest.fixture(scope="session")
def beat_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bars of kick (1, 3) and snare (2, 4) at 120 bpm: strokes at 0.25 + i / 2 seconds."""
    kicks = [0.25 + i for i in range(8)]
    snares = [0.75 + i for i in range(8)]
    audio = place(thump(), kicks, 9.0) + place(crack(), snares, 9.0)
    path = tmp_path_factory.mktemp("audio") / "beat.wav"
    soundfile.write(path, 0.5 * audio / np.abs(audio).max(), RATE)
    return path


@pytest.fixture
def two_bars() -> Transcription:
    """Two bars of 4/4 at 120 bpm from 1 s: kick on 1 and 3, snare on 2 and 4, hats in eighths."""
    bars = tuple(
        Bar(Metre(4, 4), tuple(1.0 + 2.0 * bar + 0.5 * beat for beat in range(4)))
        for bar in range(2)
    )
    grid = Grid(bars, 5.0, 0.9)
    places = [(bar, eighth) for bar in range(2) for eighth in range(8)]
    notes, hits = [], []
    from fractions import Fraction

    for bar, eighth in places:
        struck = [(CLOSED_HAT, 70 + 10 * (eighth % 2 == 0))]
        if eighth % 4 == 0:
            struck.append((KICK, 100))
        if eighth % 4 == 2:
            struck.append((SNARE, 110))
        for drum, velocity in struck:
            onset = 1.0 + 2.0 * bar + 0.25 * eighth + 0.004
            hits.append(Hit(onset, drum, velocity, 0.9))
            notes.append(Note(bar, Fraction(eighth, 2), drum, velocity, onset))
    return Transcription(tuple(hits), grid, tuple(notes), 5.5, title="Two bars")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of training and checking material, from DRUM2MIDI_DATA."""
    folder = os.environ.get("DRUM2MIDI_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs DRUM2MIDI_DATA, the folder with dev-set, oneshots and grooves")
    return Path(folder)
