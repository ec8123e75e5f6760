"""The sheet holds every stroke of its transcription and reads like a drummer's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import mido
import numpy as np
import pytest
import verovio
from scores import BACKBEAT, CASES, Case, read_score
from sheet_reader import Sheet, check_form, strokes_of

from drum2midi.drums import DRUMS, KICK, SNARE
from drum2midi.errors import InputError
from drum2midi.quantise import quantise
from drum2midi.sheet import to_music21, write_sheet
from drum2midi.sheet.rhythm import beats, groupings, write_voice
from drum2midi.sheet.tempo import TempoMark, tempo_marks
from drum2midi.transcription import Bar, Grid, Hit, Metre, Swing, Transcription

# Rolls with more strokes than 32nds, or fewer: a tremolo says only how long they are.
INEXACT = ("dense roll", "roll that misses a stroke")


def test_every_pickup_of_every_metre_can_be_written() -> None:
    metres = [Metre(count, value) for count in range(1, 33) for value in (2, 4, 8, 16)]
    for metre in metres:
        for grouping in groupings(metre):
            for count in range(1, metre.numerator + 1):
                length = int(24 * count * metre.beat)
                spans = beats(grouping, length)
                written = write_voice(spans, [0], halves=False)
                assert sum(value.length for value in written) == length, (metre, count)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every case's sheet, by the case's place in the list."""
    folder = tmp_path_factory.mktemp("sheets")
    for index, case in enumerate(CASES.values()):
        write_sheet(case.read(), folder / f"{index}.musicxml")
    return folder


@pytest.fixture(params=CASES, scope="module")
def written(request: pytest.FixtureRequest, folder: Path) -> tuple[Case, Path]:
    """A case and its sheet."""
    return CASES[request.param], folder / f"{list(CASES).index(request.param)}.musicxml"


def test_shows_what_a_drummer_expects(written: tuple[Case, Path]) -> None:
    case, path = written
    sheet = Sheet(path)
    assert sheet.rhythm("1") == case.hands
    assert sheet.rhythm("2") == case.feet
    assert sheet.count("grace") == case.graces
    assert sheet.count("notehead[@parentheses='yes']") == case.ghosts
    assert sheet.count("accent") == case.accents


def test_holds_every_stroke_in_its_place(written: tuple[Case, Path]) -> None:
    case, path = written
    assert Sheet(path).strokes() == strokes_of(case.read())


def test_is_well_formed(written: tuple[Case, Path]) -> None:
    case, path = written
    check_form(Sheet(path), case.read())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.tremolos])
def test_rolls_as_tremolos(name: str, tmp_path: Path) -> None:
    case, path = CASES[name], tmp_path / "sheet.musicxml"
    song = case.read()
    write_sheet(song, path, rolls="tremolo")
    sheet = Sheet(path)
    check_form(sheet, song)
    assert sheet.rhythm("1") == case.tremolos
    assert sheet.count("grace") == 0
    assert (sheet.strokes() == strokes_of(song)) == (name not in INEXACT)


def test_rolls_are_written_in_two_ways() -> None:
    with pytest.raises(InputError, match="rolls 'buzz' is none of written, tremolo"):
        to_music21(CASES["dense roll"].read(), rolls="buzz")


def test_declares_the_drums_that_are_used(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(CASES["every drum"].read(), path)
    sheet = Sheet(path)
    assert sorted(sheet.gm_notes.values()) == sorted(drum.midi for drum in DRUMS)
    assert {e.text for e in sheet.root.iter("midi-channel")} == {"10"}
    write_sheet(read_score(BACKBEAT), path)
    assert sorted(Sheet(path).gm_notes.values()) == [36, 38, 42]


def test_head_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score(BACKBEAT, bpm=96.4, title="A & B <live>", composer="Someone"), path)
    root = Sheet(path).root
    assert root.findtext("work/work-title") == "A & B <live>"
    assert root.findtext("identification/creator[@type='composer']") == "Someone"
    assert root.findtext(".//part-name") == "Drumset"
    assert root.findtext(".//clef/sign") == "percussion"
    assert "music21" not in path.read_text(encoding="utf-8").lower()
    write_sheet(read_score(BACKBEAT), path)
    assert Sheet(path).root.find("identification/creator") is None


@pytest.mark.parametrize(
    ("title", "shown"), [("Take\x00 5\udcff", "Take 5"), ("\n", "Drumset"), ("Ça va → 你好", None)]
)
def test_any_title_makes_a_file(tmp_path: Path, title: str, shown: str | None) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score(BACKBEAT, title=title, composer=title), path)
    assert Sheet(path).root.findtext("work/work-title") == (shown or title)


@pytest.mark.parametrize(
    ("score", "signatures", "numbers"),
    [
        (CASES["pickup"].score, ["4/4", ""], ["0", "1"]),
        (CASES["short bar"].score, ["4/4", "2/4", "4/4"], ["1", "2", "3"]),
        (CASES["short last bar"].score, ["4/4", "3/4"], ["1", "2"]),
        (CASES["metres in turn"].score, ["4/4", "3/4", "6/8", "7/8"], ["1", "2", "3", "4"]),
        ("metre 6/8 | 6/8:4\nhh xxxxxx | xxxx", ["6/8", "4/8"], ["1", "2"]),
        ("metre 4/4:2\nhh x-x- x-x-", ["2/4"], ["1"]),
    ],
)
def test_bars_are_numbered_and_metres_said_once(
    tmp_path: Path, score: str, signatures: list[str], numbers: list[str]
) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score(score), path)
    measures = Sheet(path).measures
    times = [measure.find("attributes/time") for measure in measures]
    said = ["/".join(child.text for child in time) if time else "" for time in times]
    assert said == signatures
    assert [measure.get("number") for measure in measures] == numbers
    implicit = [measure.get("number") for measure in measures if measure.get("implicit") == "yes"]
    assert implicit == [number for number in numbers if number == "0"]


@pytest.mark.parametrize(
    ("score", "bpm", "marks"),
    [
        (BACKBEAT, [96.4], {1: ("quarter", "96", 96)}),
        ("metre 6/8\nhh xxx xxx", [90.0], {1: ("quarter.", "60", 90)}),
        ("metre 12/8\nhh xxx xxx xxx xxx", [121.2], {1: ("quarter.", "81", 121.5)}),
        ("metre 2/2\nhh x x x x", [180.0], {1: ("half", "90", 180)}),
        (
            BACKBEAT,
            [100.0] * 8 + [120.0] * 8,
            {1: ("quarter", "100", 100), 9: ("quarter", "120", 120)},
        ),
        (BACKBEAT, [100.0] * 8 + [120.0] * 3 + [100.0] * 5, {1: ("quarter", "100", 100)}),
        (BACKBEAT, [100.0, 104.0, 97.0, 101.0] * 4, {1: ("quarter", "100", 100)}),
        ("metre 12/16\nhh xxx xxx xxx xxx", [90.0], {1: ("eighth.", "120", 90)}),
        ("metre 15/8\nhh xxx xxx xxx xxx xxx", [90.0], {1: ("quarter.", "60", 90)}),
        ("metre 3/8\nhh xxx", [90.0] * 2, {1: ("eighth", "180", 90)}),
        (
            BACKBEAT,
            [120.0] * 12 + [90.0] * 4,
            {1: ("quarter", "120", 120), 13: ("quarter", "90", 90)},
        ),
    ],
)
def test_tempo_is_said_where_it_changes(
    tmp_path: Path, score: str, bpm: list[float], marks: dict[int, tuple[str, str, float]]
) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score(score, bpm=bpm, times=len(bpm)), path)
    found = {}
    for measure in Sheet(path).measures:
        for direction in measure.findall("direction"):
            metronome = direction.find("direction-type/metronome")
            unit = metronome.findtext("beat-unit") + "." * len(metronome.findall("beat-unit-dot"))
            tempo = float(direction.find("sound").get("tempo"))
            found[int(measure.get("number"))] = (unit, metronome.findtext("per-minute"), tempo)
    assert found == marks


def test_on_the_way_to_another_tempo_no_bar_has_a_mark() -> None:
    seconds = [2.4] * 8 + [2.1, 1.85] + [1.6] * 8
    starts = np.cumsum([0.0, *seconds])
    bars = [tuple(np.linspace(a, b, 5)[:4].tolist()) for a, b in pairwise(starts.tolist())]
    grid = Grid(tuple(Bar(Metre(4, 4), beats) for beats in bars), float(starts[-1]))
    quarter = Fraction(1)
    assert tempo_marks(grid) == {0: TempoMark(quarter, 100), 10: TempoMark(quarter, 150)}


@pytest.mark.parametrize("first", [(0.0,), (0.0, 0.45), (0.0, 0.12, 0.72), (0.0, 0.3, 0.9, 1.5)])
def test_a_first_beat_that_the_recording_cuts_is_no_tempo(first: tuple[float, ...]) -> None:
    """A recording may begin within a beat, which then is shorter than it was played."""
    start = (0.0, 0.2, 1.05, 1.32, 2.1)[len(first)]
    after = [start + 0.6 * beat for beat in range(32)]
    bars = [first, *(tuple(after[i : i + 4]) for i in range(0, 32, 4))]
    grid = Grid(tuple(Bar(Metre(4, 4), beats) for beats in bars), after[-1] + 0.6)
    assert tempo_marks(grid) == {0: TempoMark(Fraction(1), 100)}


@pytest.mark.parametrize(
    ("swing", "words"),
    [
        (Swing(), []),
        (Swing(0.53), []),
        (Swing(0.6), ["Swing"]),
        (Swing(0.6, Fraction(1, 4)), ["Swing 16ths"]),
    ],
)
def test_swing_is_said_in_words(tmp_path: Path, swing: Swing, words: list[str]) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score(BACKBEAT, swing=swing), path)
    assert [element.text.strip() for element in Sheet(path).root.iter("words")] == words


def test_a_rest_of_both_voices_is_seen_once(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(
        read_score("hh x--- x--- ---- x---\nbd x--- ---- ---- ---- | x--- ---- ---- ----"), path
    )
    rests = [note for note in Sheet(path).root.iter("note") if note.find("rest") is not None]
    seen = [(n.findtext("voice"), n.findtext("type"), n.get("print-object", "yes")) for n in rests]
    # The hands' third beat lies within the feet's half rest, which so is seen; a bar in which
    # the hands rest throughout leaves the feet's rests as they are.
    assert seen == [
        ("1", "quarter", "yes"), ("2", "quarter", "yes"), ("2", "half", "yes"),
        ("1", None, "yes"), ("2", "quarter", "yes"), ("2", "half", "yes"),
    ]  # fmt: skip
    write_sheet(read_score("hh x--- x--- ---- ----\nbd x--- ---- ---- ----"), path)
    hidden = [note for note in Sheet(path).root.iter("note") if note.get("print-object") == "no"]
    assert [(note.findtext("voice"), note.findtext("type")) for note in hidden] == [("2", "half")]


def test_a_rest_is_not_hidden_where_the_voice_is_counted_by_it(tmp_path: Path) -> None:
    """Not in a tuplet, nor under a longer rest of the hands."""
    path = tmp_path / "sheet.musicxml"
    song = "sd --x ---- --x x---|-xx- ---- ---- ----\nbd --x x-- --x --x|-xx- x-x- -x ----"
    write_sheet(read_score(song), path)
    hidden = [note for note in Sheet(path).root.iter("note") if note.get("print-object") == "no"]
    assert [(n.findtext("type"), n.find("time-modification")) for n in hidden] == [("16th", None)]


def test_inner_beams_of_32nds_stop_at_the_eighth(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score("sd xxxxxxxx xxxx ---- ----"), path)
    beams = [[b.text for b in note.findall("beam")] for note in Sheet(path).root.iter("note")]
    outer, inner = ([levels[level] for levels in beams if len(levels) > level] for level in (0, 1))
    go = ["begin", "continue", "continue", "continue", "continue", "continue", "continue", "end"]
    assert outer == [*go, "begin", "continue", "continue", "end"]
    assert inner == ["begin", "continue", "continue", "end"] * 3


def test_flams_on_two_drums_share_a_stem(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(CASES["flams on two drums"].read(), path)
    graces = [note for note in Sheet(path).root.iter("note") if note.find("grace") is not None]
    assert [note.find("chord") is not None for note in graces] == [False, True]


def test_a_roll_over_the_barline_is_tied(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    roll = "rrrrrrrr"
    song = f"sd ---- ---- ---- {roll} | {roll} {roll} {roll} {roll} | {roll} x--- ---- {roll}"
    write_sheet(read_score(song), path, rolls="tremolo")
    notes = [n for n in Sheet(path).root.iter("note") if n.find(".//tremolo") is not None]
    ties = [[tie.get("type") for tie in note.findall("tie")] for note in notes]
    assert ties == [["start"], ["stop", "start"], ["stop"], []]
    bar = f"{roll} {roll} {roll} {roll}"
    write_sheet(read_score(f"sd {bar}|%|%|%|%|x---"), path, rolls="tremolo", repeats=True)
    found = [tie.get("type") for tie in Sheet(path).root.iter("tie")]
    assert found == ["start", *["stop", "start"] * 3, "stop"]


def test_no_flam_follows_a_tremolo(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    grid = read_score("sd .|.|.", bpm=100.0).grid
    roll = [Hit(0.06 * i, SNARE, 60) for i in range(40)]
    hits = (*roll, Hit(float(grid.seconds(4)), SNARE, 110))
    notes, _ = quantise(hits, grid)
    write_sheet(Transcription(hits, grid, notes, grid.end), path, rolls="tremolo")
    assert Sheet(path).count("tremolo") > 0
    assert Sheet(path).count("grace") == 0


def test_accents_stand_at_the_stems_end(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    song = read_score("hh x-x- x-x- x-x- x-X-|%\nbd x-x- x-x- x-x- x-X-|%")
    write_sheet(song, path)
    marks = [note for note in Sheet(path).root.iter("note") if note.find(".//accent") is not None]
    where = [(note.findtext("voice"), note.find(".//accent").get("placement")) for note in marks]
    assert where == [("1", "above"), ("2", "below")] * 2


def test_velocities_are_dynamics(tmp_path: Path) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score("hh x---\nsd X---\nbd g---"), path)
    dynamics = {
        note.find("instrument").get("id"): float(note.get("dynamics"))
        for note in Sheet(path).root.iter("note")
        if note.get("dynamics")
    }
    assert dynamics == {"P1-I42": 100.0, "P1-I38": 138.89, "P1-I36": 33.33}


def test_a_grace_stroke_without_its_main_stroke_is_kept(tmp_path: Path) -> None:
    flam = read_score("sd ---- f--- ---- ----")
    alone = replace(flam, notes=tuple(note for note in flam.notes if note.grace))
    path = tmp_path / "sheet.musicxml"
    write_sheet(alone, path)
    assert Sheet(path).strokes() == [(0, Fraction(1), SNARE.midi, False)]


def test_a_stroke_twice_in_one_place_becomes_a_flam(tmp_path: Path) -> None:
    once = read_score("sd ---- x--- ---- ----")
    path = tmp_path / "sheet.musicxml"
    write_sheet(replace(once, notes=once.notes * 2), path)
    place = (0, Fraction(1), SNARE.midi)
    assert Sheet(path).strokes() == [(*place, False), (*place, True)]


def test_places_between_the_grids_move_to_the_next(tmp_path: Path) -> None:
    # A 32nd amid a triplet could not be read, and 64ths are not written.
    text = "sd ---x----x--------------- ---- ---- ----\nbd -x---------------------- ---- ---- ----"
    path = tmp_path / "sheet.musicxml"
    write_sheet(read_score(text), path)
    places = [(drum, position * 24) for _, position, drum, _ in Sheet(path).strokes()]
    assert places == [(KICK.midi, 0), (SNARE.midi, 2), (SNARE.midi, 8)]


@pytest.mark.parametrize("name", ["every drum", "sextuplets", "drag", "metres in turn", "pickup"])
def test_music21_reads_the_same_strokes(tmp_path: Path, name: str) -> None:
    from music21 import converter

    transcription = CASES[name].read()
    path = tmp_path / "sheet.musicxml"
    write_sheet(transcription, path)
    assert heads_in(converter.parse(path)) == heads_in(to_music21(transcription))
    drums = [(n.bar, n.position, n.drum.step, n.drum.notehead) for n in transcription.notes]
    assert heads_in(converter.parse(path)) == sorted(drums)


def heads_in(score: object) -> list[tuple[int, Fraction, str, str]]:
    """The noteheads of a music21 score. Its reader does not keep a chord's instruments."""
    from music21 import stream

    return sorted(
        (bar, Fraction(element.offset).limit_denominator(24), head.displayStep, head.notehead)
        for bar, measure in enumerate(score.parts[0][stream.Measure])
        for element in measure.recurse().notes
        for head in getattr(element, "notes", [element])
    )


def test_compressed_is_the_same(tmp_path: Path) -> None:
    transcription = read_score(BACKBEAT)
    plain, packed = tmp_path / "sheet.musicxml", tmp_path / "sheet.mxl"
    write_sheet(transcription, plain)
    write_sheet(transcription, packed)
    with zipfile.ZipFile(packed) as archive:
        container = ET.fromstring(archive.read("META-INF/container.xml"))
        inside = archive.read(container.find(".//rootfile").get("full-path"))
    assert inside == plain.read_bytes()
    assert verovio.toolkit().loadFile(str(packed))


def test_writes_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sheet.xml"
    path.write_text("before", encoding="utf-8")
    write_sheet(read_score(BACKBEAT), path)
    assert Sheet(path).strokes()
    with pytest.raises(InputError, match="no folder"):
        write_sheet(read_score(BACKBEAT), tmp_path / "missing" / "sheet.xml")
    with pytest.raises(InputError, match=r"sheet\.pdf"):
        write_sheet(read_score(BACKBEAT), tmp_path / "sheet.pdf")
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.xml"]


def test_verovio_engraves_it(written: tuple[Case, Path]) -> None:
    case, path = written
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadFile(str(path))
    pages = "".join(toolkit.renderToSVG(page + 1) for page in range(toolkit.getPageCount()))
    assert pages.count('class="note"') == len(case.read().notes)


@pytest.mark.skipif(shutil.which("mscore3") is None, reason="MuseScore 3 is not installed")
def test_musescore_plays_the_same_strokes(folder: Path, tmp_path: Path) -> None:
    # One process for all sheets: starting the program takes longer than reading them.
    sheets = {name: folder / f"{index}.musicxml" for index, name in enumerate(CASES)}
    exact = [name for name, case in CASES.items() if case.tremolos and name not in INEXACT]
    tremolos = {name: tmp_path / f"tremolo-{i}.musicxml" for i, name in enumerate(exact)}
    for name, path in tremolos.items():
        write_sheet(CASES[name].read(), path, rolls="tremolo")
    played = [tmp_path / f"{sheet.stem}.mid" for sheet in (*sheets.values(), *tremolos.values())]
    jobs = [
        {"in": str(sheet), "out": str(midi)}
        for sheet, midi in zip((*sheets.values(), *tremolos.values()), played, strict=True)
    ]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    home = {name: str(tmp_path) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME")}
    run = subprocess.run(
        ["mscore3", "-f", "-j", str(tmp_path / "jobs.json")],
        env={**os.environ, **home, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "not a valid" not in run.stdout + run.stderr
    for name, midi in zip((*sheets, *tremolos), played, strict=True):
        check_playback(CASES[name], midi)


def check_playback(case: Case, midi: Path) -> None:
    transcription = case.read()
    grid = transcription.grid
    played = sorted(played_notes(mido.MidiFile(midi)))
    wanted = sorted(
        (n.drum.midi, float(grid.bar_quarters[n.bar] + n.position)) for n in transcription.notes
    )
    assert [drum for drum, _ in played] == [drum for drum, _ in wanted]
    # MuseScore plays grace notes on the beat, and rounds the strokes of a tremolo.
    late = 0.06 if case.graces else 0.01
    early = 0.05 if case.tremolos else 0.01
    for (_, at), (_, place) in zip(played, wanted, strict=True):
        assert -early < at - place < late


def played_notes(file: mido.MidiFile) -> Iterator[tuple[int, float]]:
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                assert message.channel == 9
                yield message.note, now / file.ticks_per_beat


def test_a_sheet_is_the_same_tomorrow(
    two_bars: Transcription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime

    class Tomorrow(datetime.date):
        @classmethod
        def today(cls) -> datetime.date:
            return datetime.date(2100, 1, 1)

    write_sheet(two_bars, tmp_path / "a.musicxml")
    monkeypatch.setattr(datetime, "date", Tomorrow)
    write_sheet(two_bars, tmp_path / "b.musicxml")
    one, two = ((tmp_path / name).read_bytes() for name in ("a.musicxml", "b.musicxml"))
    assert one == two
    assert b"encoding-date" not in one
