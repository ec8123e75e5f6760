"""One-shots of soundfonts: struck by FluidSynth, each sound once, and read as one-shots."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from typer.testing import CliRunner

from drum2midi.errors import InputError
from drum2midi.training import soundfont_kits
from drum2midi.training.oneshots import PEAK, load_library
from drum2midi.training.soundfont_kits import (
    AVL,
    GENERAL_MIDI,
    SOUNDFONTS,
    VELOCITIES,
    Soundfont,
    gather,
)
from drum2midi.training.synthesis import ATTACK, RATE

STANDARD, ROOM = (128, 0), (128, 8)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small soundfont that every machine with pretty_midi has, two of its kits."""
    pytest.importorskip("fluidsynth", exc_type=ImportError)
    share = tmp_path / "share"
    (share / "sf2").mkdir(parents=True)
    shutil.copy(Path(pretty_midi.__file__).with_name("TimGM6mb.sf2"), share / "sf2")
    use(monkeypatch, Soundfont("tim", "sf2/TimGM6mb.sf2", "GPL-2", (STANDARD, ROOM), GENERAL_MIDI))
    return share


def use(monkeypatch: pytest.MonkeyPatch, *fonts: Soundfont) -> None:
    monkeypatch.setattr(soundfont_kits, "SOUNDFONTS", fonts)


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_drum_of_a_soundfont_becomes_one_shots(root: Path, tmp_path: Path) -> None:
    count = gather(tmp_path / "out", root=root)
    rows = rows_of(tmp_path / "out")
    assert count == len(rows) == len({row["file"] for row in rows})
    assert {row["piece"] for row in rows} == set(GENERAL_MIDI.values())
    assert {(row["kit"], row["source"]) for row in rows} == {
        ("tim-0", "sf2/TimGM6mb.sf2, 128:0"),
        ("tim-8", "sf2/TimGM6mb.sf2, 128:8"),
    }
    for row in rows:
        audio, rate = soundfile.read(tmp_path / "out" / row["file"])
        assert rate == RATE
        assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-3)
        assert np.argmax(np.abs(audio) > 0.0499 * PEAK) == pytest.approx(ATTACK * RATE, abs=3)
        assert float(row["seconds"]) == pytest.approx(len(audio) / RATE, abs=1e-3)
    library = load_library(tmp_path / "out", only=("tim-0",))
    assert all(library.values())


def test_levels_fall_with_velocity(root: Path, tmp_path: Path) -> None:
    gather(tmp_path / "out", root=root)
    kicks = {
        int(Path(row["file"]).stem.split("-")[1]): float(row["level_db"])
        for row in rows_of(tmp_path / "out")
        if (row["kit"], row["instrument"]) == ("tim-0", "note36")
    }
    assert set(kicks) <= set(VELOCITIES)
    assert [kicks[v] for v in sorted(kicks)] == sorted(kicks.values())
    assert max(kicks.values()) <= 0.0


def test_a_sound_that_another_kit_has_given_is_left_out(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Soundfont("tim", "sf2/TimGM6mb.sf2", "GPL-2", (STANDARD, STANDARD), {36: "kick"})
    use(monkeypatch, two)
    twice = gather(tmp_path / "twice", root=root)
    use(monkeypatch, Soundfont("tim", "sf2/TimGM6mb.sf2", "GPL-2", (STANDARD,), {36: "kick"}))
    assert twice == gather(tmp_path / "once", root=root)
    assert {row["kit"] for row in rows_of(tmp_path / "once")} == {"tim"}


def test_notes_are_pieces_that_the_renderer_plays() -> None:
    pieces = {sort.partition("/")[0] for notes in (GENERAL_MIDI, AVL) for sort in notes.values()}
    assert pieces == {
        "kick", "side_stick", "snare", "tom_low", "tom_mid", "tom_high", "hihat_closed",
        "hihat_pedal", "hihat_open", "crash", "china", "splash", "ride", "ride_bell",
    }  # fmt: skip
    assert len({font.name for font in SOUNDFONTS}) == len(SOUNDFONTS)


def test_a_soundfont_that_is_not_there_is_named(root: Path, tmp_path: Path) -> None:
    (root / "sf2/TimGM6mb.sf2").unlink()
    with pytest.raises(InputError, match=r"TimGM6mb\.sf2: no such soundfont; is the package"):
        gather(tmp_path / "out", root=root)
    app = soundfont_kits.typer.Typer()
    app.command()(soundfont_kits._main)
    done = CliRunner().invoke(app, [str(tmp_path / "out"), "--root", str(root)])
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "no such soundfont" in done.output
    assert not (tmp_path / "out").exists()


def test_a_soundfont_without_drums_is_named(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Soundfont("tim", "sf2/TimGM6mb.sf2", "GPL-2", (STANDARD,), {1: "kick"}))
    with pytest.raises(InputError, match=r"TimGM6mb\.sf2: none of its drums sounds"):
        gather(tmp_path / "out", root=root)
