"""Fixtures: short synthesised recordings with known onsets, and the real data where it is."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from drum2midi.drums import CLOSED_HAT, KICK, SNARE
from drum2midi.training.pieces import Sources
from drum2midi.transcription import Bar, Grid, Hit, Metre, Note, Transcription

RATE = 44100
PIECES = ("kick", "snare", "side_stick", "hihat_closed", "hihat_open", "hihat_pedal", "tom_high",
          "tom_mid", "tom_low", "crash", "ride", "ride_bell")  # fmt: skip
FIELDS = ("file", "piece", "articulation", "kit", "instrument", "level_db")


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


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """One kit of one sound with two layers for each drum, one groove of two bars, one room."""
    folder = tmp_path_factory.mktemp("material")
    for name in ("oneshots", "grooves", "impulses"):
        (folder / name).mkdir()
    with (folder / "oneshots" / "index.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(FIELDS)
        for index, piece in enumerate(PIECES):
            for layer, level in enumerate((0.0, -12.0)):
                name = f"{piece}{layer}.flac"
                tone = np.sin(np.arange(8000) * (0.01 + 0.02 * index)) * np.exp(
                    -np.arange(8000) / 2000
                )
                soundfile.write(
                    folder / "oneshots" / name, np.concatenate((np.zeros(44), 0.9 * tone)), RATE
                )
                writer.writerow([name, piece, "", "tones", piece, level])
    track = mido.MidiTrack()
    for i in range(16):
        key = (36, 42, 38, 42)[i % 4]
        track.append(mido.Message("note_on", channel=9, note=key, velocity=90, time=240))
        track.append(mido.Message("note_off", channel=9, note=key, time=0))
    mido.MidiFile(tracks=[track]).save(folder / "grooves" / "a.mid")
    with (folder / "grooves" / "info.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["id", "bpm", "beat_type", "time_signature", "midi_filename", "split"])
        writer.writerow(["d1/s1/1", 120, "beat", "4-4", "a.mid", "train"])
    soundfile.write(folder / "impulses" / "room.flac", np.exp(-np.arange(2000) / 300) * 0.5, RATE)
    return Sources((folder / "oneshots",), folder / "grooves", folder / "impulses")
