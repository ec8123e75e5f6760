"""Chords that change at known moments, and the bars that they tell."""

from __future__ import annotations

import numpy as np
import pytest

from drum2midi.beats import track_beats
from drum2midi.drums import CLOSED_HAT, KICK, SNARE
from drum2midi.harmony import SAMPLE_RATE, Harmony, hear_harmony
from drum2midi.transcription import Hit

CHORDS = ((57, 60, 64), (55, 59, 62), (53, 57, 60), (52, 56, 59))  # MIDI notes: Am G F E
BEAT = 0.5


def band(seconds: float, *, first: float, bar: float = 4 * BEAT) -> np.ndarray:
    """Chords of three harmonics each that change at `first` and every bar from there."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    which = np.floor((time - first) / bar).astype(int) % len(CHORDS)
    sound = np.zeros(len(time))
    for index, notes in enumerate(CHORDS):
        for note in notes:
            hertz = 440 * 2 ** ((note - 69) / 12)
            tone = sum(np.sin(2 * np.pi * hertz * h * time) / h for h in (1, 2, 3))
            sound += 0.05 * tone * (which == index)
    return sound.astype(np.float32)


def clicks(seconds: float, seed: int = 0) -> np.ndarray:
    """A burst of noise every half beat, as of a hi-hat."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (rng.normal(0, 0.3, len(time)) * np.exp(-(time % (BEAT / 2)) / 0.02)).astype(np.float32)


def test_change_is_where_chords_change() -> None:
    harmony = hear_harmony([band(40, first=1.0) + clicks(40)])
    beats = np.arange(4, 72) * BEAT
    change = harmony.change(beats)
    on = (np.arange(4, 72) - 2) % 4 == 0
    assert change[on].min() > 1.3 * change[~on].max()
    assert np.all((change >= 0) & (change <= 1))


def test_drums_alone_change_next_to_nothing() -> None:
    assert hear_harmony([clicks(20)]).change(np.arange(2, 18, BEAT)).mean() < 0.03


def test_silence_and_nothing() -> None:
    assert not hear_harmony([np.zeros(5 * SAMPLE_RATE, np.float32)]).change([0.0, 2.5, 9.0]).any()
    empty = hear_harmony([])
    assert not empty.change([0.0, 1.0]).any()


@pytest.mark.parametrize("size", [1, 700, 4096, 50_000])
def test_blocks_make_no_difference(size: int) -> None:
    sound = band(1.5 if size == 1 else 8, first=0.7) + clicks(1.5 if size == 1 else 8)
    blocks = [sound[i : i + size] for i in range(0, len(sound), size)]
    whole, pieces = hear_harmony([sound]), hear_harmony(blocks)
    np.testing.assert_allclose(pieces.frames, whole.frames, atol=1e-3)
    assert len(whole.frames) == 1 + len(sound) // 1024


@pytest.mark.parametrize("loudness", [0.1, 1.0])
def test_loudness_hardly_matters(loudness: float) -> None:
    sound = loudness * band(20, first=1.0)
    change = hear_harmony([sound]).change(1.0 + 4 * BEAT * np.arange(1, 8))
    assert change.min() > 0.15


@pytest.mark.parametrize("first", [0, 2])
def test_bars_begin_where_chords_change(first: int) -> None:
    """Kick and snare in turn say which beats are strong, but not which is the first."""
    strokes = [Hit(1.0 + BEAT * i, SNARE if i % 2 else KICK, 100) for i in range(64)]
    strokes += [Hit(1.0 + BEAT / 2 * i, CLOSED_HAT, 80) for i in range(128)]
    harmony = hear_harmony([band(34, first=1.0 + first * BEAT)])
    grid = track_beats(strokes, duration=34, harmony=harmony)
    barlines = np.array([bar.beats[0] for bar in grid.bars if len(bar.beats) == 4])
    off = (barlines - 1.0 - first * BEAT) / (4 * BEAT)
    assert str(grid.metre) == "4/4"
    assert np.abs(off - np.round(off)).max() < 0.02


def test_harmony_without_change_leaves_the_grid_alone() -> None:
    strokes = [Hit(1.0 + BEAT * i, KICK if i % 4 else CLOSED_HAT, 100) for i in range(32)]
    flat = Harmony(np.ones((400, 12), np.float32), SAMPLE_RATE / 1024)
    with_harmony, without = (track_beats(strokes, duration=18, harmony=h) for h in (flat, None))
    assert with_harmony.bars == without.bars
    assert with_harmony.confidence == pytest.approx(without.confidence)


def arpeggio(seconds: float, seed: int) -> np.ndarray:
    """A bass that plays a note of one chord on every half beat."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    note = rng.choice([45, 48, 52, 57], int(2 * seconds / BEAT) + 1)[
        (time / (BEAT / 2)).astype(int)
    ]
    hertz = 440 * 2.0 ** ((note - 69) / 12)
    phase = 2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE
    return np.asarray(sum(0.1 * np.sin(h * phase) / h for h in (1, 2, 3)), np.float32)


@pytest.mark.parametrize("bars", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_a_riff_does_not_move_the_bars_of_a_loop(bars: int, seed: int) -> None:
    seconds = bars * 4 * BEAT
    strokes = [Hit(BEAT * i, SNARE if i % 2 else KICK, 100) for i in range(4 * bars)]
    strokes += [Hit(BEAT / 2 * i, CLOSED_HAT, 80) for i in range(8 * bars)]
    strokes += [Hit(BEAT * (4 * bar + 2.5), KICK, 90) for bar in range(bars)]
    harmony = hear_harmony([arpeggio(seconds, seed)])
    grid = track_beats(strokes, duration=seconds, harmony=harmony, steady=True)
    assert grid.bars == track_beats(strokes, duration=seconds, steady=True).bars
