"""The program as a user runs it: in a process of its own, and its every error."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from conftest import RATE, place, thump

from drum2midi import transcribe
from drum2midi.commands.transcribe import _named
from drum2midi.errors import InputError
from drum2midi.files import check_new_folder, check_writable, replacing


def drum2midi(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drum2midi", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def test_two_files_beside_the_song_and_one_line(beat_wav: Path, tmp_path: Path) -> None:
    song = tmp_path / "beat.wav"
    song.write_bytes(beat_wav.read_bytes())
    done = drum2midi(song)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "beat.mid", "beat.musicxml", "beat.wav",
    ]  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert "8 kick" in done.stdout
    assert "4/4" in done.stdout
    assert "120.0 bpm" in done.stdout


def test_damage_is_told_once_although_the_song_is_read_twice(
    beat_wav: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(beat_wav)
    song = write(tmp_path / "song.flac", np.tile(samples, 4), rate)
    song.write_bytes(song.read_bytes()[: song.stat().st_size // 2])
    done = drum2midi(song, "-o", tmp_path / "song.mid")
    assert done.returncode == 0
    assert done.stderr.count("using what came before") == 1


def test_every_output_holds_the_same_strokes(beat_wav: Path, tmp_path: Path) -> None:
    names = ["a.mid", "a.musicxml", "a.mxl", "a.xml", "a.csv", "a.json"]
    outputs = [part for name in names for part in ("-o", tmp_path / name)]
    done = drum2midi(beat_wav, *outputs, "-q", "--title", "Beat")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    document = json.loads((tmp_path / "a.json").read_text())
    hits = [(hit["seconds"], hit["midi"], hit["velocity"]) for hit in document["hits"]]
    with (tmp_path / "a.csv").open() as lines:
        rows = [
            (float(r["seconds"]), int(r["midi"]), int(r["velocity"])) for r in csv.DictReader(lines)
        ]
    assert rows == hits
    kicks = [seconds for seconds, key, _ in hits if key == 36]
    assert kicks == pytest.approx([0.25 + i for i in range(8)], abs=0.02)
    assert document["title"] == "Beat"
    assert document["metre"] == "4/4"
    keys = sorted(m.note for m in mido.MidiFile(tmp_path / "a.mid") if m.type == "note_on")
    assert keys == sorted(key for _, key, _ in hits)
    sheet = (tmp_path / "a.musicxml").read_text()
    assert sheet == (tmp_path / "a.xml").read_text()
    assert sheet.count("<unpitched>") == len(hits)


def test_performed_timing_is_the_playing(beat_wav: Path, tmp_path: Path) -> None:
    drum2midi(beat_wav, "-o", tmp_path / "a.mid", "-o", tmp_path / "a.json", "--timing=performed")
    now, played = 0.0, []
    for message in mido.MidiFile(tmp_path / "a.mid"):
        now += message.time
        if message.type == "note_on":
            played.append(now)
    heard = [hit["seconds"] for hit in json.loads((tmp_path / "a.json").read_text())["hits"]]
    assert sorted(played) == pytest.approx(sorted(heard), abs=0.002)


def test_what_the_user_knows(beat_wav: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    drum2midi(beat_wav, "-o", target, "--metre", "3/4", "--tempo", "120")
    document = json.loads(target.read_text())
    assert document["metre"] == "3/4"
    assert document["tempo"] == pytest.approx(120, abs=0.5)


def test_a_passage(beat_wav: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    drum2midi(beat_wav, "-o", target, "--start", "2", "--end", "4")
    hits = json.loads(target.read_text())["hits"]
    assert [hit["seconds"] for hit in hits if hit["midi"] == 36] == pytest.approx(
        [0.25, 1.25], abs=0.02
    )
    assert max(hit["seconds"] for hit in hits) < 2.0


@pytest.mark.parametrize(("start", "end"), [(1.1, 3.3), (2.29, 4.71), (0.77, 2.8)])
def test_a_passage_has_the_strokes_that_the_whole_has(start: float, end: float) -> None:
    """A tail that is cut off hard looks like an attack; nothing may be heard there."""
    song = Path(__file__).parents[1] / "examples" / "funk.ogg"
    whole = [hit.onset - start for hit in transcribe(song).hits]
    part = [hit.onset for hit in transcribe(song, start=start, end=end).hits]
    strange = [onset for onset in part if min(abs(onset - other) for other in whole) >= 0.03]
    # Less music around it may tip a faint stroke or two; near a cut, with other cuts too.
    assert len(strange) <= 2
    others = [(start - 0.3, end + 0.4), (start + 0.2, end + 0.5)]
    elsewhere = [[hit.onset + a - start for hit in transcribe(song, start=a, end=b).hits]
                 for a, b in others]  # fmt: skip
    near = [onset for onset in strange if not 0.3 < onset < end - start - 0.3]
    assert all(min(abs(onset - other) for other in found) < 0.03
               for onset in near for found in elsewhere)  # fmt: skip
    assert part[0] > min(abs(onset) for onset in whole if onset > -0.01) - 0.03


def test_a_name_as_long_as_a_name_can_be(beat_wav: Path, tmp_path: Path) -> None:
    song = tmp_path / f"{'x' * 243}.wav"
    song.write_bytes(beat_wav.read_bytes())
    assert drum2midi(song).stderr == ""
    assert song.with_suffix(".musicxml").is_file()


def test_what_lies_beside_the_song_is_not_written_over_unasked(
    beat_wav: Path, tmp_path: Path
) -> None:
    song = tmp_path / "beat.wav"
    song.write_bytes(beat_wav.read_bytes())
    truth = tmp_path / "beat.mid"
    named = mido.MetaMessage("track_name", name="truth for drum2midi, by hand")
    mido.MidiFile(tracks=[mido.MidiTrack([named])]).save(truth)
    before = truth.read_bytes()
    assert f"cannot write {truth}: it is there already" in fails(song, folder=tmp_path)
    assert truth.read_bytes() == before
    assert drum2midi(song, "-o", truth).returncode == 0
    # What it wrote itself it may write again.
    assert drum2midi(song, "-q").returncode == 0
    assert drum2midi(song, "-q").returncode == 0


@pytest.mark.parametrize(
    ("name", "samples", "rate"),
    [
        ("one stroke", place(thump(), [0.5], 10.0), RATE),
        ("8 kHz", place(thump(), [0.5, 1.0, 1.5], 2.0)[::5], RATE // 5),
        ("192 kHz", np.repeat(place(thump(), [0.5, 1.0, 1.5], 2.0), 4), RATE * 4),
        ("six channels", np.tile(place(thump(), [0.5, 1.0], 2.0)[:, None], 6), RATE),
        ("clipped", np.clip(20 * place(thump(), [0.5, 1.0, 1.5], 2.0), -1, 1), RATE),
        ("quiet", 0.002 * place(thump(), [0.5, 1.0, 1.5], 2.0), RATE),
    ],
)
def test_odd_but_good_recordings(name: str, samples: np.ndarray, rate: int, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", samples, rate, subtype="FLOAT")
    done = drum2midi(song)
    assert done.returncode == 0, name + done.stderr
    assert "kick" in done.stdout
    now, first = 0.0, None
    for message in mido.MidiFile(tmp_path / "song.mid"):
        now += message.time
        if message.type == "note_on" and message.note == 36 and first is None:
            first = now
    assert first == pytest.approx(0.5, abs=0.03)


def test_samples_that_are_no_numbers_are_a_warning(tmp_path: Path) -> None:
    samples = place(thump(), [0.5, 1.0, 1.5], 2.0)
    samples[60_000:60_100] = np.nan
    done = drum2midi(write(tmp_path / "nan.wav", samples, subtype="FLOAT"))
    assert done.returncode == 0
    assert sum("no numbers" in line for line in done.stderr.splitlines()) == 1
    assert all(line.startswith("drum2midi: ") for line in done.stderr.splitlines())


def fails(*arguments: object, folder: Path) -> str:
    """The one line on stderr of a run that fails and writes nothing."""
    before = sorted(folder.iterdir())
    done = drum2midi(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("drum2midi: ")
    assert sorted(folder.iterdir()) == before
    return done.stderr.removeprefix("drum2midi: ").strip()


def test_errors_are_one_line_and_leave_nothing(beat_wav: Path, tmp_path: Path) -> None:
    none = tmp_path / "none.wav"
    assert fails(none, folder=tmp_path) == f"{none}: no such file"
    assert fails(tmp_path, folder=tmp_path) == f"{tmp_path}: is a folder, not a recording"
    assert fails("", folder=tmp_path) == ".: is a folder, not a recording"
    assert fails("/", folder=tmp_path) == "/: is a folder, not a recording"
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert fails(empty, folder=tmp_path) == f"{empty}: is empty"
    text = tmp_path / "text.wav"
    text.write_text("la la la")
    assert fails(text, folder=tmp_path).startswith(f"{text}: not audio that can be read")
    silence = write(tmp_path / "silence.wav", np.zeros(RATE))
    assert fails(silence, folder=tmp_path) == f"{silence}: no drum stroke to be heard"
    blip = write(tmp_path / "blip.wav", np.zeros(RATE // 20))
    assert fails(blip, folder=tmp_path) == f"{blip}: no drum stroke to be heard"
    lost = tmp_path / "lost" / "a.mid"
    expected = f"cannot write {lost}: there is no folder {lost.parent}"
    assert fails(beat_wav, "-o", lost, folder=tmp_path) == expected
    (tmp_path / "b.mid").mkdir()
    doc = tmp_path / "a.doc"
    assert "cannot tell the format from '.doc'" in fails(beat_wav, "-o", doc, folder=tmp_path)
    assert "is not a time signature" in fails(beat_wav, "--metre", "5", folder=tmp_path)
    assert "is not one or more of 4, 8" in fails(beat_wav, "--grid", "12", folder=tmp_path)
    assert "none of grid, performed" in fails(beat_wav, "--timing", "late", folder=tmp_path)
    assert "no such model file" in fails(beat_wav, "--model", none, folder=tmp_path)
    assert "not an ONNX model" in fails(beat_wav, "--model", text, folder=tmp_path)
    assert "it is a folder" in fails(beat_wav, "-o", tmp_path / "b.mid", folder=tmp_path)
    for start in ("60", "9.5", "9.0"):
        late = f"{beat_wav}: is only 9.0 s long, the passage begins later"
        assert fails(beat_wav, "--start", start, folder=tmp_path) == late
    passage = f"{beat_wav}: cannot read from 2.0 s to 1.5 s: the end comes first"
    assert fails(beat_wav, "--start", "2", "--end", "1.5", folder=tmp_path) == passage
    assert fails(beat_wav, "--mix", folder=tmp_path) == "--mix goes with a .wav: -o names one"
    click = fails(beat_wav, "-o", tmp_path / "a.mid", "--click", folder=tmp_path)
    assert click == "--click goes with a .wav: -o names one"
    weights = fails(beat_wav, "--weights", tmp_path, folder=tmp_path)
    assert weights == "--weights goes with --separate"
    for option in ("--timing=performed", "--drum-map=roland-td", "--hat-cc4"):
        idle = fails(beat_wav, "-o", tmp_path / "a.csv", option, folder=tmp_path)
        said = option.replace("=performed", " performed").replace("=roland-td", "")
        assert idle == f"{said} goes with a .mid: -o names one"
    assert fails(beat_wav, "--paper=letter", folder=tmp_path).startswith("--paper goes with a .pdf")
    for option in ("--repeats", "--rolls=tremolo"):
        idle = fails(beat_wav, "-o", tmp_path / "a.mid", option, folder=tmp_path)
        assert idle == f"{option.split('=')[0]} goes with a .musicxml: -o names one"
    fits = fails(beat_wav, "--metre", "7/8", "--grid", "8t", folder=tmp_path)
    assert fits == "the note values of --grid do not divide the beats of 7/8"
    private = fails(beat_wav, "--allow-private", "studio.local", folder=tmp_path)
    assert private == "--allow-private goes with a link"
    pipe = tmp_path / "pipe.mid"
    os.mkfifo(pipe)
    expected = f"cannot write {pipe}: it is not a file"
    assert fails(beat_wav, "-o", pipe, folder=tmp_path) == expected
    nowhere = tmp_path / "link.mid"
    nowhere.symlink_to(tmp_path / "gone" / "a.mid")
    expected = f"cannot write {nowhere}: there is no folder {tmp_path / 'gone'}"
    assert fails(beat_wav, "-o", nowhere, folder=tmp_path) == expected
    raw = tmp_path / "a.raw"
    raw.write_bytes(beat_wav.read_bytes()[44:])
    assert "samples without a header" in fails(raw, folder=tmp_path)


def test_a_link_stays_one_and_what_it_leads_to_is_written(beat_wav: Path, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    take, link = tmp_path / "project" / "take.mid", tmp_path / "link.mid"
    take.write_bytes(b"the old take")
    link.symlink_to(take)
    assert drum2midi(beat_wav, "-o", link, "-q").returncode == 0
    assert link.is_symlink()
    assert len(mido.MidiFile(take).tracks) == 2
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["take.mid"]


def test_nobody_is_told_of_this_machine(beat_wav: Path, tmp_path: Path) -> None:
    """onnxruntime would keep a number for it, and what it is, in the user's folder."""
    home = tmp_path / "home"
    home.mkdir()
    surroundings = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    surroundings.pop("ORT_DISABLE_TELEMETRY", None)
    done = drum2midi(beat_wav, "-o", tmp_path / "a.mid", "-q", env=surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_the_same_recording_gives_the_same_bytes(beat_wav: Path, tmp_path: Path) -> None:
    names = ["a.mid", "a.musicxml", "a.mxl", "a.pdf", "a.svg", "a.csv", "a.json", "a.wav"]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        outputs = [part for name in names for part in ("-o", tmp_path / folder / name)]
        assert drum2midi(beat_wav, *outputs, "-q").returncode == 0
        time.sleep(2.1)  # an archive's times are even seconds
    for name in names:
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(beat_wav: Path, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    target = folder / "a.mid"
    assert fails(beat_wav, "-o", target, folder=folder).startswith(f"cannot write {target}: ")


def test_what_its_owner_protected_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "a.mid"
    mine.write_text("edited by hand")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != mine)  # root may do anything
    with pytest.raises(InputError, match=r"cannot write .*a\.mid: it is protected against writing"):
        check_writable(mine)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(InputError, match="the folder above is not yours to write in"):
        check_new_folder(tmp_path / "hits")


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.touch(mode=0o600)
    with replacing(target) as path:
        path.write_text("new")
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_usage_errors_are_typers() -> None:
    assert drum2midi("song.wav", "--sensitivity", "2").returncode == 2
    assert drum2midi("song.wav", "--bogus").returncode == 2


def test_help_teaches() -> None:
    for arguments in ((), ("--help",), ("-h",)):
        done = drum2midi(*arguments)
        assert done.returncode == 0
        assert "SONG" in done.stdout
        assert "--metre" in done.stdout
        assert "drum2midi train" in " ".join(done.stdout.split())
    assert drum2midi("--version").stdout.startswith("drum2midi ")


@pytest.mark.parametrize("title", ["日本", "a\x1b]0;b\x07\nc"])
def test_any_title_is_one_line(title: str, beat_wav: Path, tmp_path: Path) -> None:
    done = drum2midi(
        beat_wav, "-o", tmp_path / "a.json", "--title", title,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert "\x1b" not in done.stdout
    shown = json.loads((tmp_path / "a.json").read_text())["title"]
    assert shown == ("日本" if title == "日本" else "a]0;b c")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_it_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    long = np.tile(place(thump(), [0.5, 1.0, 1.5], 2.0), 600)
    song = write(tmp_path / "long.wav", long)
    command = [sys.executable, "-m", "drum2midi", str(song)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background is deaf to Control-C, and so would its children be.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        time.sleep(2.0)
        process.send_signal(ending)
        _, message = process.communicate(timeout=30)
    # A shell's loop ends only with a command that died of Control-C, as what does not mind it does.
    assert process.returncode == (-ending if ending is signal.SIGINT else 128 + ending), message
    assert "Traceback" not in message
    assert list(tmp_path.iterdir()) == [song]


def test_what_nohup_starts_outlives_the_terminal(beat_wav: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with subprocess.Popen(
        [sys.executable, "-m", "drum2midi", str(beat_wav), "-o", str(target)],
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        time.sleep(1.0)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=60) == 0
    assert target.is_file()


@pytest.mark.parametrize(
    ("song", "midi"),
    [("Take 1.2", "Take 1.2.mid"), ("Mr. Jones", "Mr. Jones.mid"), ("v1.0.wav", "v1.0.mid")],
)
def test_names_with_points_keep_them(song: str, midi: str) -> None:
    assert _named(Path("a.b") / song, ".mid") == Path("a.b") / midi


_HEAVY = "tensorflow keras torch demucs yt_dlp mlflow librosa numba sklearn"


@pytest.mark.parametrize(
    ("outputs", "absent"),
    [
        (["a.mid"], f"{_HEAVY} music21 matplotlib verovio"),
        (["a.musicxml", "a.csv", "a.json"], f"{_HEAVY} matplotlib verovio"),
    ],
)
def test_light_to_start(beat_wav: Path, tmp_path: Path, outputs: list[str], absent: str) -> None:
    arguments = [str(beat_wav), *(x for name in outputs for x in ("-o", str(tmp_path / name)))]
    script = (
        "import sys; from drum2midi.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"print([name for name in {absent.split()!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / outputs[0]).is_file()


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from drum2midi.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"names = {(_HEAVY + ' numpy scipy onnxruntime soundfile music21 mido').split()!r}\n"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
