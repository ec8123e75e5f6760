"""Title and artist as a recording's file says them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi.tags import Tags, read_tags


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_tags(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"song.{suffix}"
    with soundfile.SoundFile(path, "w", 44100, 1) as file:
        file.title, file.artist = "Ça va\n東京 ", "Some\x07one"
        file.write(np.zeros(4410))
    assert read_tags(path) == Tags("Ça va 東京", "Someone")


def test_no_tags(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros(4410), 44100)
    (tmp_path / "song.m4a").write_bytes(b"not known to libsndfile")
    assert read_tags(tmp_path / "song.wav") == Tags()
    assert read_tags(tmp_path / "song.m4a") == Tags()
