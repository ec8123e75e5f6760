"""Clips of music without drums, cut from recordings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from drum2midi.audio import read_audio
from drum2midi.model import load_model
from drum2midi.training.device.cargo import CLIP_SECONDS, RATE
from drum2midi.training.drumless import _struck, drumless_clips

FUNK = Path(__file__).parents[1] / "examples" / "funk.ogg"


def chords(seconds: float) -> np.ndarray:
    """Three notes that swell and fade, as an organ's."""
    time = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6))
    return np.asarray(0.1 * tones * (1.0 - np.cos(2 * np.pi * 0.05 * time)), np.float32)


def test_only_clips_in_which_nobody_drums_are_kept() -> None:
    funk = read_audio(FUNK, sample_rate=RATE).samples
    drums = np.tile(funk, 3)[: int(CLIP_SECONDS * RATE)] * np.float32(0.3)
    drums[-2 * RATE :] *= np.linspace(1.0, -1.0, 2 * RATE, dtype=np.float32).clip(0)
    organ = chords(CLIP_SECONDS)
    audio = np.concatenate((organ, drums, organ, organ[: RATE * 5]))
    clips = list(drumless_clips(audio, load_model()))
    assert len(clips) == 2  # the first and the third; the last is too short
    for clip in clips:
        np.testing.assert_allclose(clip, organ / np.abs(organ).max(), atol=1e-6)


def test_strokes_are_where_they_sound() -> None:
    """The silence that the model hears before a recording is none of its time."""
    burst = np.random.default_rng(0).normal(size=RATE // 5) * np.exp(-np.arange(RATE // 5) / 800)
    audio = np.zeros(6 * RATE, np.float32)
    for second in range(1, 6):
        audio[second * RATE : second * RATE + len(burst)] += burst.astype(np.float32)
    np.testing.assert_allclose(np.unique(_struck(audio, load_model())), np.arange(1, 6), atol=0.02)


def test_where_it_is_known_that_nobody_drums_all_are_kept_but_silence() -> None:
    organ, silence = chords(CLIP_SECONDS), np.zeros(int(CLIP_SECONDS * RATE), np.float32)
    audio = np.concatenate((organ, silence, organ))
    assert len(list(drumless_clips(audio, None))) == 2
    assert list(drumless_clips(silence, None)) == []
    assert list(drumless_clips(silence[: RATE * 19], None)) == []


def test_clips_of_a_long_recording_come_from_all_over_it() -> None:
    length = int(CLIP_SECONDS * RATE)
    pitches = 100.0 * np.arange(1, 12)
    time = np.arange(length) / RATE
    whole = np.concatenate([np.sin(2 * np.pi * pitch * time) for pitch in pitches])
    clips = list(drumless_clips(whole.astype(np.float32), None))
    crossings = [np.count_nonzero(np.diff(np.signbit(clip))) / 2 / CLIP_SECONDS for clip in clips]
    np.testing.assert_allclose(crossings, [100, 300, 500, 700, 900, 1100], atol=1)


def test_the_command_cuts_a_folder_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    soundfile.write(folder / "organ.wav", chords(41.0), RATE)
    (folder / "broken.wav").write_text("no sound")
    command = [sys.executable, "-m", "drum2midi.training.drumless"]
    result = subprocess.run(
        [*command, str(tmp_path / "out"), str(folder), "--all"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "broken.wav" in result.stderr
    assert result.stdout == f"{tmp_path / 'out'}: 2 clips of 2 recordings\n"
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["music-organ.wav-1.ogg", "music-organ.wav-2.ogg"]
    assert soundfile.info(tmp_path / "out" / files[0]).duration == CLIP_SECONDS
    missing = subprocess.run(
        [*command, str(tmp_path / "none"), str(tmp_path / "missing")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 1
    assert missing.stderr == f"drum2midi: {tmp_path / 'missing'}: no recordings\n"
