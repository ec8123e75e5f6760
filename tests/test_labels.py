"""Labels: files read and written, every fault named with its line, several people's merged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drum2midi.drums import CLOSED_HAT, CRASH, DRUMS, HIGH_TOM, KICK, MID_TOM, OPEN_HAT, SNARE
from drum2midi.errors import InputError
from drum2midi.workshop.labels import (
    Clip,
    Label,
    Labels,
    read_article,
    read_labels,
    write_article,
    write_labels,
)
from drum2midi.workshop.merging import merge, merge_labels

WHEN = "2026-11-22T12:00:00Z"


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Ten seconds of silence."""
    path = tmp_path / "song.wav"
    soundfile.write(path, np.zeros(80000), 8000)
    return path


def test_labels_come_back_as_they_were_written(song: Path, tmp_path: Path) -> None:
    labels = Labels(
        song,
        (
            Label(0.5, (KICK, CLOSED_HAT), 96, "anna", WHEN),
            Label(1.25, (), None, "Žofie", WHEN),
            Label(2.0, (SNARE,)),
        ),
    )
    path = tmp_path / "deep" / "labels.json"
    path.parent.mkdir()
    write_labels(labels, path)
    assert read_labels(path) == labels
    lines = path.read_text().splitlines()
    assert lines[1] == (
        '  {"time": 0.5, "drums": ["kick", "closed hi-hat"], "velocity": 96, "who": "anna", '
        '"when": "2026-11-22T12:00:00Z"},'
    )
    document = json.loads(path.read_text())
    assert (document["format"], document["version"]) == ("drum2midi-labels", 1)
    assert document["audio"] == "../song.wav"
    assert len(lines) == 5


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.floats(0.0, 10.0),
        st.tuples(
            st.sets(st.sampled_from(DRUMS)),
            st.none() | st.integers(1, 127),
            st.text(st.characters(exclude_categories=("C", "Z"))),
        ),
    )
)
def test_any_labels_come_back(song: Path, said: dict[float, tuple]) -> None:
    labels = Labels(
        song,
        tuple(
            Label(onset, tuple(d for d in DRUMS if d in drums), velocity, who, WHEN)
            for onset, (drums, velocity, who) in sorted(said.items())
        ),
    )
    path = song.with_name("any.json")
    write_labels(labels, path)
    assert read_labels(path) == labels


def test_labels_are_read_however_they_are_laid_out_and_ordered(song: Path) -> None:
    path = song.with_name("labels.json")
    document = {
        "labels": [
            {"time": 3, "drums": ["snare"]},
            {"drums": ["closed hi-hat", "kick"], "time": 1},
        ],
        "note": {"labels": [1, 2]},
        "version": 1,
        "audio": "song.wav",
        "format": "drum2midi-labels",
    }
    path.write_text("\ufeff" + json.dumps(document, indent=4))
    assert read_labels(path).labels == (
        Label(1.0, (KICK, CLOSED_HAT)),
        Label(3.0, (SNARE,)),
    )


GOOD = '{"time": 1.0, "drums": ["kick"], "velocity": null, "who": "anna", "when": ""}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"time": 2.0, "drums": ["kick"]', "not JSON (Expecting ',' delimiter)"),
        (
            '{"time": 2.0, "drums": ["cowbell"]}',
            'unknown drum "cowbell"; the drums are kick, snare',
        ),
        ('{"time": 2.0, "drums": [["kick"]]}', 'unknown drum ["kick"]'),
        ('{"time": -0.1, "drums": ["kick"]}', "time -0.1 is negative"),
        ('{"time": 10.5, "drums": []}', "time 10.5 is beyond the 10.000 s of song.wav"),
        ('{"time": 1e999, "drums": []}', "time Infinity is not a number of seconds"),
        ('{"time": true, "drums": []}', "time true is not a number of seconds"),
        ('{"time": "2", "drums": []}', 'time "2" is not a number of seconds'),
        ('{"time": 1.0, "drums": ["snare"]}', "time 1.0 is on line 2 already"),
        ('{"drums": ["snare"]}', 'a label without "time"'),
        ('{"time": 2.0}', 'a label without "drums"'),
        ('{"time": 2.0, "drums": "kick"}', 'drums "kick" is not a list of names'),
        ('{"time": 2.0, "drums": ["kick", "kick"]}', "kick is named twice"),
        ('{"time": 2.0, "drums": [], "velocity": 0}', "velocity 0 is not a whole number from 1"),
        ('{"time": 2.0, "drums": [], "velocity": 64.0}', "velocity 64.0 is not a whole number"),
        ('{"time": 2.0, "drums": [], "who": 7}', "who 7 is not a name"),
        ('{"time": 2.0, "drums": [], "when": "noon"}', 'when "noon" is not a date and time'),
        ('["kick"]', 'not a label {"time": …, "drums": […]}'),
    ],
)
def test_a_faulty_label_is_named_by_file_and_line(song: Path, line: str, reason: str) -> None:
    path = song.with_name("labels.json")
    path.write_text(
        '{"format": "drum2midi-labels", "version": 1, "audio": "song.wav", "labels": [\n'
        f"{GOOD},\n{line}\n]}}"
    )
    with pytest.raises(InputError) as caught:
        read_labels(path)
    number = 4 if "delimiter" in reason else 3  # broken syntax shows where the next line begins
    assert str(caught.value).startswith(f"{path}, line {number}: {reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: not JSON (Expecting value)"),
        ("[]", 'line 1: not labels of drum2midi ("format": "drum2midi-labels")'),
        ('{"format": "drum2midi-slices"}', "line 1: not labels of drum2midi"),
        ('{"format": "drum2midi-labels"}', 'line 1: has no "version"'),
        ('{"format": "drum2midi-labels",\n"version": 2, "audio": 1, "labels": 1}',
         "line 2: made by another version of drum2midi"),
        ('{"format": "drum2midi-labels", "version": 1,\n\n"audio": "gone.wav", "labels": []}',
         "line 3: audio gone.wav is not there"),
        ('{"format": "drum2midi-labels", "version": 1,\n"audio": 7, "labels": []}',
         "line 2: audio 7 is not the name of a file"),
        ('{"format": "drum2midi-labels", "version": 1, "audio": "song.wav",\n"labels": {}}',
         "line 2: not a list"),
        ('{"format": "drum2midi-labels", "version": 1,\n"audio": "labels.json", "labels": []}',
         "line 2: "),
        ("[" * 100000, "line 1: not JSON that can be read"),
        ('{"time": NaN}', "line 1: not JSON that can be read (NaN is not a number)"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_named_by_line(song: Path, text: str, reason: str) -> None:
    path = song.with_name("labels.json")
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}, {reason}")


def test_what_is_no_text_or_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: No such file"):
        read_labels(tmp_path / "gone.json")
    (tmp_path / "bytes.json").write_bytes(b"[\n\n\xff]")
    with pytest.raises(InputError, match=r"bytes\.json, line 3: not UTF-8 text"):
        read_article(tmp_path / "bytes.json")


def make_clips(folder: Path, count: int) -> list[Path]:
    (folder / "clips").mkdir()
    paths = [folder / "clips" / f"{i + 1:04d}.wav" for i in range(count)]
    for path in paths:
        soundfile.write(path, np.zeros(100), 8000)
    return paths


def test_the_articles_list_comes_back_as_it_was_written(tmp_path: Path) -> None:
    paths = make_clips(tmp_path, 3)
    clips = (Clip(paths[0], (KICK,)), Clip(paths[1], (KICK, OPEN_HAT)), Clip(paths[2], ()))
    write_article(clips, tmp_path / "clips.json")
    assert json.loads((tmp_path / "clips.json").read_text()) == [
        ["clips/0001.wav", "kick"],
        ["clips/0002.wav", ["kick", "open hi-hat"]],
        ["clips/0003.wav", []],
    ]
    assert read_article(tmp_path / "clips.json") == clips


def test_the_articles_six_classes_are_read_and_written(tmp_path: Path) -> None:
    paths = make_clips(tmp_path, 6)
    names = ["crash", "hi-hat", "kick", "ride", "snare", "toms"]
    rows = [[f"clips/{path.name}", name] for path, name in zip(paths, names, strict=True)]
    (tmp_path / "six.json").write_text(json.dumps(rows))
    read = read_article(tmp_path / "six.json")
    assert [str(clip.drums[0]) for clip in read] == [
        "crash", "closed hi-hat", "kick", "ride", "snare", "mid tom",
    ]  # fmt: skip
    write_article(read, tmp_path / "again.json", six=True)
    assert json.loads((tmp_path / "again.json").read_text()) == rows
    both = (Clip(paths[0], (HIGH_TOM, MID_TOM, CRASH)),)
    write_article(both, tmp_path / "both.json", six=True)
    assert json.loads((tmp_path / "both.json").read_text())[0][1] == ["toms", "crash"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "line 1: not a list of [clip, label]"),
        ('[\n["clips/0001.wav"]]', "line 2: not a pair [clip, label]"),
        ('[\n"clips/0001.wav"]', "line 2: not a pair [clip, label]"),
        ('[["clips/0001.wav", "kick"],\n["clips/0002.wav", "gong"]]',
         'line 2: unknown drum "gong"'),
        ('[["clips/0001.wav", "kick"],\n["clips/9.wav", "kick"]]',
         "line 2: audio clips/9.wav is not there"),
        ('[["clips/0001.wav", "kick"],\n["clips/../clips/0001.wav", "snare"]]',
         "line 2: clips/../clips/0001.wav is on line 1 already"),
        ('[\n["clips/0001.wav", null]]', "line 2: drums null is not a list of names"),
    ],
)  # fmt: skip
def test_a_faulty_annotation_is_named_by_line(tmp_path: Path, text: str, reason: str) -> None:
    make_clips(tmp_path, 2)
    path = tmp_path / "clips.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_article(path)
    assert str(caught.value).startswith(f"{path}, {reason}")


def by(who: str, song: Path, *strokes: tuple) -> Labels:
    return Labels(song, tuple(Label(t, drums, v, who, WHEN) for t, drums, v in strokes))


def test_a_majority_settles_what_was_struck(song: Path) -> None:
    merged = merge(
        [
            by("cleo", song, (1.000, (KICK,), 90), (2.0, (SNARE,), None)),
            by("anna", song, (1.010, (KICK, CLOSED_HAT), 100), (3.0, (), None)),
            by("ben", song, (1.020, (KICK, CLOSED_HAT), None)),
        ]
    )
    assert merged.labels == (
        Label(1.01, (KICK, CLOSED_HAT), 95, "anna, ben, cleo", WHEN),
        Label(2.0, (SNARE,), None, "cleo", WHEN),
        Label(3.0, (), None, "anna", WHEN),
    )


def test_even_votes_are_a_dispute_and_no_label(song: Path) -> None:
    anna = by("anna", song, (1.0, (KICK, OPEN_HAT), None), (2.0, (SNARE,), None))
    ben = by("ben", song, (1.0, (KICK, CLOSED_HAT), None), (2.0, (SNARE,), None))
    merged = merge_labels([anna, ben])
    assert [label.onset for label in merged.labels.labels] == [2.0]
    assert merged.disputes == ((anna.labels[0], ben.labels[0]),)


def test_strokes_of_one_person_are_never_one_and_the_nearest_go_together(song: Path) -> None:
    anna = by("anna", song, (1.000, (SNARE,), None), (1.020, (SNARE,), None))
    ben = by("ben", song, (1.019, (SNARE,), None))
    assert [(label.onset, label.who) for label in merge([anna, ben]).labels] == [
        (1.0, "anna"),
        (1.0195, "anna, ben"),
    ]
    far = by("ben", song, (1.0261, (SNARE,), None))
    apart = merge([by("anna", song, (1.0, (SNARE,), None)), far])
    assert [label.who for label in apart.labels] == ["anna", "ben"]
    chain = [by(who, song, (t, (KICK,), None)) for who, t in zip("abc", (1.0, 1.02, 1.04),
                                                                strict=True)]  # fmt: skip
    assert sorted(label.who for label in merge(chain).labels) == ["a, b", "c"]


def test_means_of_crossing_pairs_are_not_one_time(song: Path, tmp_path: Path) -> None:
    anna = by("anna", song, (1.048, (SNARE,), None), (1.059, (SNARE,), None))
    ben = by("ben", song, (1.055, (SNARE,), None), (1.066, (SNARE,), None))
    merged = merge([anna, ben])
    write_labels(merged, tmp_path / "merged.json")
    assert len(read_labels(tmp_path / "merged.json").labels) == len(merged.labels) == 2


def test_only_labels_of_one_recording_merge(song: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.wav"
    copy.write_bytes(song.read_bytes())
    same = merge([by("a", song, (1.0, (KICK,), None)), by("b", copy, (1.0, (KICK,), None))])
    assert [label.who for label in same.labels] == ["a, b"]
    other = tmp_path / "other.wav"
    soundfile.write(other, np.ones(8000) / 2, 8000)
    with pytest.raises(InputError, match=r"other\.wav: not the same recording as .*song\.wav"):
        merge([by("a", song), by("b", other)])
    with pytest.raises(InputError, match="no labels to merge"):
        merge([])


def test_labels_that_cannot_be_written_leave_what_was_there(song: Path) -> None:
    folder = song.with_name("folder")
    folder.mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder: it is a folder"):
        write_labels(Labels(song, ()), folder)
    assert sorted(path.name for path in song.parent.iterdir()) == ["folder", "song.wav"]
