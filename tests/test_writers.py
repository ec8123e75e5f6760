"""Every kind of file from one command, and what each needs to be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mido
import pytest
import soundfile
from scores import CASES

from drum2midi.drummaps import ROLAND_TD
from drum2midi.errors import InputError
from drum2midi.tables import read_json
from drum2midi.transcription import Transcription
from drum2midi.writers import SUFFIXES, WriteOptions, check_output


def drum2midi(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drum2midi", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"song{suffix}"
    CASES["every drum"].read().save(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 100
    CASES["backbeat"].read().save(path.with_suffix(suffix.upper()))


def test_one_command_writes_them_all(beat_wav: Path, tmp_path: Path) -> None:
    names = ["a.mid", "a.pdf", "a.svg", "a.wav", "a.png"]
    outputs = [part for name in names for part in ("-o", tmp_path / name)]
    done = drum2midi(beat_wav, *outputs, "--mix", "--click", "--paper", "letter", "--repeats",
                     "--drum-map", "roland-td", "--hat-cc4")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert soundfile.info(tmp_path / "a.wav").duration > 9.0
    assert 'width="215.9mm"' in (tmp_path / "a.svg").read_text(encoding="utf-8")
    notes = {m.note for m in mido.MidiFile(tmp_path / "a.mid") if m.type == "note_on"}
    assert notes <= set(ROLAND_TD.values())


def test_mistakes_are_found_before_the_work(beat_wav: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(beat_wav.read_bytes())
    for arguments, message in (
        (("-o", song), f"cannot write {song}: it is the recording itself"),
        (("--paper", "a3"), "paper 'a3' is none of a4, letter"),
        (("--rolls", "buzz"), "rolls 'buzz' is none of auto, written, tremolo"),
        (("--drum-map", "ez"), "drum map 'ez' is none of gm, roland-td, nor a .toml file"),
    ):
        done = drum2midi(song, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"drum2midi: {message}\n"
    assert song.read_bytes() == beat_wav.read_bytes()
    assert list(tmp_path.iterdir()) == [song]


@pytest.mark.parametrize(
    ("suffix", "rolls", "tremolos"),
    [
        (".musicxml", "auto", False),
        (".musicxml", "tremolo", True),
        (".svg", "auto", True),
        (".svg", "written", False),
    ],
)
def test_rolls_are_tremolos_on_pages(
    suffix: str, rolls: str, tremolos: bool, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    CASES["roll of a beat"].read().save(path, rolls=rolls)
    text = path.read_text(encoding="utf-8")
    assert ("<tremolo" in text or "bTrem" in text) == tremolos


def test_unknown_choices() -> None:
    with pytest.raises(InputError, match="timing 'late' is none of grid, performed"):
        WriteOptions(timing="late")
    with pytest.raises(InputError, match="cannot tell the format"):
        check_output(Path("a.doc"), WriteOptions())
    with pytest.raises(TypeError):
        CASES["backbeat"].read().save("a.mid", tempo=3)


@pytest.mark.parametrize(
    ("suffix", "absent"),
    [
        (".mid", "music21 verovio reportlab matplotlib"),
        (".musicxml", "verovio reportlab matplotlib.pyplot"),
        (".svg", "reportlab matplotlib.pyplot"),
        (".wav", "music21 verovio reportlab matplotlib"),
        (".png", "music21 verovio reportlab matplotlib.pyplot"),
    ],
)
def test_only_what_is_needed_is_imported(suffix: str, absent: str, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from scores import CASES\n"
        f"CASES['backbeat'].read().save({str(tmp_path / 'a')!r} + {suffix!r})\n"
        f"print([name for name in {absent.split()!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_recording_may_be_a_string(
    two_bars: Transcription, beat_wav: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # the second time the file is there
        two_bars.save(tmp_path / "a.wav", recording=str(beat_wav), mix=True)
    with pytest.raises(InputError, match="it is the recording itself"):
        two_bars.save(beat_wav, recording=str(beat_wav), mix=True)


def test_a_title_that_is_no_unicode_can_be_written(two_bars: Transcription, tmp_path: Path) -> None:
    two_bars.save(tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text().replace('"title": "', '"title": "A\\ud800')
    (tmp_path / "a.json").write_text(text)
    read = read_json(tmp_path / "a.json")
    assert read.title.startswith("A?")
    read.save(tmp_path / "b.json")
    assert read_json(tmp_path / "b.json").title == read.title
