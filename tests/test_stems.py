"""The cache of stems, without what separates them."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi import stems
from drum2midi.errors import InputError
from drum2midi.separation import Passage, passage_to_hear

HELD, NEW, NEWER = ("a" * 32, "b" * 32, "c" * 32)


def test_a_stem_that_another_holds_stays_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRUM2MIDI_CACHE", str(tmp_path))
    monkeypatch.setattr(stems, "LIMIT", 10)
    held = tmp_path / f"{HELD}.wav"
    held.write_bytes(bytes(20))

    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == held:
            raise PermissionError(13, "The file is open", str(path))  # as Windows does
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with stems.store_stem(NEW) as path:
            path.write_bytes(bytes(5))
    assert {one.name for one in tmp_path.iterdir()} == {f"{HELD}.wav", f"{NEW}.wav"}
    with stems.store_stem(NEWER) as path:
        path.write_bytes(bytes(5))
    assert f"{HELD}.wav" not in {one.name for one in tmp_path.iterdir()}


def test_the_users_own_files_stay_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRUM2MIDI_CACHE", str(tmp_path))
    monkeypatch.setattr(stems, "LIMIT", 10)
    theirs = {"song.wav", "._song.wav", f"{HELD}.copy.wav"}
    for name in (*theirs, f"{HELD}.wav", ".drum2midi-abc.wav"):
        (tmp_path / name).write_bytes(bytes(20))
        os.utime(tmp_path / name, (0, 0))
    with stems.store_stem(NEW) as path:
        path.write_bytes(bytes(5))
    assert {one.name for one in tmp_path.iterdir()} == {*theirs, f"{NEW}.wav"}


def test_a_demucs_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One of which a part is missing."""
    monkeypatch.setenv("DRUM2MIDI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("drum2midi.separation.check_extra", lambda *names: None)
    monkeypatch.setattr("drum2midi.separation._key", lambda passage, weights: "mix")
    monkeypatch.setattr("drum2midi.separation.is_drum_stem", lambda passage: False)
    monkeypatch.setitem(sys.modules, "drum2midi.demucs_model", None)
    mix = Passage(tmp_path / "mix.wav")
    soundfile.write(mix.path, 0.1 * np.random.default_rng(0).normal(size=4410), 44100)
    with pytest.raises(InputError, match="Demucs cannot be used"):
        passage_to_hear(mix, "always")
    with caplog.at_level(logging.WARNING):
        assert passage_to_hear(mix, "auto") is mix
    assert "listening to the mix, since Demucs cannot be used" in caplog.text
