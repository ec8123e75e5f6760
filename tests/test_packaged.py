"""One-shots of Debian packages: cut to their attack, levelled, and read as one-shots."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from drum2midi.errors import InputError
from drum2midi.training import packaged
from drum2midi.training.oneshots import PEAK, load_library
from drum2midi.training.packaged import PACKAGES, gather, trim
from drum2midi.training.synthesis import ATTACK, RATE


def hit(*, rate: int = RATE, late: float = 0.05, peak: float = 0.5) -> np.ndarray:
    """A falling tone after some silence."""
    time = np.arange(int(0.3 * rate)) / rate
    tone = np.sin(2 * np.pi * 400.0 * time + 0.5) * np.exp(-time / 0.05)
    tone *= peak / np.abs(tone).max()
    return np.concatenate((np.zeros(int(late * rate)), tone)).astype(np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What two packages install, a file for every name that is known, some in layers."""
    for package in PACKAGES:
        folder = tmp_path / "share" / package.folder
        folder.mkdir(parents=True)
        for pieces in package.kits.values():
            for start in pieces:
                name = f"{start}hard" if start.endswith("_") else start
                soundfile.write(folder / f"{name}.flac", hit(rate=48000), 48000)
        soundfile.write(folder / "loop_amen.flac", hit(), RATE)
    soft = tmp_path / "share" / "sonic-pi/samples/drum_snare_soft.flac"
    soundfile.write(soft, np.tile(hit(peak=0.25)[:, None], (1, 2)), RATE)
    return tmp_path / "share"


def test_a_one_shot_begins_a_millisecond_before_its_attack() -> None:
    for late in (0.05, 0.0003, 0.0):
        cut = trim(hit(late=late))
        assert np.abs(cut).max() == pytest.approx(1.0)
        assert np.argmax(np.abs(cut) > 0.05) == pytest.approx(ATTACK * RATE, abs=2)
        assert cut[-1] == 0.0


def test_what_packages_carry_becomes_a_folder_of_one_shots(root: Path, tmp_path: Path) -> None:
    count = gather(tmp_path / "out", root=root)
    with (tmp_path / "out" / "index.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    known = sum(len(pieces) for package in PACKAGES for pieces in package.kits.values())
    assert count == len(rows) == known + 1
    assert {row["licence"] for row in rows} == {
        "CC0-1.0", "GPL-2", "GPL-2+", "CC-BY-3.0", "BSD-3-Clause",
    }  # fmt: skip
    assert not any("loop" in row["file"] for row in rows)
    snares = {row["source"]: row for row in rows if row["instrument"] == "drum_snare"}
    soft = snares["sonic-pi/samples/drum_snare_soft.flac"]
    assert float(soft["level_db"]) == pytest.approx(-6.0, abs=0.1)
    assert soft["piece"] == "snare"
    library = load_library(tmp_path / "out", only=("sonic-pi-acoustic", "lmms-drums"))
    assert [drum.name for drum, found in library.items() if not found] == ["ride bell"]


def test_layers_and_articulations_are_told_from_names(root: Path, tmp_path: Path) -> None:
    folder = root / "hydrogen/data/drumkits/ForzeeStereo"
    for layer, peak in enumerate((0.1, 0.4)):
        soundfile.write(folder / f"SnareOff-{layer}.flac", hit(peak=peak), RATE)
    gather(tmp_path / "out", root=root)
    with (tmp_path / "out" / "index.csv").open(newline="") as lines:
        rows = {row["file"]: row for row in csv.DictReader(lines)}
    soft, loud = (rows[f"forzee-stereo/snare/SnareOff-{layer}.flac"] for layer in range(2))
    assert soft["instrument"] == loud["instrument"] == "SnareOff"
    assert soft["articulation"] == loud["articulation"] == "off"
    assert float(soft["level_db"]) == pytest.approx(-12.0, abs=0.1)
    assert float(loud["level_db"]) == 0.0


def test_a_file_at_another_rate_keeps_its_pitch_and_length(root: Path, tmp_path: Path) -> None:
    gather(tmp_path / "out", root=root)
    audio, rate = soundfile.read(tmp_path / "out/lmms-drums/ride/ride.flac")
    assert rate == RATE
    assert len(audio) / RATE == pytest.approx(0.3, abs=0.005)
    assert np.abs(audio).max() == pytest.approx(PEAK, abs=1e-3)
    magnitude = np.abs(np.fft.rfft(audio))
    assert np.argmax(magnitude) * RATE / len(audio) == pytest.approx(400.0, abs=5.0)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_that_is_not_there_is_named(
    package: packaged.Package, root: Path, tmp_path: Path
) -> None:
    shutil.rmtree(root / package.folder)
    with pytest.raises(InputError, match=rf"{package.folder}: no such folder; is the package"):
        gather(tmp_path / "out", root=root)
    app = packaged.typer.Typer()
    app.command()(packaged._main)
    done = CliRunner().invoke(app, [str(tmp_path / "out"), "--root", str(root)])
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "no such folder" in done.output
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_sound_is_named(root: Path, tmp_path: Path) -> None:
    ride = root / "lmms/samples/drums/ride.flac"
    for content, reason in ((b"no sound", "cannot be read"), (None, "holds no sound")):
        if content is None:
            soundfile.write(ride, np.zeros(100), RATE)
        else:
            ride.write_bytes(content)
        with pytest.raises(InputError, match=rf"ride\.flac: {reason}"):
            gather(tmp_path / "out", root=root)


def test_a_package_without_its_drums_is_named(root: Path, tmp_path: Path) -> None:
    folder = root / "lmms/samples/drums"
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(InputError, match="lmms/samples/drums: none of its drums is there"):
        gather(tmp_path / "out", root=root)
