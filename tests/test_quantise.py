"""Strokes come back in the places where they were written."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drum2midi.drums import CLOSED_HAT, CRASH, KICK, OPEN_HAT, PEDAL_HAT, RIDE, SNARE, Drum
from drum2midi.errors import InputError
from drum2midi.gestures import group_onsets
from drum2midi.quantise import parse_values, quantise
from drum2midi.transcription import STRAIGHT, Bar, Grid, Hit, Metre, Note, Swing


def make_grid(bars: int, bpm: float = 120.0, metre: str = "4/4", start: float = 0.5) -> Grid:
    """Bars of one tempo, in quarters a minute."""
    written = Metre.parse(metre)
    step = 60 / bpm * float(written.beat)
    beats = start + step * np.arange(bars * written.numerator + 1)
    count = written.numerator
    return Grid(
        tuple(
            Bar(written, tuple(float(b) for b in beats[i : i + count]))
            for i in range(0, bars * count, count)
        ),
        float(beats[-1]),
    )


def drifting_grid(bars: int, seed: int) -> Grid:
    """4/4 around 120 whose tempo wanders by a few percent."""
    rng = np.random.default_rng(seed)
    steps = 0.5 * np.exp(np.clip(np.cumsum(rng.normal(0, 0.008, bars * 4)), -0.1, 0.1))
    beats = np.concatenate(([1.0], 1.0 + np.cumsum(steps)))
    metre = Metre(4, 4)
    return Grid(
        tuple(Bar(metre, tuple(float(b) for b in beats[i : i + 4])) for i in range(0, bars * 4, 4)),
        float(beats[-1]),
    )


def play(
    grid: Grid, places: list[tuple[Fraction, Drum, int]], jitter: float = 0.0, seed: int = 0
) -> list[Hit]:
    """Strokes at quarters since the first bar, moved by a normal deviate."""
    rng = np.random.default_rng(seed)
    return [
        Hit(float(grid.seconds(float(q))) + float(rng.normal(0, jitter)), drum, velocity)
        for q, drum, velocity in places
    ]


def where(notes: tuple[Note, ...], grid: Grid) -> list[tuple[Fraction, str]]:
    """Quarters since the first bar and drum of the notes that are not grace notes."""
    return sorted(
        (grid.bar_quarters[n.bar] + n.position, n.drum.name) for n in notes if not n.grace
    )


def check_sound(hits: list[Hit], notes: tuple[Note, ...], grid: Grid) -> None:
    """What holds for any input: nothing lost, nothing twice, everything inside its bar."""
    assert sorted((n.onset, n.drum.midi, n.velocity) for n in notes) == sorted(
        (h.onset, h.drum.midi, h.velocity) for h in hits
    )
    mains = [(n.bar, n.position, n.drum) for n in notes if not n.grace]
    assert len(mains) == len(set(mains))
    for note in notes:
        assert 0 <= note.position < grid.bars[note.bar].length
    assert [(n.bar, n.position) for n in notes] == sorted((n.bar, n.position) for n in notes)


rhythms = st.lists(
    st.tuples(st.integers(0, 127), st.sampled_from([KICK, SNARE, CLOSED_HAT, CRASH])),
    min_size=24,
    max_size=200,
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(rhythms, st.integers(0, 2**31))
def test_sixteenths_without_jitter_come_back_exactly(
    rhythm: list[tuple[int, Drum]], seed: int
) -> None:
    grid = drifting_grid(8, seed)
    written = [(Fraction(slot, 4), drum, 100) for slot, drum in rhythm]
    notes, swing = quantise(play(grid, written), grid, swing=STRAIGHT)
    assert swing == STRAIGHT
    assert where(notes, grid) == sorted((q, d.name) for q, d, _ in written)


def test_sixteenths_with_10_ms_of_jitter_come_back_in_99_of_100() -> None:
    right = total = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        grid = drifting_grid(16, seed)
        written = [
            (Fraction(slot, 4), drum, 100)
            for slot in range(256)
            for drum in (KICK, SNARE, CLOSED_HAT)
            if rng.random() < 0.3
        ]
        notes, _ = quantise(play(grid, written, 0.010, seed), grid)
        found = set(where(notes, grid))
        right += sum((q, d.name) in found for q, d, _ in written)
        total += len(written)
    assert right / total >= 0.99


hits = st.builds(
    Hit,
    st.floats(0, 20, allow_nan=False),
    st.sampled_from([KICK, SNARE, CLOSED_HAT]),
    st.integers(1, 127),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(hits, max_size=60), st.sampled_from(["4/4", "3/4", "6/8", "7/8", "5/4", "2/2"]))
def test_nothing_is_lost_and_nothing_collides(strokes: list[Hit], metre: str) -> None:
    grid = make_grid(12, metre=metre)
    notes, _ = quantise(strokes, grid)
    check_sound(strokes, notes, grid)


def test_many_strokes_at_one_moment() -> None:
    grid = make_grid(1)
    strokes = [Hit(0.7, SNARE, 100) for _ in range(40)]
    notes, _ = quantise(strokes, grid)
    check_sound(strokes, notes, grid)


def test_nothing_gives_nothing() -> None:
    assert quantise([], make_grid(1)) == ((), STRAIGHT)


def test_stroke_just_before_a_barline_belongs_to_the_next_bar() -> None:
    grid = make_grid(2)
    notes, _ = quantise([Hit(2.49, KICK, 100)], grid)
    assert (notes[0].bar, notes[0].position) == (1, 0)


def test_strokes_before_the_first_bar_and_after_the_last_stay_inside() -> None:
    grid = make_grid(1)
    strokes = [Hit(0.1, KICK, 100), Hit(9.0, KICK, 100)]
    notes, _ = quantise(strokes, grid)
    check_sound(strokes, notes, grid)
    assert notes[0].position == 0


def test_drums_within_a_few_milliseconds_are_one_onset() -> None:
    grid = make_grid(2)
    strokes = [Hit(0.5 + 0.1875, KICK, 100), Hit(0.5 + 0.1885, CLOSED_HAT, 80)]
    notes, _ = quantise(strokes, grid)
    assert notes[0].position == notes[1].position


def test_triplets_are_triplets() -> None:
    grid = make_grid(4)
    written = [(Fraction(i, 3), SNARE, 90) for i in range(48)]
    notes, swing = quantise(play(grid, written, 0.006), grid)
    assert swing == STRAIGHT
    assert where(notes, grid) == [(q, "snare") for q, _, _ in written]


@pytest.mark.parametrize("ratio", [0.58, 0.62, 2 / 3])
def test_swing_is_written_as_eighths(ratio: float) -> None:
    grid = make_grid(8, bpm=140)
    played = [Fraction(i) for i in range(32)] + [
        Fraction(i) + Fraction(ratio).limit_denominator(1000) for i in range(32)
    ]
    strokes = play(grid, [(q, CLOSED_HAT, 80) for q in played], 0.006)
    strokes += play(grid, [(Fraction(i), KICK, 100) for i in range(0, 32, 2)], 0.006)
    notes, swing = quantise(strokes, grid)
    assert (swing.ratio, swing.value) == (pytest.approx(ratio, abs=0.01), Fraction(1, 2))
    hats = [q for q, name in where(notes, grid) if name == "closed hi-hat"]
    assert hats == [Fraction(i, 2) for i in range(64)]


@pytest.mark.parametrize("ratio", [0.57, 0.61, 2 / 3])
@pytest.mark.parametrize(("metre", "bpm"), [("4/4", 95), ("6/8", 70)])
def test_swung_sixteenths_are_written_as_sixteenths(metre: str, bpm: float, ratio: float) -> None:
    grid = make_grid(8, bpm=bpm, metre=metre)
    feel = Swing(ratio, Fraction(1, 4))
    end = int(grid.bar_quarters[-1] * 4)
    # Two of three sixteenths, as a funk pattern has them.
    written = [(Fraction(i, 4), CLOSED_HAT, 80) for i in range(end) if i % 3]
    written += [(Fraction(i, 2), KICK, 100) for i in range(0, end // 2, 3)]
    played = [(Fraction(float(feel.played(float(q)))), d, v) for q, d, v in written]
    notes, swing = quantise(play(grid, played, 0.006), grid)
    assert (swing.ratio, swing.value) == (pytest.approx(ratio, abs=0.01), feel.value)
    assert where(notes, grid) == sorted((q, d.name) for q, d, _ in written)


@pytest.mark.parametrize(
    ("metre", "values"), [("4/4", "8"), ("4/4", "16t"), ("6/8", "8"), ("7/16", None)]
)
def test_sixteenths_that_are_not_written_or_are_beats_do_not_swing(
    metre: str, values: str | None
) -> None:
    grid = make_grid(8, bpm=90, metre=metre)
    feel = Swing(0.62, Fraction(1, 4))
    end = int(grid.bar_quarters[-1] * 4)
    played = [(Fraction(float(feel.played(i / 4))), CLOSED_HAT, 80) for i in range(end)]
    divisions = None if values is None else parse_values(values)
    assert quantise(play(grid, played), grid, divisions=divisions)[1] == STRAIGHT


def test_sixteenths_swing_beside_known_triplets_of_eighths() -> None:
    grid = make_grid(8, bpm=90)
    feel = Swing(0.62, Fraction(1, 4))
    played = [(Fraction(float(feel.played(i / 4))), CLOSED_HAT, 80) for i in range(128)]
    swing = quantise(play(grid, played, 0.004), grid, divisions=parse_values("16,8t"))[1]
    assert (swing.ratio, swing.value) == (pytest.approx(0.62, abs=0.01), feel.value)


@pytest.mark.parametrize("seed", range(5))
def test_a_few_triplets_of_which_some_are_missed_are_not_swing(seed: int) -> None:
    grid, rng = make_grid(64, bpm=100), np.random.default_rng(seed)
    written = [(Fraction(i, 2), CLOSED_HAT, 80) for i in range(512)]
    fills = [(4 * bar + 3 + Fraction(i, 3), SNARE, 90) for bar in range(7, 64, 7) for i in range(3)]
    missed = set(rng.choice(len(fills), 3, replace=False).tolist())
    written += [stroke for i, stroke in enumerate(fills) if i not in missed]
    assert quantise(play(grid, written, 0.012, seed), grid)[1] == STRAIGHT


def test_triplets_of_sixteenths_are_not_swing() -> None:
    grid = make_grid(8, bpm=80)
    written = [(Fraction(i, 6), SNARE, 90) for i in range(8 * 24)]
    notes, swing = quantise(play(grid, written, 0.006), grid)
    assert swing == STRAIGHT
    assert where(notes, grid) == [(q, "snare") for q, _, _ in written]


@pytest.mark.parametrize("ratio", [0.6, 2 / 3])
@pytest.mark.parametrize("parts", [3, 4])
@pytest.mark.parametrize("bpm", [90.0, 140.0, 180.0])
def test_a_fill_of_other_notes_in_a_swung_piece(ratio: float, parts: int, bpm: float) -> None:
    grid = make_grid(8, bpm=bpm)
    ride = [Hit(float(grid.seconds(q)), RIDE, 90) for bar in range(7)
            for q in (4 * bar, 4 * bar + 1, 4 * bar + 1 + ratio, 4 * bar + 2, 4 * bar + 3,
                      4 * bar + 3 + ratio)]  # fmt: skip
    fill = [Hit(float(grid.seconds(28 + i / parts)), SNARE, 90) for i in range(4 * parts)]
    notes, swing = quantise([*ride, *fill], grid)
    assert swing.ratio == pytest.approx(ratio, abs=0.02)
    snares = [note.bar * 4 + note.position - 28 for note in notes if note.drum == SNARE]
    assert snares == [Fraction(i, parts) for i in range(4 * parts)]
    assert {n.position % 1 for n in notes if n.drum == RIDE} == {Fraction(0), Fraction(1, 2)}


@pytest.mark.parametrize("seed", range(5))
def test_a_loose_shuffle_with_triplet_fills_swings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = make_grid(16, bpm=180.0)
    places = [(4 * bar + beat + late, drum) for bar in range(16) for beat in range(4)
              for late in ((0.0, 2 / 3) if bar % 4 < 3 else (0.0, 1 / 3, 2 / 3))
              for drum in (CLOSED_HAT, KICK)]  # fmt: skip
    hits = [Hit(max(0.0, float(grid.seconds(q)) + rng.normal(0.0, 0.008)), drum, 90)
            for q, drum in places]  # fmt: skip
    notes, swing = quantise(hits, grid)
    assert swing.ratio == pytest.approx(2 / 3, abs=0.02)
    written = [n.position % 1 for n in notes if n.bar % 4 < 3]
    assert np.mean([place in (0, Fraction(1, 2)) for place in written]) > 0.98


def test_fast_shuffle_with_triplets_does_not_swing_in_sixteenths() -> None:
    grid = make_grid(8, bpm=92)
    written = [(i + f, CLOSED_HAT, 80) for i in range(32) for f in (0, Fraction(2, 3))]
    written += [(i + Fraction(1, 3), SNARE, 30) for i in range(32)]
    notes, swing = quantise(play(grid, written, 0.006), grid)
    assert swing == STRAIGHT
    assert where(notes, grid) == sorted((q, d.name) for q, d, _ in written)


def test_late_sixteenths_of_a_fast_song_are_straight() -> None:
    grid = make_grid(8, bpm=180)
    feel = Swing(0.6, Fraction(1, 4))
    played = [(Fraction(float(feel.played(i / 4))), CLOSED_HAT, 80) for i in range(128)]
    assert quantise(play(grid, played, 0.003), grid)[1] == STRAIGHT


def test_dotted_rhythm_is_not_swing() -> None:
    grid = make_grid(8)
    written = [(Fraction(i) + f, CLOSED_HAT, 80) for i in range(32) for f in (0, Fraction(3, 4))]
    notes, swing = quantise(play(grid, written, 0.006), grid)
    assert swing == STRAIGHT
    assert where(notes, grid) == [(q, "closed hi-hat") for q, _, _ in written]


def test_thirty_second_roll_and_sextuplets() -> None:
    grid = make_grid(4, bpm=90)
    written = [(Fraction(i), KICK, 100) for i in range(16)]
    written += [(3 + Fraction(i, 8), SNARE, 90) for i in range(8)]
    written += [(7 + Fraction(i, 6), SNARE, 90) for i in range(6)]
    notes, _ = quantise(play(grid, written, 0.003), grid)
    assert where(notes, grid) == sorted((q, d.name) for q, d, _ in written)


@pytest.mark.parametrize(
    ("at", "values"),
    [
        (0.36, "16"),  # not on the beat, where it costs nothing to divide
        (0.3, "16,8t"),  # nor nearer by, where one stroke would make a triplet
    ],
)
def test_a_stray_stroke_is_put_near_by(at: float, values: str) -> None:
    grid = make_grid(4, bpm=60)
    written = [(Fraction(i), KICK, 100) for i in range(16)]
    strokes = [*play(grid, written), Hit(float(grid.seconds(5 + at)), SNARE, 90)]
    notes, _ = quantise(strokes, grid, divisions=parse_values(values))
    assert [q for q, name in where(notes, grid) if name == "snare"] == [5 + Fraction(1, 4)]


@pytest.mark.parametrize("values", ["16", "16,8t", "8", None])
def test_a_stray_stroke_moves_no_other(values: str | None) -> None:
    grid = make_grid(16)
    step = Fraction(1, 2) if values == "8" else Fraction(1, 4)
    written = [(i * step, CLOSED_HAT, 60) for i in range(int(64 / step))]
    stray = Hit(float(grid.seconds(2.65)), CLOSED_HAT, 50)
    divisions = None if values is None else parse_values(values)
    notes, _ = quantise([*play(grid, written), stray], grid, divisions=divisions, swing=STRAIGHT)
    others = tuple(note for note in notes if note.onset != stray.onset)
    assert where(others, grid) == [(place, CLOSED_HAT.name) for place, _, _ in written]


@pytest.mark.parametrize("values", ["8", "16"])
@pytest.mark.parametrize("onsets", [(0.955, 1.005), (1.0, 1.04)])
def test_of_two_strokes_at_one_place_the_loud_one_has_it(
    onsets: tuple[float, float], values: str
) -> None:
    grid = make_grid(2, start=0.0)  # the third beat is at 1 s
    hits = [Hit(0.0, KICK, 90), Hit(onsets[0], KICK, 50), Hit(onsets[1], KICK, 100)]
    notes, _ = quantise(hits, grid, divisions=parse_values(values))
    check_sound(hits, notes, grid)
    (loud,) = (note for note in notes if note.velocity == 100)
    (soft,) = (note for note in notes if note.velocity == 50)
    assert (loud.position, loud.grace, soft.position, soft.grace) == (2, False, 2, True)


@pytest.mark.parametrize("after", [0.02, 0.03, 0.04, 0.05])
def test_a_soft_stroke_after_a_loud_one_does_not_lean_on_it(after: float) -> None:
    grid = make_grid(2, start=0.0)
    hits = [Hit(0.0, KICK, 90), Hit(1.0, SNARE, 110), Hit(1.0 + after, SNARE, 48)]
    notes, _ = quantise(hits, grid)
    check_sound(hits, notes, grid)
    assert where(notes, grid)[1:] == [(2, "snare"), (Fraction(17, 8), "snare")]
    coarse, _ = quantise(hits, grid, divisions=parse_values("8"))
    assert [note.position for note in coarse] == [0, 2, 2]  # not an eighth later


def test_the_last_third_of_a_beat_is_an_eighth_where_eighths_swing() -> None:
    grid = make_grid(8)
    shuffle = [(Fraction(i, 3), RIDE, 80) for i in range(96) if i % 3 != 1 and i != 3]
    notes, swing = quantise(play(grid, shuffle), grid, swing=Swing(0.62))
    assert swing == Swing(0.62)
    assert {note.position % 1 for note in notes} == {0, Fraction(1, 2)}


def test_no_beat_has_its_half_beside_its_thirds_where_eighths_swing() -> None:
    grid = make_grid(8)
    shuffle = [(Fraction(i, 3), RIDE, 80) for i in range(96) if i % 3 != 1]
    both = [(Fraction(14) + Fraction(i, 6), SNARE, 80) for i in (1, 2, 3, 4)]
    hits = play(grid, [*shuffle, *both])
    notes, swing = quantise(hits, grid)
    check_sound(hits, notes, grid)
    assert swing.value == Fraction(1, 2)
    parts = {note.position % 1 for note in notes if (note.bar, int(note.position)) == (3, 2)}
    assert not (Fraction(1, 2) in parts and parts & {Fraction(1, 3), Fraction(2, 3)})


def place_of_a_foot(gap: float, *, together: Drum | None = None) -> Fraction:
    """Quarters of a foot on the hi-hat so long before beat three of eighths by the stick.

    With a stroke of another drum at the foot's time, perhaps.
    """
    grid = make_grid(2)
    eighths = [(Fraction(i, 2), OPEN_HAT if i == 3 else CLOSED_HAT, 80) for i in range(12)]
    feet = [PEDAL_HAT] if together is None else [PEDAL_HAT, together]
    strokes = play(grid, eighths)
    strokes += [Hit(float(grid.seconds(2.0)) - gap, drum, 50) for drum in feet]
    notes, _ = quantise(strokes, grid)
    check_sound(strokes, notes, grid)
    (place,) = (place for place, name in where(notes, grid) if name == "pedal hi-hat")
    return place


@pytest.mark.parametrize("gap", [0.02, 0.054])
def test_a_foot_just_ahead_of_the_stick_is_on_the_sticks_place(gap: float) -> None:
    assert place_of_a_foot(gap) == 2


def test_a_foot_well_ahead_of_the_stick_has_its_own_place() -> None:
    assert place_of_a_foot(0.0625) == Fraction(15, 8)


def test_a_foot_that_sounds_with_another_drum_stays_with_it() -> None:
    assert place_of_a_foot(0.054, together=KICK) == Fraction(15, 8)


@pytest.mark.parametrize("gaps", [(0.03,), (0.06, 0.03)])
def test_flam_and_drag_are_grace_notes(gaps: tuple[float, ...]) -> None:
    grid = make_grid(4)
    written = [(Fraction(i, 2), CLOSED_HAT, 80) for i in range(32)]
    strokes = play(grid, [*written, (Fraction(5), SNARE, 110)])
    main = float(grid.seconds(5))
    strokes += [Hit(main - gap, SNARE, 50 + i) for i, gap in enumerate(gaps)]
    notes, _ = quantise(strokes, grid)
    snares = [n for n in notes if n.drum is SNARE]
    assert [n.grace for n in snares] == [True] * len(gaps) + [False]
    assert {(n.bar, n.position) for n in snares} == {(1, Fraction(1))}
    check_sound(strokes, notes, grid)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.004, 0.011, 0.02, 0.03, 0.05, 0.055, 0.06, 0.1, 0.2]),
            st.sampled_from([PEDAL_HAT, CLOSED_HAT, OPEN_HAT, KICK, SNARE]),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_hands_and_feet_in_any_order_are_onsets_with_every_stroke_once(
    steps: list[tuple[float, Drum]],
) -> None:
    grid = make_grid(3)
    onsets = np.round(0.5 + np.cumsum([gap for gap, _ in steps]), 4)
    struck = {(float(t), drum) for t, (_, drum) in zip(onsets, steps, strict=True)}
    strokes = [Hit(t, drum, 80) for t, drum in struck]
    grouped = group_onsets(strokes, grid)
    for onset in grouped:
        assert len({hit.drum for hit in onset.hits}) == len(onset.hits)
    together = [hit for onset in grouped for hit in (*onset.graces, *onset.hits)]
    assert sorted(together, key=repr) == sorted(strokes, key=repr)
    notes, _ = quantise(strokes, grid)
    check_sound(strokes, notes, grid)


@pytest.mark.parametrize("bpm", [80.0, 120.0])
def test_a_four_stroke_ruff_is_three_grace_notes(bpm: float) -> None:
    grid = make_grid(2, bpm=bpm)
    main = float(grid.seconds(4))
    ruff = [Hit(main - 0.035 * (3 - i), SNARE, 40) for i in range(3)]
    notes, _ = quantise([*ruff, Hit(main, SNARE, 95)], grid)
    assert [(note.bar, note.position, note.grace) for note in notes] == [
        (1, 0, True), (1, 0, True), (1, 0, True), (1, 0, False)
    ]  # fmt: skip


def test_odd_eighths() -> None:
    grid = make_grid(4, bpm=140, metre="7/8")
    written = [(Fraction(i, 4), CLOSED_HAT, 80) for i in range(0, 56, 2)]
    written += [(Fraction(7 * bar, 2) + Fraction(3, 4), SNARE, 80) for bar in range(4)]
    notes, _ = quantise(play(grid, written, 0.005), grid)
    assert where(notes, grid) == sorted((q, d.name) for q, d, _ in written)


def test_pickup_bar() -> None:
    metre = Metre(4, 4)
    grid = Grid((Bar(metre, (0.5,)), Bar(metre, (1.0, 1.5, 2.0, 2.5))), 3.0)
    notes, _ = quantise([Hit(0.75, SNARE, 90), Hit(1.0, KICK, 100)], grid)
    assert [(n.bar, n.position) for n in notes] == [(0, Fraction(1, 2)), (1, Fraction(0))]


@pytest.mark.parametrize(
    ("text", "divisions"),
    [("16", {1, 2, 4}), ("8t", {1, 3}), ("8, 16t", {1, 2, 3, 6}), ("32", {1, 2, 4, 8})],
)
def test_note_values_are_read(text: str, divisions: set[int]) -> None:
    assert parse_values(text) == divisions


@pytest.mark.parametrize("text", ["", "12", "16,", "t", "64", "8 16"])
def test_other_note_values_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not one or more of 4, 8, 16, 32, 8t, 16t"):
        parse_values(text)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(hits, max_size=60),
    st.sampled_from(["4/4", "3/4", "6/8", "2/2"]),
    st.sampled_from(["4", "8", "16", "32", "8t", "16t", "8,8t", "16,16t"]),
)
def test_strokes_lie_on_the_grid_that_is_known(strokes: list[Hit], metre: str, values: str) -> None:
    grid = make_grid(12, metre=metre)
    notes, _ = quantise(strokes, grid, divisions=parse_values(values))
    check_sound(strokes, notes, grid)
    unit = min(Fraction(1), grid.metre.beat)
    parts = [n * unit for n in parse_values(values) if (n * unit).denominator == 1] or [1]
    for note in notes:
        if not note.grace:
            assert any((note.position / unit * n).denominator == 1 for n in parts)


@pytest.mark.parametrize(("values", "graces"), [("16", 7), ("8", 11), ("8t", 9), ("32", 0)])
def test_a_roll_finer_than_the_grid_that_is_known_stays_where_it_was_played(
    values: str, graces: int
) -> None:
    """Sixteen thirty-seconds from the third beat on; most have no place of their own."""
    grid = make_grid(4)
    strokes = play(grid, [(2 + Fraction(i, 8), SNARE, 70 + i) for i in range(16)])
    notes, _ = quantise(strokes, grid, divisions=parse_values(values))
    assert sum(note.grace for note in notes) == graces
    finest = 1 / max(parse_values(values))
    for note in notes:
        written = float(grid.seconds(float(grid.bar_quarters[note.bar] + note.position)))
        early = (written - note.onset) * 2.0  # quarters
        # Those without a place lead into the next one's stroke.
        assert 0 <= early <= finest if note.grace else abs(early) <= finest / 2 + 1e-9


def test_known_triplets_are_written_as_such_and_not_as_swing() -> None:
    grid = make_grid(8, bpm=140)
    places = [i + f for i in range(32) for f in (Fraction(0), Fraction(2, 3))]
    strokes = play(grid, [(q, CLOSED_HAT, 80) for q in places], 0.006)
    assert quantise(strokes, grid)[1].ratio == pytest.approx(2 / 3, abs=0.01)
    notes, swing = quantise(strokes, grid, divisions=parse_values("8t"))
    assert swing == STRAIGHT
    assert [q for q, _ in where(notes, grid)] == places


@pytest.mark.parametrize("bpm", [120, 190, 220])
def test_fast_triplets_are_no_sloppy_sixteenths(bpm: float) -> None:
    grid = make_grid(8, bpm=bpm)
    written = [(Fraction(i, 3), KICK, 90) for i in range(96)]
    written += [(Fraction(i), SNARE, 100) for i in range(1, 32, 2)]
    notes, swing = quantise(play(grid, written, 0.004), grid)
    assert swing == STRAIGHT
    assert where(notes, grid) == sorted((q, drum.name) for q, drum, _ in written)


def test_a_beat_that_is_played_late_is_not_written_in_the_cracks() -> None:
    grid = make_grid(8, bpm=90)
    written = [(Fraction(i, 2), CLOSED_HAT, 80) for i in range(64)]
    late = {10, 11, 28, 29}
    strokes = play(grid, [w for i, w in enumerate(written) if i not in late], 0.018)
    strokes += play(
        grid, [(q + Fraction(1, 12), *rest) for q, *rest in (written[i] for i in sorted(late))]
    )
    notes, _ = quantise(strokes, grid)
    assert {q for q, _ in where(notes, grid)} >= {written[i][0] for i in late}


def test_shuffle_beside_triplets_swings_and_they_stay_triplets() -> None:
    grid = make_grid(16, bpm=120)
    # A third of the beats in three, the others a shuffle.
    written = []
    for beat in range(64):
        written.append((Fraction(beat), RIDE, 90))
        if beat % 5 < 2:
            written += [(beat + Fraction(i, 3), RIDE, 70) for i in (1, 2)]
        else:
            written.append((beat + Fraction(2, 3), RIDE, 70))
    notes, swing = quantise(play(grid, written, 0.004), grid)
    assert (swing.ratio, swing.value) == (pytest.approx(2 / 3, abs=0.01), Fraction(1, 2))
    places = {beat: [q - beat for q, _ in where(notes, grid) if q // 1 == beat] for beat in (0, 2)}
    assert places == {
        0: [0, Fraction(1, 3), Fraction(2, 3)],
        2: [0, Fraction(1, 2)],
    }


def test_triplets_of_quarters_are_not_swing() -> None:
    grid = make_grid(16, bpm=80)
    written = [(Fraction(i), RIDE, 90) for i in range(64) if i // 4 % 2 == 0]
    written += [
        (4 * bar + Fraction(2 * i, 3), RIDE, 90) for bar in range(1, 16, 2) for i in range(6)
    ]
    notes, swing = quantise(play(grid, written, 0.004), grid)
    assert swing == STRAIGHT
    assert where(notes, grid) == sorted((q, drum.name) for q, drum, _ in written)


@pytest.mark.parametrize(
    ("gap", "first", "neighbour", "grace"),
    [
        (0.03, 100, 1.0, True),  # both sticks at once, or nearly
        (0.03, 110, 1.0, True),
        (0.03, 125, 1.0, False),  # an echo
        (0.052, 100, 1.0, False),  # two strokes
        (0.03, 100, 0.06, False),  # of a roll
    ],
)
def test_two_sticks_at_once_are_a_flam(
    gap: float, first: int, neighbour: float, grace: bool
) -> None:
    hits = [Hit(2.0 - gap - neighbour, SNARE, 100), Hit(2.0 - gap, SNARE, first)]
    hits += [Hit(2.0, SNARE, 105), Hit(3.0, SNARE, 100)]
    graces = [hit for onset in group_onsets(hits, make_grid(4)) for hit in onset.graces]
    assert (hits[1] in graces) == grace
