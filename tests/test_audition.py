"""The strokes as sound: where they were played, as loud as they were, and as what they are."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi.audition import RATE, render, render_click, write_audition
from drum2midi.drums import CLOSED_HAT, DRUMS, KICK, OPEN_HAT, SNARE, Drum
from drum2midi.errors import InputError
from drum2midi.transcription import Bar, Grid, Metre, Note, Transcription
from drum2midi.writers import WriteOptions, check_output

GRID = Grid((Bar(Metre(4, 4), (0.5, 1.0, 1.5, 2.0)),), 2.5)


def song(*strokes: tuple[float, Drum, int]) -> Transcription:
    """Strokes at given seconds; their places on the grid do not matter here."""
    notes = tuple(Note(0, Fraction(0), drum, velocity, at) for at, drum, velocity in strokes)
    return Transcription((), GRID, notes, 2.5)


def level(sound: np.ndarray, start: float, end: float) -> float:
    return float(np.sqrt(np.mean(sound[round(start * RATE) : round(end * RATE)] ** 2)))


@pytest.mark.parametrize("drum", DRUMS, ids=str)
def test_every_drum_sounds_at_its_time_and_dies_away(drum: Drum) -> None:
    sound = render(song((1.0, drum, 100)))
    assert np.all(np.isfinite(sound))
    assert np.abs(sound[:RATE]).max() == 0.0
    assert level(sound, 1.0, 1.02) > 0.02
    assert np.abs(sound).max() < 1.5
    assert level(sound, 3.2, 3.3) < 0.05 * level(sound, 1.0, 1.1)


def test_louder_strokes_are_louder_and_brighter() -> None:
    soft, hard = (render(song((0.0, SNARE, velocity))) for velocity in (30, 120))
    assert level(hard, 0, 0.1) > 4 * level(soft, 0, 0.1)

    def brightness(sound: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(sound[: RATE // 5])) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert brightness(hard) > 1.1 * brightness(soft)


@pytest.mark.parametrize("closing", [CLOSED_HAT, OPEN_HAT])
def test_an_open_hat_rings_until_it_is_struck_or_closed(closing: Drum) -> None:
    alone = render(song((0.0, OPEN_HAT, 100)))
    assert level(alone, 0.3, 0.4) > 0.01
    both = render(song((0.0, OPEN_HAT, 100), (0.25, closing, 100)))
    only = render(song((0.25, closing, 100)))
    np.testing.assert_array_equal(both[round(0.28 * RATE) :], only[round(0.28 * RATE) :])


def test_clicks_on_beats() -> None:
    sound = render_click(GRID, 3 * RATE)
    for beat in (0.5, 1.0, 1.5, 2.0):
        assert level(sound, beat, beat + 0.02) > 0.1
        assert level(sound, beat + 0.1, beat + 0.4) == 0.0
    assert level(sound, 0.5, 0.52) > level(sound, 1.0, 1.02)


def test_the_first_click_of_a_pickup_is_like_the_others() -> None:
    grid = Grid((Bar(Metre(4, 4), (0.0, 0.5)), Bar(Metre(4, 4), (1.0, 1.5, 2.0, 2.5))), 3.0)
    sound = render_click(grid, 3 * RATE)
    low, also_low, high, last = (
        sound[round(beat * RATE) : round((beat + 0.1) * RATE)] for beat in (0.0, 0.5, 1.0, 1.5)
    )
    np.testing.assert_array_equal(low, also_low)
    np.testing.assert_array_equal(low, last)
    assert not np.array_equal(low, high)


def test_over_the_recording(tmp_path: Path) -> None:
    t = np.arange(4 * RATE) / RATE
    soundfile.write(tmp_path / "song.wav", 0.5 * np.sin(2 * np.pi * 440 * t) * (t > 1), RATE)
    write_audition(song((2.0, KICK, 100)), tmp_path / "a.wav", recording=tmp_path / "song.wav",
                   start=0.5)  # fmt: skip
    sound, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == RATE
    assert level(sound, 0.0, 0.49) < 0.01
    assert level(sound, 0.55, 1.0) > 0.3
    assert np.abs(sound).max() < 1.0
    write_audition(song((2.0, KICK, 100)), tmp_path / "a.wav")
    assert level(soundfile.read(tmp_path / "a.wav")[0], 0.55, 1.9) == 0.0


def test_many_loud_strokes_do_not_clip(tmp_path: Path) -> None:
    loud = song(*((0.5, drum, 127) for drum in DRUMS), (0.5, KICK, 127))
    write_audition(loud, tmp_path / "a.wav", click=True)
    sound, _ = soundfile.read(tmp_path / "a.wav")
    assert 0.9 < np.abs(sound).max() < 0.99


def test_strokes_before_the_start_or_after_the_end_are_kept_short() -> None:
    sound = render(replace(song((-0.01, KICK, 100), (4.49, SNARE, 100)), duration=2.5))
    assert len(sound) == round(4.5 * RATE)
    assert level(sound, 4.49, 4.5) > 0


def test_a_folder_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    write_audition(song((0.5, KICK, 100)), folder / "a.wav")
    with (folder / "a.wav").open("rb") as file:
        assert soundfile.info(file).samplerate == RATE


def test_never_over_the_song_itself(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"precious")
    (tmp_path / "other.wav").symlink_to(path)
    options = WriteOptions(recording=path)
    for target in (path, tmp_path / "." / "song.wav", tmp_path / "other.wav"):
        with pytest.raises(InputError, match="is the recording itself"):
            check_output(target, options)
    check_output(tmp_path / "new.wav", options)
    with pytest.raises(InputError, match="nothing to mix"):
        WriteOptions(mix=True)
