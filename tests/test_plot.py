"""The picture of a transcription: it can be made of anything, and shows what is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scores import CASES, read_score

from drum2midi.errors import InputError
from drum2midi.plot import write_plot
from drum2midi.transcription import Transcription


@pytest.mark.parametrize("name", ["every drum", "metres in turn", "pickup", "a long song"])
def test_shows_strokes(name: str, tmp_path: Path) -> None:
    song: Transcription = CASES[name].read()
    write_plot(song, tmp_path / "a.png")
    write_plot(replace(song, notes=()), tmp_path / "empty.png")
    full, empty = (imread(tmp_path / file) for file in ("a.png", "empty.png"))
    assert full.shape[1] == empty.shape[1] <= 16_000
    colourful = [np.ptp(image[..., :3], axis=-1).max() for image in (full, empty)]
    assert colourful[0] > 0.3 > colourful[1]


def test_with_the_recording(beat_wav: Path, tmp_path: Path) -> None:
    song = read_score(CASES["backbeat"].score, title="$x^2$ & \n东京", times=4)
    write_plot(song, tmp_path / "a.png")
    write_plot(song, tmp_path / "b.png", recording=beat_wav)
    alone, both = (imread(tmp_path / file) for file in ("a.png", "b.png"))
    assert both.shape[0] > alone.shape[0] + 80
    with pytest.raises(InputError, match="no such file"):
        write_plot(song, tmp_path / "c.png", recording=tmp_path / "none.wav")
    assert not (tmp_path / "c.png").exists()
