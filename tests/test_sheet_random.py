"""Whatever a grid can hold, the sheet holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sheet_reader import Sheet, check_form, strokes_of

from drum2midi.drums import CLOSED_HAT, DRUMS, RIDE
from drum2midi.sheet import write_sheet
from drum2midi.transcription import Bar, Grid, Metre, Note, Transcription

METRES = ["4/4", "3/4", "2/4", "5/4", "7/4", "2/2", "3/8", "5/8", "6/8", "7/8", "9/8", "12/8"]
# Ticks of 1/24 quarter that a grid of 32nds or one of triplets' 32nds may hold.
TICKS = [tick for tick in range(24 * 7) if tick % 2 == 0 or tick % 3 == 0]

strokes = st.tuples(
    st.sampled_from(DRUMS), st.sampled_from(TICKS), st.integers(1, 127), st.integers(0, 5)
)


@st.composite
def rolls(draw: st.DrawFn, bar: int, slots: int, now: float) -> list[Note]:
    """A roll over some of a bar's 32nds."""
    drum = draw(st.sampled_from([drum for drum in DRUMS if drum.scoring in ("SD", "TT", "CY")]))
    start = draw(st.integers(0, slots - 1))
    end = draw(st.integers(start + 1, slots))
    return [Note(bar, Fraction(slot, 8), drum, 60, now, roll=True) for slot in range(start, end)]


@st.composite
def transcriptions(draw: st.DrawFn) -> Transcription:
    """Bars of any metre with strokes anywhere that a grid has a place for."""
    bars, notes, now = [], [], 0.0
    for index, name in enumerate(draw(st.lists(st.sampled_from(METRES), min_size=1, max_size=4))):
        metre = Metre.parse(name)
        count = draw(st.integers(1, metre.numerator)) if draw(st.integers(0, 4)) == 0 else 0
        bar = Bar(metre, tuple(now + beat / 2 for beat in range(count or metre.numerator)))
        now += len(bar.beats) / 2
        bars.append(bar)
        if draw(st.booleans()):
            notes += draw(rolls(index, int(bar.length * 8), now))
        for drum, tick, velocity, graces in draw(st.lists(strokes, max_size=24)):
            position = Fraction(tick % int(bar.length * 24), 24)
            main = Note(index, position, drum, velocity, now)
            leading = [replace(main, grace=True, onset=now - g) for g in range(max(graces - 3, 0))]
            notes += [*leading, main]
    return Transcription((), Grid(tuple(bars), now), tuple(notes), now)


def readable(transcription: Transcription) -> Transcription:
    """Without what no grid gives: two strokes in one place, 32nds amid a triplet."""
    ternary = {
        (note.bar, note.drum.voice, note.position // Fraction(1, 2))
        for note in transcription.notes
        if note.position.denominator % 3 == 0
    }
    mains: dict[tuple[object, ...], Note] = {}
    for note in transcription.notes:
        eighth = (note.bar, note.drum.voice, note.position // Fraction(1, 2))
        is_32nd = note.position.denominator == 8
        if not note.grace and not (is_32nd and eighth in ternary):
            mains[note.bar, note.position, note.drum] = note
    graces = [n for n in transcription.notes if n.grace and (n.bar, n.position, n.drum) in mains]
    return replace(transcription, notes=(*graces, *mains.values()))


# A temporary folder may serve all examples: each writes its sheet anew.
examples = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(examples, max_examples=350)
@given(transcription=transcriptions().map(readable))
def test_any_grid_makes_a_sheet_with_the_same_strokes(
    tmp_path: Path, transcription: Transcription
) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(transcription, path)
    sheet = Sheet(path)
    assert sheet.strokes() == strokes_of(transcription)
    check_form(sheet, transcription)


@settings(examples, max_examples=150)
@given(transcription=transcriptions().map(readable))
def test_tremolos_stand_for_the_same_strokes(tmp_path: Path, transcription: Transcription) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(transcription, path, rolls="tremolo")
    sheet = Sheet(path)
    check_form(sheet, transcription)
    # A tremolo drops no stroke, and adds one at most where a roll misses one.
    struck, shown = Counter(strokes_of(transcription)), Counter(sheet.strokes())
    assert not struck - shown
    for bar, place, drum, grace in shown - struck:
        assert struck[bar, place - Fraction(1, 8), drum, grace]


@settings(examples, max_examples=150)
@given(transcription=transcriptions())
def test_no_stroke_is_lost_however_odd_its_place(
    tmp_path: Path, transcription: Transcription
) -> None:
    path = tmp_path / "sheet.musicxml"
    write_sheet(transcription, path)
    sheet = Sheet(path)
    check_form(sheet, transcription)
    found = sorted((bar, drum, place) for bar, place, drum, _ in sheet.strokes())
    wanted = sorted((bar, drum, place) for bar, place, drum, _ in strokes_of(transcription))
    assert [stroke[:2] for stroke in found] == [stroke[:2] for stroke in wanted]
    for stroke, meant in zip(found, wanted, strict=True):
        assert abs(stroke[2] - meant[2]) <= Fraction(1, 8)


def test_what_is_in_one_strokes_way_leaves_the_others_near(tmp_path: Path) -> None:
    """32nds amid a triplet: a ride and a hat at once, each beside another of its own."""
    bar = Bar(Metre.parse("4/4"), (0.0, 0.5, 1.0, 1.5))
    played = [(RIDE, 0), (RIDE, 2), (RIDE, 3), (CLOSED_HAT, 3), (CLOSED_HAT, 4)]
    notes = tuple(Note(0, Fraction(tick, 24), drum, 64, 0.0) for drum, tick in played)
    path = tmp_path / "sheet.musicxml"
    write_sheet(Transcription((), Grid((bar,), 2.0), notes, 2.0), path)
    found = [(drum, int(place * 24)) for _, place, drum, _ in Sheet(path).strokes()]
    # The ride goes on to the next sixth, the hat back to the one before.
    assert sorted(found) == [(42, 2), (42, 4), (51, 0), (51, 2), (51, 4)]
