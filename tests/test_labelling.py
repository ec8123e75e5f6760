"""The labelling core: keys, undo, resume, and nothing lost when it is killed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi.cli import main
from drum2midi.drums import CLOSED_HAT, DRUMS, KICK, OPEN_HAT, SNARE
from drum2midi.errors import InputError
from drum2midi.workshop.journal import Journal, journal_of, warn_of_journal
from drum2midi.workshop.labelling import DRUM_KEYS, LabellingState, Skipped
from drum2midi.workshop.labels import Clip, Label, Labels, read_labels, write_labels
from drum2midi.workshop.readers import read_source
from drum2midi.workshop.session import LabellingSession, labels_file
from drum2midi.workshop.slices import Prediction, Slice, Slices, slices_index
from drum2midi.workshop.sounds import ANYTHING

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = "2026-11-22T12:00:00Z"


@pytest.fixture
def slices(tmp_path: Path) -> Slices:
    """200 hits; the model suggests a kick for every other one."""
    song = tmp_path / "song.wav"
    soundfile.write(song, np.zeros(8000 * 101), 8000)
    (tmp_path / "clips").mkdir()
    kick = (Prediction(KICK, 0.9, 80),)
    hits = tuple(
        Slice(tmp_path / "clips" / f"{i}.wav", 0.5 + i / 2, kick if i % 2 == 0 else (), (0.0,) * 12)
        for i in range(200)
    )
    for one in hits:
        one.clip.touch()
    made = Slices(song, 0.25, 0.01, hits)
    (tmp_path / "slices.json").write_text(slices_index(made, tmp_path))
    return made


@pytest.fixture
def start(slices: Slices) -> Callable[[], LabellingSession]:
    """Opens the labelling of the song's folder."""
    path = slices.audio.with_name("labels.json")
    return lambda: LabellingSession(slices, path, who="anna", clock=lambda: NOON)


def press(session: LabellingSession, *keys: str) -> None:
    for key in keys:
        assert session.press(key), key


def stored(slices: Slices) -> dict[float, list[str]]:
    labels = read_labels(slices.audio.with_name("labels.json")).labels
    return {label.onset: [drum.name for drum in label.drums] for label in labels}


def test_every_drum_has_its_own_key() -> None:
    assert sorted(DRUM_KEYS.values(), key=DRUMS.index) == list(DRUMS)


def test_keys_label_hits(start: Callable[[], LabellingSession], slices: Slices) -> None:
    with start() as session:
        assert session.state.chosen == {KICK}  # suggested
        press(session, "Enter")
        assert session.state.chosen == frozenset()
        press(session, "S", "h", "Enter")
        press(session, "k", "o", "Enter")  # the suggested kick unticked
        press(session, "k", "s", "Escape", "Enter")
        press(session, "+", "+", "-", "+", "Enter")
        assert not session.press("q")
        assert session.state.index == 5
        assert session.labels.labels == (
            Label(0.5, (KICK,), None, "anna", STAMP),
            Label(1.0, (SNARE, CLOSED_HAT), None, "anna", STAMP),
            Label(1.5, (OPEN_HAT,), None, "anna", STAMP),
            Label(2.0, (), None, "anna", STAMP),
            Label(2.5, (KICK,), 88, "anna", STAMP),
        )
        labels = session.labels
        assert session.clips[1] == Clip(slices.slices[1].clip, (SNARE, CLOSED_HAT))
    assert read_labels(slices.audio.with_name("labels.json")) == labels


def test_skip_back_and_undo(start: Callable[[], LabellingSession], slices: Slices) -> None:
    with start() as session:
        press(session, "ArrowRight", "s", "Enter", "Enter")
        assert (session.state.labelled, session.state.skipped, session.state.index) == (2, 1, 3)
        press(session, "ArrowLeft", "ArrowLeft")
        assert (session.state.index, session.state.chosen) == (1, {SNARE})
        press(session, "s", "h", "Enter")  # said anew
        assert session.state.index == 3
        press(session, "u")
        assert (session.state.index, session.state.chosen) == (1, {SNARE})
        press(session, "ArrowRight")  # a label is not lost by passing over it
        assert (session.state.index, session.state.labelled) == (2, 2)
        press(session, "u", "Backspace", "u")
        assert session.state == LabellingState(slices.slices).at(0)
        press(session, "u", "ArrowLeft")
        assert session.state == LabellingState(slices.slices).at(0)
    assert not slices.audio.with_name("labels.json").exists()
    assert not slices.audio.with_name("labels.json.journal").exists()


def test_a_skip_of_before_is_not_what_undo_undoes(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    with start() as session:
        press(session, "ArrowRight", "Enter", "Enter")
    with start() as session:
        press(session, "u")
        assert session.state.index == 3  # nothing was done here yet
        press(session, "ArrowRight", "u")
        assert session.state.index == 3
    assert sorted(stored(slices)) == [1.0, 1.5]


def test_hits_that_nobody_labelled_are_neither_strokes_nor_silence(
    start: Callable[[], LabellingSession], slices: Slices, caplog: pytest.LogCaptureFixture
) -> None:
    with start() as session:
        press(session, "Enter", "ArrowRight", "Escape", "Enter", "s", "Enter")
    path = slices.audio.with_name("labels.json")
    (recording,) = read_source(path)
    sure = [(s.onset, s.sound) for s in recording.strokes if s.sound != ANYTHING]
    assert sure == [(0.5, (KICK,)), (2.0, (SNARE,))]
    unsaid = [stroke.onset for stroke in recording.strokes if stroke.sound == ANYTHING]
    assert unsaid == [1.0, *(0.5 + i / 2 for i in range(4, 200))]
    assert "says nothing of 197 of 200 hits" in caplog.text


def test_labels_that_are_in_the_journal_alone_are_told_of(
    start: Callable[[], LabellingSession], slices: Slices, caplog: pytest.LogCaptureFixture
) -> None:
    path = slices.audio.with_name("labels.json")
    with start() as session:
        press(session, "Enter", "ArrowRight")
    warn_of_journal(path)
    assert not caplog.text
    session = start()
    press(session, "Enter")  # and it is killed
    warn_of_journal(path)
    assert "labels.json.journal holds newer labels than labels.json" in caplog.text
    session.close()


def test_merging_writes_over_nothing(
    start: Callable[[], LabellingSession], slices: Slices, capsys: pytest.CaptureFixture[str]
) -> None:
    with start() as session:
        press(session, "Enter")
    path, before = slices.audio.with_name("labels.json"), slices.audio.read_bytes()
    for output, reason in ((slices.audio, "is there already"), (path, "one of the files to merge")):
        with pytest.raises(SystemExit):
            main(["label", "--merge", str(path), "-o", str(output)])
        assert reason in capsys.readouterr().err
    assert slices.audio.read_bytes() == before
    assert len(stored(slices)) == 1
    twice = path.with_name("copy.json")
    shutil.copyfile(path, twice)
    for options, reason in (
        ([str(twice)], "merge one"),
        (["--who", "ben"], "--who goes with labelling"),
        (["--labels", str(twice)], "--labels goes with labelling"),
    ):
        with pytest.raises(SystemExit):
            main(["label", "--merge", str(path), *options, "-o", str(path.with_name("all.json"))])
        assert reason in capsys.readouterr().err


def test_at_the_end_one_stays_and_all_is_done(slices: Slices) -> None:
    state = LabellingState(slices.slices)
    for _ in range(200):
        state = state.marked(state.index, Skipped()).onwards()
    assert (state.index, state.done, state.skipped) == (199, True, 200)
    assert not state.undone().done
    assert state.undone().index == 199


def test_work_goes_on_where_it_stopped(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    with start() as session:
        press(session, "Enter", "ArrowRight", "s", "Enter", "ArrowLeft", "ArrowLeft", "ArrowLeft")
    assert stored(slices) == {0.5: ["kick"], 1.5: ["kick", "snare"]}
    with start() as session:
        assert (session.state.index, session.state.labelled, session.state.skipped) == (3, 2, 1)
        press(session, "o", "Enter")
    assert list(stored(slices)) == [0.5, 1.5, 2.0]


def test_labels_of_no_slice_and_of_others_are_kept(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    path = slices.audio.with_name("labels.json")
    theirs = Label(0.73, (SNARE,), 33, "ben", "2026-01-01T00:00:00Z")
    old = Label(0.5, (SNARE,), None, "ben", "")
    write_labels(Labels(slices.audio, (theirs, old)), path)
    with start() as session:
        assert (session.state.index, session.state.labelled) == (1, 1)
        press(session, "Enter")
    assert read_labels(path).labels == (old, theirs, Label(1.0, (), None, "anna", STAMP))


def test_the_journal_alone_tells_everything(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    """As after kill -9: the labels file was never written, the last line is cut short."""
    journal = slices.audio.with_name("labels.json.journal")
    lines = [
        {"did": "label", "time": 0.5, "drums": ["kick"], "velocity": 9, "who": "anna", "when": ""},
        {"did": "skip", "time": 1.0},
        {"did": "label", "time": 1.5, "drums": ["snare"]},
        {"did": "label", "time": 2.0, "drums": ["snare"]},
        {"did": "open", "time": 2.0, "undoes": True},
        {"did": "label", "time": 77.77, "drums": ["ride"]},
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    journal.write_text(f'{text}{{"did": "label", "time": 2.0, "dru')
    with start() as session:
        assert (session.state.index, session.state.skipped) == (3, 1)
        assert stored(slices) == {0.5: ["kick"], 1.5: ["snare"], 77.77: ["ride"]}
        press(session, "u")  # what was said before the kill can be taken back
        assert session.state.index == 2
        assert session.state.chosen == {SNARE}  # to be mended
        press(session, "u")
        assert session.state.index == 1
    assert stored(slices) == {0.5: ["kick"], 77.77: ["ride"]}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{nonsense", "damaged; remove the line to go on"),
        ("7", "damaged; remove the line to go on"),
        ('{"did": "label", "time": 1.0, "drums": ["gong"]}', 'unknown drum "gong"'),
    ],
)
def test_a_damaged_journal_is_said_and_kept(
    start: Callable[[], LabellingSession], slices: Slices, line: str, reason: str
) -> None:
    journal = slices.audio.with_name("labels.json.journal")
    text = f'{{"did": "skip", "time": 0.5}}\n{line}\n{{"did": "skip", "time": 1.0}}\n'
    journal.write_text(text)
    with pytest.raises(InputError, match=rf"labels\.json\.journal, line 2: {reason}"):
        start()
    assert journal.read_text() == text


def test_two_cannot_write_one_file(start: Callable[[], LabellingSession]) -> None:
    with start() as session:
        press(session, "Enter")
        with pytest.raises(InputError, match="another drum2midi label is at work on it"):
            start()
        press(session, "Enter")
    with start() as session:
        assert session.state.labelled == 2


def test_what_cannot_be_labelled_is_said(slices: Slices, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    with pytest.raises(InputError, match="'' is not a name for who labels"):
        LabellingSession(slices, path, who="")
    with pytest.raises(InputError, match="there is no folder"):
        LabellingSession(slices, tmp_path / "no" / "labels.json", who="anna")
    path.write_text("[]")
    with pytest.raises(InputError, match=r"labels\.json, line 1: not labels of drum2midi"):
        LabellingSession(slices, path, who="anna")
    other = tmp_path / "other.wav"
    soundfile.write(other, np.zeros(8000), 8000)
    write_labels(Labels(other, ()), path)
    with pytest.raises(InputError, match=r"labels of .*other\.wav, not of .*song\.wav"):
        LabellingSession(slices, path, who="anna")
    assert not list(tmp_path.glob("*.journal"))


def test_each_labeller_has_a_file(tmp_path: Path) -> None:
    assert labels_file(tmp_path, "anna").name == "labels-anna.json"
    assert labels_file(tmp_path, "Žofie B./..").name == "labels-Žofie-B----.json"


def test_two_labellers_never_share_a_file(slices: Slices, tmp_path: Path) -> None:
    path = labels_file(tmp_path, "anna k")
    with LabellingSession(slices, path, who="anna k") as session:
        press(session, "Enter")
    assert labels_file(tmp_path, "anna k") == path
    with pytest.raises(InputError, match=r"anna-k\.json: has labels of anna k, not of anna-k"):
        labels_file(tmp_path, "anna-k")


WORKER = """
import resource, sys
from drum2midi.workshop.session import LabellingSession
from drum2midi.workshop.slices import read_slices
from drum2midi.errors import InputError

slices = read_slices(sys.argv[1])
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
session = LabellingSession(slices, sys.argv[1] + "/labels.json", who="anna")
while not session.state.done:
    onset = session.state.current.onset
    session.press("s")
    try:
        session.press("Enter")
    except InputError as error:
        print(error, flush=True)
        break
    print(onset, flush=True)
"""


@pytest.mark.parametrize("after", [1, 49, 73])
def test_nothing_confirmed_is_lost_to_kill_9(
    start: Callable[[], LabellingSession], slices: Slices, after: int
) -> None:
    """A process that labels is killed at once after it said so for the n-th time; then resumed."""
    command = [sys.executable, "-c", WORKER, str(slices.audio.parent)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(float(line))
            if len(said) == after:
                os.kill(process.pid, signal.SIGKILL)
                break
        said += [float(line) for line in process.stdout]
    assert process.returncode == -signal.SIGKILL
    assert after <= len(said) < 200
    with start() as session:
        mine = {label.onset: label.drums for label in session.labels.labels}
        assert list(mine)[: len(said)] == said
        assert len(mine) - len(said) <= 1  # written, but killed before saying so
        assert mine[0.5] == (KICK, SNARE)
        assert session.state.index == len(mine)
        press(session, "u", "Enter")
    assert subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    with start() as session:
        assert session.state.labelled == 200
    assert len(stored(slices)) == 200


def test_a_full_disk_is_said_and_what_was_written_stays(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    """No file may grow beyond 500 bytes: the journal's fifth line does not fit."""
    command = [sys.executable, "-c", WORKER, str(slices.audio.parent), "500"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split(
        "\n"
    )
    said = [float(line) for line in lines if line and "cannot" not in line]
    assert 2 < len(said) < 6
    journal = slices.audio.with_name("labels.json.journal")
    assert f"cannot write {journal}: No space left on device" in lines
    with start() as session:
        assert [label.onset for label in session.labels.labels] == said


def test_a_labels_file_that_cannot_be_written_stops_nobody(
    start: Callable[[], LabellingSession], slices: Slices, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(labels: Labels, path: Path) -> None:
        raise InputError(f"cannot write {path}: No space left on device")

    with start() as session:
        with monkeypatch.context() as disk:
            disk.setattr("drum2midi.workshop.session.write_labels", full)
            for _ in range(49):
                session.press("Enter")
            with pytest.raises(InputError, match=r"left on device; what was said is in .*journal$"):
                session.press("Enter")
            assert session.state.index == 50
            for _ in range(49):
                session.press("Enter")
        session.press("Enter")
        assert len(read_labels(session.path).labels) == 100


def test_a_labels_file_that_something_else_changed_is_not_written_over(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    with start() as session:
        session.press("Enter")
    path = session.path
    session = start()
    session.press("Enter")
    mended = replace(read_labels(path).labels[0], drums=())
    write_labels(Labels(slices.audio, (mended,)), path)
    with pytest.raises(InputError, match="something else has changed it; what was said since is"):
        session.close()
    assert read_labels(path).labels == (mended,)
    with start() as again:
        assert again.state.labelled == 2
    assert read_labels(path).labels[0] == mended


def test_a_journal_that_was_taken_away_is_said(
    start: Callable[[], LabellingSession], slices: Slices
) -> None:
    session = start()
    session.press("Enter")
    journal_of(session.path).unlink()
    with pytest.raises(InputError, match="it was taken away or replaced"):
        session.press("Enter")
    assert session.state.labelled == 1
    session.close()


def test_a_journal_leaves_another_that_took_its_place(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path)
    path.unlink()
    second = Journal(path)
    first.close()  # is empty, and would be removed
    second.append({"did": "skip", "time": 1.0})
    second.close()
    assert path.exists()


def test_a_file_system_without_locks(
    start: Callable[[], LabellingSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with start() as session:
        session.press("Enter")
    assert len(read_labels(session.path).labels) == 1


def test_nothing_there_has_no_velocity_and_what_was_skipped_is_stepped_over(
    start: Callable[[], LabellingSession],
) -> None:
    with start() as session:
        for key in ("Escape", "+", "Enter", "ArrowRight"):
            session.press(key)
        assert session.labels.labels[0].velocity is None
        session.press("ArrowLeft")
        assert session.state.index == 1
        session.press("ArrowRight")  # it is skipped already: nothing to note, nothing to undo
        assert (session.state.index, len(session.state.history)) == (2, 2)
