"""Songs in other metres for the grid to learn from: written, read back, played loosely."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import typer

from drum2midi.errors import InputError
from drum2midi.training import patterns, phrases, styles
from drum2midi.training.played import load_styles, loosen
from drum2midi.training.styles import Style


def test_a_song_in_six_eight_comes_back_as_it_was_written(tmp_path: Path) -> None:
    style = Style("stdlib/68", ("68",), 6, 0.5)  # half of MMA's beat is an eighth
    strokes = [(0.0, 36, 100), (1.5, 38, 90), (2.5, 42, 60), (3.0, 36, 101)]
    styles._write(strokes, style, 180.0, tmp_path / "a.mid")
    signature = next(m for m in mido.MidiFile(tmp_path / "a.mid") if m.type == "time_signature")
    assert (signature.numerator, signature.denominator) == (6, 8)
    (song,) = load_styles(tmp_path)
    assert song.count == 6
    assert song.beat == pytest.approx(60 / 180, abs=1e-5)
    eighths = [hit.onset / song.beat for hit in song.hits]
    assert eighths == pytest.approx([0, 3, 5, 6])
    assert [hit.velocity for hit in song.hits] == [100, 90, 60, 101]


def test_what_is_played_loosely_keeps_its_bars(tmp_path: Path) -> None:
    style = Style("stdlib/waltz", ("Waltz",), 3, 1.0)
    written = [(float(beat), 36, 80) for beat in range(120)]
    styles._write(written, style, 120.0, tmp_path / "a.mid")
    (song,) = load_styles(tmp_path)
    played = loosen(song, np.random.default_rng(1))
    assert (played.count, played.beat) == (3, song.beat)
    off = np.array([hit.onset for hit in played.hits]) - 0.5 * np.arange(120)
    assert 0.001 < off.std() < 0.016
    assert np.all(np.diff([hit.onset for hit in played.hits]) >= 0)


def test_sections_are_of_the_style_and_fills_are_one_bar() -> None:
    style = Style("a/b", ("Waltz", "Waltz1", "WaltzIntro", "WaltzFill", "WaltzEnd"), 3, 1.0)
    songs = [list(styles._sections(style, np.random.default_rng(seed))) for seed in range(50)]
    assert {groove for song in songs for groove, _ in song} == set(style.grooves)
    assert {bars for song in songs for groove, bars in song if groove == "WaltzFill"} == {1}
    assert all(song[0][0] != "WaltzEnd" for song in songs)


def test_without_mma_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="mma is not installed"):
        styles.write_song(Style("a/b", ("A",), 3, 1.0), tmp_path / "a.mid", seed=0)
    with pytest.raises(InputError, match="no grooves of MMA"):
        styles.write_songs(tmp_path / "out", library=tmp_path)


def test_a_folder_without_songs_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "info.csv").touch()
    folder = tmp_path / "nowhere"
    for trainer in (patterns, phrases):
        monkeypatch.setattr(trainer, "load_performances", lambda _: [])
    with pytest.raises(SystemExit) as stopped:
        patterns.main([str(tmp_path), "--styles", str(folder)])
    assert stopped.value.code == 2
    with pytest.raises(typer.Exit):
        phrases._main(tmp_path, styles=folder)
    said = capsys.readouterr().err
    assert said.count(f"{folder}: no .mid of drum2midi.training.styles\n") == 2


@pytest.mark.parametrize(
    ("name", "counts"), [("fastswing", [4]), ("jazzrock", []), ("rock", []), ("swing128", [12])]
)
def test_of_what_is_in_four_four_only_swing_is_taken(
    name: str, counts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mma(*arguments: str, folder: Path) -> str:
        if "-Djs" in arguments:
            return 'JSON [{"groove": "A", "tracks": [{"track": "DRUM-RIDE"}]}]'
        return "METRE A 4.0 4/4\n"

    monkeypatch.setattr(styles, "_mma", mma)
    found = styles.read_styles(tmp_path / "stdlib" / f"{name}.mma", library=tmp_path)
    assert [style.count for style in found] == counts


def test_swing_of_a_style_is_played_loosely_in_its_metre(tmp_path: Path) -> None:
    style = Style("stdlib/swing", ("Swing",), 4, 1.0)
    written = [(beat + late, 51, 80) for beat in range(64) for late in (0.0, 2 / 3)]
    styles._write(written, style, 180.0, tmp_path / "a.mid")
    (song,) = load_styles(tmp_path)
    heard = [patterns.hear(song, np.random.default_rng(seed)) for seed in range(30)]
    assert {excerpt.count for excerpt in heard if excerpt is not None} == {4}
