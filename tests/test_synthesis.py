"""Kits that nobody recorded: what is struck sounds as it was invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi.training import synthesis
from drum2midi.training.oneshots import load_library
from drum2midi.training.synthesis import ATTACK, RATE, Sound, invent_kit, strike, write_kits

NOTHING = np.zeros((0, 4))


def spectrum(audio: np.ndarray, *, first: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    part = audio[int(first * RATE) : int(last * RATE)]
    return np.fft.rfftfreq(len(part), 1.0 / RATE), np.abs(np.fft.rfft(part * np.hanning(len(part))))


def test_a_mode_sounds_at_its_pitch_and_falls_as_told() -> None:
    sound = Sound(np.array([[440.0, 1.0, 0.1]]), NOTHING, seconds=0.6)
    audio = strike(sound, 0.0, np.random.default_rng(0))
    hertz, magnitude = spectrum(audio, first=0.0, last=0.5)
    assert hertz[magnitude.argmax()] == pytest.approx(440.0, abs=3.0)
    early, late = (np.abs(audio[int(t * RATE) :][:400]).max() for t in (0.05, 0.25))
    assert early / late == pytest.approx(np.exp(2.0), rel=0.05)


def test_a_glide_begins_above_the_pitch() -> None:
    sound = Sound(np.array([[60.0, 1.0, 0.3]]), NOTHING, seconds=0.6, glide=3.0, settle=0.02)
    audio = strike(sound, 0.0, np.random.default_rng(0))
    crossings = np.flatnonzero((audio[:-1] < 0) & (audio[1:] >= 0)) / RATE
    periods = np.diff(crossings)
    assert periods[0] < 0.75 / 60.0
    assert periods[-3] == pytest.approx(1 / 60.0, rel=0.02)


@pytest.mark.parametrize("piece", sorted(invent_kit(np.random.default_rng(0))))
def test_every_stroke_begins_at_its_attack(piece: str) -> None:
    rng = np.random.default_rng(3)
    audio = strike(invent_kit(rng)[piece], -5.0, rng)
    assert audio.dtype == np.float32
    assert np.abs(audio).max() == pytest.approx(1.0)
    assert not audio[: int(ATTACK * RATE)].any()
    assert np.abs(audio[: int((ATTACK + 0.03) * RATE)]).max() > 0.2
    assert abs(audio[-1]) < 1e-6


def test_a_soft_stroke_is_duller() -> None:
    sound = Sound(np.array([[400.0, 1.0, 0.1], [6400.0, 1.0, 0.1]]), NOTHING, seconds=0.5)
    shares = []
    for level in (0.0, -20.0):
        hertz, magnitude = spectrum(
            strike(sound, level, np.random.default_rng(1)), first=0.0, last=0.3
        )
        shares.append(magnitude[hertz > 3000].max() / magnitude[hertz < 3000].max())
    # 3.7 octaves above 500 Hz, 1 dB each for every 10 dB.
    assert 20.0 * np.log10(shares[0] / shares[1]) == pytest.approx(7.4, abs=0.2)


def test_kits_are_the_same_for_a_seed_and_read_as_one_shots(tmp_path: Path) -> None:
    for name, kits in (("a", 2), ("b", 1)):
        count = write_kits(tmp_path / name, kits=kits, seed=5)
        assert count == kits * len(invent_kit(np.random.default_rng(0))) * len(synthesis.LAYERS_DB)
    again = "synth-000/snare/002.flac"
    assert (tmp_path / "a" / again).read_bytes() == (tmp_path / "b" / again).read_bytes()
    assert soundfile.info(tmp_path / "a" / again).samplerate == RATE
    library = load_library(tmp_path / "a", tmp_path / "b", only=("synth-000", "synth-001"))
    heard = {drum.name: len(instruments) for drum, instruments in library.items()}
    # Kit 0 is in both folders, and lies in one instrument with twice the layers.
    assert heard["snare"] == heard["kick"] == heard["open hi-hat"] == 2
    assert heard["crash"] == heard["ride"] == 0
    assert sorted(len(one.layers) for one in next(iter(library.values()))) == [5, 10]
