"""A transcription as JSON comes back as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from scores import CASES
from sheet_reader import strokes_of

from drum2midi.drums import OPEN_HAT
from drum2midi.errors import InputError
from drum2midi.transcription import Swing, Transcription


@pytest.mark.parametrize("name", ["every drum", "drag", "sextuplets", "metres in turn", "pickup"])
def test_json_comes_back(name: str, tmp_path: Path) -> None:
    song = replace(CASES[name].read(), composer="Someone", swing=Swing(0.6, Fraction(1, 4)))
    song.save(tmp_path / "a.json")
    back = Transcription.load(tmp_path / "a.json")
    assert strokes_of(back) == strokes_of(song)
    assert [n.velocity for n in back.notes] == [n.velocity for n in song.notes]
    assert (back.title, back.composer, back.swing) == (song.title, "Someone", song.swing)
    assert back.grid.beat_times == pytest.approx(song.grid.beat_times, abs=1e-4)
    assert len(back.hits) == len(song.hits)
    back.save(tmp_path / "b.json")
    assert (tmp_path / "b.json").read_text() == (tmp_path / "a.json").read_text()


def test_json_from_before_sixteenths_could_swing(tmp_path: Path) -> None:
    replace(CASES["backbeat"].read(), swing=Swing(0.6)).save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document.pop("swung") == "8"
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert Transcription.load(tmp_path / "a.json").swing == Swing(0.6)


def test_json_keeps_rolls_and_openness(tmp_path: Path) -> None:
    song = CASES["dense roll"].read()
    song.save(tmp_path / "a.json")
    assert Transcription.load(tmp_path / "a.json").notes == tuple(
        replace(note, onset=round(note.onset, 4)) for note in song.notes
    )
    hats = CASES["open hi-hat"].read()
    opened = tuple(replace(n, openness=0.5) if n.drum == OPEN_HAT else n for n in hats.notes)
    replace(hats, notes=opened).save(tmp_path / "a.json")
    back = Transcription.load(tmp_path / "a.json")
    assert [n.openness for n in back.notes if n.drum == OPEN_HAT] == [0.5]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"drum": "gong"}, "gong"),
        ({"bar": 9}, "no place 0.0 in bar 9"),
        ({"position": 4.0}, "no place 4.0 in bar 1"),
        ({"velocity": 200}, "velocity 200"),
        ({"velocity": True}, "velocity True"),
        ({"velocity": 64.5}, "velocity 64.5"),
        ({"position": float("inf")}, "Infinity is not a number"),
        ({"openness": 2}, "openness 2"),
        ({"openness": "wide"}, "wide"),
        ({"openness": []}, "list"),
        ({"position": "1/0"}, "ZeroDivisionError"),
        ({"seconds": "1e999"}, "1e999 is no finite number"),
        ({"confidence": "high"}, "high"),
        ({"seconds": "soon"}, "soon"),
    ],
)
def test_a_stroke_that_cannot_be(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    CASES["backbeat"].read().save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    document["hits"][0] |= change
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=rf"a\.json: is not a transcription as JSON: .*{reason}"):
        Transcription.load(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"drum": "bongo"}, r"hit 3 \(0\.25 s\): 'bongo' is no drum"),
        ({"bar": 9}, r"hit 3 \(0\.25 s\): no place .* in bar 9"),
        ({"bar": None}, r"hit 3 \(0\.25 s\): TypeError"),
        (None, r"hit 3 \(0\.25 s\): it has no 'bar'"),
    ],
)
def test_which_stroke_is_wrong_is_told(
    change: dict[str, object] | None, reason: str, tmp_path: Path
) -> None:
    CASES["backbeat"].read().save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    third = document["hits"][2]
    if change is None:
        del third["bar"]
    else:
        third |= change
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=rf"a\.json: is not a transcription as JSON: {reason}"):
        Transcription.load(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"swing": 5}, "swing 5"),
        ({"swung": "32"}, "'32'"),
        ({"swing": float("nan")}, "NaN is not a number"),
        ({"end": 0}, "beats that go forward"),
        ({"grid_confidence": "nan"}, "nan is no finite number"),
        ({"end": "1e999"}, "1e999 is no finite number"),
        ({"bars": [{"metre": 4, "beats": [0]}]}, "AttributeError"),
        ({"end": 1e400}, "Infinity is not a number"),
        ({"bars": [{"metre": "4/4", "beats": []}]}, "a bar without beats"),
        ({"bars": [{"metre": "4/4", "beats": ["soon"]}]}, "soon"),
        ({"bars": [{"metre": "2/4", "beats": [-0.5, 0]}]}, r"a beat at -0\.5 s, before the rec"),
    ],
)
def test_a_grid_that_cannot_be(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    CASES["backbeat"].read().save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text()) | change
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=rf"a\.json: is not a transcription as JSON: .*{reason}"):
        Transcription.load(tmp_path / "a.json")


def test_an_editor_that_marks_utf_8(tmp_path: Path) -> None:
    song = CASES["backbeat"].read()
    song.save(tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text, encoding="utf-8-sig")
    assert Transcription.load(tmp_path / "a.json").notes == song.notes


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[]", "{}", '{"bars": [{"metre": "4"}]}'])
def test_other_json(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match="is not a transcription as JSON"):
        Transcription.load(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"b\.json: cannot be read \(No such file or directory\)"):
        Transcription.load(tmp_path / "b.json")
