"""Repeats shorten the page and hide nothing; letters and rests show the form."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scores import BACKBEAT, CASES, read_score
from sheet_reader import Place, Sheet, strokes_of
from test_sheet_random import examples, readable, transcriptions

from drum2midi.sheet import write_pages, write_sheet
from drum2midi.transcription import Bar, Grid, Transcription

BAR = "x--- ---- x--- ----"
FILL = "xxxx xxxx xxxx xxxx"


def folded(song: Transcription, folder: Path) -> Sheet:
    path = folder / "sheet.musicxml"
    write_sheet(song, path, repeats=True)
    return Sheet(path)


def played(sheet: Sheet) -> list[Place]:
    """The strokes with every repeat played out, bars counted as they go by."""
    order, start = [], 0
    for index, measure in enumerate(sheet.measures):
        order.append(index)
        if measure.find("barline[@location='left']/repeat") is not None:
            start = index
        if (repeat := measure.find("barline[@location='right']/repeat")) is not None:
            order += list(range(start, index + 1)) * (int(repeat.get("times")) - 1)
    by_bar: dict[int, list[tuple[Fraction, int, bool]]] = {}
    for bar, *place in sheet.strokes():
        by_bar.setdefault(bar, []).append(tuple(place))
    return sorted((i, *place) for i, bar in enumerate(order) for place in by_bar.get(bar, []))


def form(sheet: Sheet) -> str:
    """``|: 4 :|`` and so on: the bars, with the signs around them."""
    words = []
    for measure in sheet.measures:
        begins = measure.find("barline[@location='left']/repeat") is not None
        repeat = measure.find("barline[@location='right']/repeat")
        words.append(
            "|:" * begins + "x" + (f":|{repeat.get('times')}" if repeat is not None else "")
        )
    return " ".join(words)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"{BAR}|{BAR}|{BAR}|{BAR}", "|:x:|4"),
        (f"{BAR}|{BAR}|{FILL}", "x x x"),  # one bar less is not worth a sign
        (f"{BAR}|{BAR}|{BAR}|{FILL}", "|:x:|3 x"),
        (f"{BAR}|{FILL}|{BAR}|{FILL}", "|:x x:|2"),
        (f"{FILL}|{BAR}|{FILL}|{BAR}|{FILL}|{BAR}|x--- ---- ---- ----", "|:x x:|3 x"),
        (f"{BAR}|.|.|.|.", "x x x x x"),  # silence is counted, not repeated
    ],
)
def test_passages_that_follow_themselves(line: str, shown: str, tmp_path: Path) -> None:
    song = read_score(f"sd {line}")
    sheet = folded(song, tmp_path)
    assert form(sheet) == shown
    assert played(sheet) == strokes_of(song)
    numbers = [int(measure.get("number")) for measure in sheet.measures]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("last", ["x-x-", "X---", "g---", "f---", "d---", "--x-"])
def test_no_difference_is_hidden(last: str, tmp_path: Path) -> None:
    bar = "x--- x--- x--- x---"
    song = read_score(f"sd {bar}|{bar}|{bar}|x--- x--- x--- {last}|{bar}|{bar}|{bar}")
    sheet = folded(song, tmp_path)
    assert form(sheet) == "|:x:|3 x |:x:|3"
    assert played(sheet) == strokes_of(song)


def test_how_often_is_said_in_words(tmp_path: Path) -> None:
    thrice = folded(read_score(f"sd {BAR}|{BAR}|{BAR}"), tmp_path)
    assert [words.text for words in thrice.root.iter("words")] == ["3×"]
    twice = folded(read_score(f"sd {BAR}|{FILL}|{BAR}|{FILL}"), tmp_path)
    assert list(twice.root.iter("words")) == []
    assert [b.text for b in twice.root.iter("bar-style")] == ["heavy-light", "light-heavy"]


def test_a_change_of_tempo_or_metre_ends_a_passage(tmp_path: Path) -> None:
    song = read_score(f"sd {BAR}", times=12, bpm=[100.0] * 6 + [140.0] * 6)
    assert form(folded(song, tmp_path)) == "|:x:|6 |:x:|6"
    quarters = "x--- x--- x---"
    song = read_score(f"metre 4/4|4/4|4/4|3/4\nsd {BAR}|{BAR}|{BAR}|{'|'.join([quarters] * 4)}")
    assert form(folded(song, tmp_path)) == "|:x:|3 |:x:|4"


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_played_the_same(name: str, tmp_path: Path) -> None:
    song = CASES[name].read()
    assert played(folded(song, tmp_path)) == strokes_of(song)


@settings(examples, max_examples=100)
@given(transcription=transcriptions().map(readable), times=st.integers(1, 4))
def test_whatever_is_repeated_is_played_the_same(
    tmp_path: Path, transcription: Transcription, times: int
) -> None:
    song = again_and_again(transcription, times)
    sheet = folded(song, tmp_path)
    assert played(sheet) == strokes_of(song)
    assert len(sheet.measures) <= len(song.grid.bars)


def again_and_again(song: Transcription, times: int) -> Transcription:
    """A transcription whose bars, all complete, are played several times."""
    count = len(song.grid.bars)
    bars, now = [], 0.0
    for bar in song.grid.bars * times:
        bars.append(Bar(bar.metre, tuple(now + beat / 2 for beat in range(len(bar.beats)))))
        now += len(bar.beats) / 2
    notes = [
        replace(note, bar=note.bar + repeat * count)
        for repeat in range(times)
        for note in song.notes
    ]
    return Transcription((), Grid(tuple(bars), now), tuple(notes), now)


def sections() -> Transcription:
    """Four bars on the hi-hat, four of silence, four bars on the ride."""
    return read_score(
        "hh " + "|".join(["x-x- x-x- x-x- x-x-"] * 4 + ["."] * 8) + "\n"
        "rd " + "|".join(["."] * 8 + ["x--x x--x x--x x--x"] * 4) + "\n"
        "sd " + "|".join(["--x- --xx --x- --xx"] * 4 + ["."] * 4 + ["x-x- xxxx x-x- xxxx"] * 4)
    )


def test_letters_at_sections(tmp_path: Path) -> None:
    write_sheet(sections(), tmp_path / "a.musicxml")
    sheet = Sheet(tmp_path / "a.musicxml")
    letters = {
        int(measure.get("number")): mark.text
        for measure in sheet.measures
        for mark in measure.iter("rehearsal")
    }
    assert letters == {1: "A", 5: "B", 9: "C"}
    assert {d.get("placement") for d in sheet.root.iter("direction")} == {"above"}
    assert sheet.root.find(".//measure-style") is None


def test_pages_count_long_rests(tmp_path: Path) -> None:
    (path,) = write_pages(sections(), tmp_path / "a.svg")
    drawn = path.read_text(encoding="utf-8")
    assert drawn.count('class="multiRest"') == 1
    assert drawn.count('class="measure"') == 9  # 12 bars, of which B's four are one sign
    for letter in "ABC":
        assert f">{letter}</text>" in drawn
    for name in ("closed hi-hat", "snare", "ride"):
        assert f">{name}</text>" in drawn
    assert ">kick</text>" not in drawn


@pytest.mark.skipif(shutil.which("mscore3") is None, reason="MuseScore 3 is not installed")
def test_musescore_plays_repeats_out(tmp_path: Path) -> None:
    song = read_score(BACKBEAT, times=7)
    folded(song, tmp_path)
    home = {name: str(tmp_path) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME")}
    subprocess.run(
        ["mscore3", "-f", "-o", str(tmp_path / "o.mid"), str(tmp_path / "sheet.musicxml")],
        env={**os.environ, **home, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        timeout=120,
        check=True,
    )
    struck = [m for m in mido.MidiFile(tmp_path / "o.mid") if m.type == "note_on" and m.velocity]
    assert Counter(m.note for m in struck) == Counter(n.drum.midi for n in song.notes)
