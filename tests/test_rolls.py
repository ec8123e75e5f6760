"""Rolls are found among the strokes, placed as one, and nothing else is taken for one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_quantise import check_sound, make_grid

from drum2midi.drums import CLOSED_HAT, CRASH, CROSS_STICK, FLOOR_TOM, KICK, RIDE, SNARE, Drum
from drum2midi.quantise import quantise
from drum2midi.rolls import find_rolls
from drum2midi.sheet import write_sheet
from drum2midi.transcription import Grid, Hit, Note, Transcription


def strokes(
    start: float, gap: float, count: int, *, drum: Drum = SNARE, jitter: float = 0.0
) -> list[Hit]:
    """Even strokes in seconds, about equally loud."""
    rng = np.random.default_rng(3)
    return [
        Hit(start + i * gap + rng.normal(0, jitter), drum, int(60 + rng.integers(-9, 10)))
        for i in range(count)
    ]


def mains(notes: tuple[Note, ...], grid: Grid, drum: Drum = SNARE) -> list[float]:
    return [
        float(grid.bar_quarters[n.bar] + n.position)
        for n in notes
        if n.drum == drum and not n.grace
    ]


@pytest.mark.parametrize("drum", [SNARE, FLOOR_TOM, RIDE])
@pytest.mark.parametrize("gap", [0.033, 0.04, 0.05, 0.0625])
def test_32nds_and_faster_are_rolls(gap: float, drum: Drum) -> None:
    grid = make_grid(4)
    hits = strokes(0.5, gap, 20, drum=drum, jitter=0.002)
    (roll,) = find_rolls(hits, grid)
    assert roll.hits == tuple(sorted(hits, key=lambda hit: hit.onset))
    assert find_rolls([], grid) == ()


@pytest.mark.parametrize(
    ("hits", "reason"),
    [
        (strokes(0.5, 0.083, 20), "sextuplets"),
        (strokes(0.5, 0.125, 20), "sixteenths"),
        (strokes(0.5, 0.06, 4), "a ruff"),
        (strokes(0.5, 0.06, 20, drum=KICK), "feet"),
        (strokes(0.5, 0.06, 20, drum=CLOSED_HAT), "a machine's hi-hat"),
        (strokes(0.5, 0.06, 20, drum=CROSS_STICK), "a stick on the rim"),
        ([Hit(0.5 + i * 0.06, SNARE, 110 if i % 4 == 2 else 40) for i in range(16)], "accents"),
    ],
)
def test_others_are_not(hits: list[Hit], reason: str) -> None:
    assert find_rolls(hits, make_grid(4)) == (), reason


def test_slow_32nds_are_counted() -> None:
    assert find_rolls(strokes(0.5, 60 / 50 / 8, 16), make_grid(4, bpm=50)) == ()


def test_a_roll_of_32nds_stands_on_them() -> None:
    grid = make_grid(4)
    hits = strokes(0.5, 0.0625, 32, jitter=0.004)
    notes, _ = quantise([*hits, Hit(2.5, CRASH, 110)], grid)
    assert mains(notes, grid) == [i / 8 for i in range(32)]
    assert mains(notes, grid, CRASH) == [4.0]
    assert [n.roll for n in notes if n.drum == SNARE] == [True] * 32


def test_a_denser_roll_fills_the_same_places() -> None:
    grid = make_grid(4)
    hits = strokes(0.5, 1 / 25, 25, jitter=0.003)  # a second: two quarters
    notes, _ = quantise([*hits, Hit(1.5, CRASH, 110)], grid)
    check_sound([*hits, Hit(1.5, CRASH, 110)], notes, grid)
    assert mains(notes, grid) == [i / 8 for i in range(16)]
    assert all(n.roll for n in notes if n.drum == SNARE)


def test_a_loud_last_stroke_is_its_own() -> None:
    grid = make_grid(4)
    notes, _ = quantise([*strokes(0.5, 0.0625, 8), Hit(1.0, SNARE, 120)], grid)
    assert [n.roll for n in notes] == [True] * 8 + [False]
    assert notes[-1].position == 1


def test_one_roll_after_another() -> None:
    grid = make_grid(4, bpm=250)
    hits = strokes(0.5, 0.03, 12) + strokes(0.5 + 12 * 0.03 + 0.02, 0.03, 12)
    notes, _ = quantise(hits, grid)
    check_sound(hits, notes, grid)


def test_rolls_that_meet_at_the_end_of_the_grid() -> None:
    grid = make_grid(4, bpm=169.0)
    hits = strokes(6.0, 0.046875, 11, jitter=0.005859375)  # falls into two
    notes, _ = quantise([*hits, Hit(6.0, KICK, 100)], grid)
    check_sound([*hits, Hit(6.0, KICK, 100)], notes, grid)


@settings(max_examples=60, deadline=None)
@given(
    start=st.floats(0, 9),
    gap=st.floats(0.025, 0.09),
    count=st.integers(5, 40),
    jitter=st.floats(0, 0.006),
    bpm=st.floats(60, 220),
    metre=st.sampled_from(["4/4", "3/4", "6/8", "7/8"]),
)
def test_nothing_of_a_roll_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    start: float,
    gap: float,
    count: int,
    jitter: float,
    bpm: float,
    metre: str,
) -> None:
    grid = make_grid(4, bpm=bpm, metre=metre)
    hits = [*strokes(start, gap, count, jitter=jitter), Hit(start, KICK, 100)]
    notes, swing = quantise(hits, grid)
    check_sound(hits, notes, grid)
    song = Transcription(tuple(hits), grid, notes, grid.end, swing=swing)
    for rolls in ("written", "tremolo"):
        write_sheet(song, tmp_path_factory.getbasetemp() / "roll.musicxml", rolls=rolls)


def test_the_first_stroke_says_where_a_roll_begins() -> None:
    # With a kick on the beat, though the stick was late.
    grid = make_grid(4)
    hits = strokes(0.505, 0.0625, 9)
    notes, _ = quantise([Hit(0.5, KICK, 100), *hits], grid)
    assert mains(notes, grid)[0] == 0
    assert {n.position for n in notes if n.drum == SNARE} == {Fraction(i, 8) for i in range(9)}


@pytest.mark.parametrize("bpm", [90, 120, 140])
def test_in_swung_music_a_roll_ends_on_the_beat_that_it_leads_to(bpm: float) -> None:
    grid = make_grid(4, bpm=bpm)
    ride = [beat + inside for beat in range(16) for inside in (0.0, 2 / 3)]
    hits = [Hit(float(t), RIDE, 80) for t in grid.seconds(ride)]
    places = [6 + 2 / 3 + i / 12 for i in range(5)]  # from a swung off-beat to the fourth beat
    hits += [
        Hit(float(t), SNARE, 110 if i == 4 else 60) for i, t in enumerate(grid.seconds(places))
    ]
    hits += [Hit(float(grid.seconds(7.0)), KICK, 100)]
    notes, swing = quantise(hits, grid)
    assert swing.ratio == pytest.approx(2 / 3, abs=0.01)
    assert (mains(notes, grid)[0], mains(notes, grid)[-1]) == (6.5, 7.0)
    assert mains(notes, grid, KICK) == [7.0]
