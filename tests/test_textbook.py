"""Songs by the book are in the metres, at the tempi and on the beats that the book says."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

from drum2midi.drums import CRASH, KICK, SNARE
from drum2midi.training.played import Performance, load_styles
from drum2midi.training.textbook import CHAPTERS, write_songs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("book")
    write_songs(out, songs=2 * len(CHAPTERS))
    return out


def test_metres_and_tempi(folder: Path) -> None:
    songs = load_styles(folder)
    assert len(songs) == 2 * len(CHAPTERS)
    for chapter, song in zip(CHAPTERS * 2, songs, strict=True):
        assert song.count == chapter.count
        assert chapter.tempi[0] <= 60 / song.beat * 1.001 <= chapter.tempi[1] * 1.002
        assert not song.by_hand
    units = [mido.MidiFile(path).tracks[0][0].denominator for path in sorted(folder.iterdir())]
    assert units == [chapter.unit for chapter in CHAPTERS * 2]


def on_beats(song: Performance) -> dict[str, set[float]]:
    """Beats of the bar on which each drum is struck in most bars."""
    bars = int(song.hits[-1].onset / song.beat / song.count + 0.01) + 1
    counts: dict[tuple[str, float], int] = {}
    for hit in song.hits:
        place = hit.drum.name, round(hit.onset / song.beat % song.count, 2) % song.count
        counts[place] = counts.get(place, 0) + (hit.velocity > 80)
    often: dict[str, set[float]] = {}
    for (drum, beat), number in counts.items():
        if number > 0.55 * bars:
            often.setdefault(drum, set()).add(beat)
    return often


def test_the_kick_is_on_one_and_the_snare_on_backbeats(folder: Path) -> None:
    for chapter, song in zip(CHAPTERS * 2, load_styles(folder), strict=True):
        often = on_beats(song)
        assert 0.0 in often[KICK.name]
        allowed = {round(beat, 2) for beats in chapter.backbeats for beat in beats}
        assert often.get(SNARE.name, set()) <= allowed


def test_crashes_begin_bars(folder: Path) -> None:
    for song in load_styles(folder):
        bars = [h.onset / song.beat / song.count for h in song.hits if h.drum == CRASH]
        assert np.allclose(bars, np.round(bars), atol=1e-3)


def test_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    write_songs(tmp_path, songs=3)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()
