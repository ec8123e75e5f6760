"""Casting: a snare that sounds like a tom is one again, and hats are open against closed ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearing import by_onset, heard

from drum2midi.casting import FEWEST, WEIGHTS, cast_parts, describe_part
from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    FLOOR_TOM,
    HIGH_TOM,
    KICK,
    MID_TOM,
    SCORING_CLASSES,
    SNARE,
    Drum,
)
from drum2midi.training.grooves import Stroke
from drum2midi.training.parts import examples, fit
from drum2midi.transcription import Hit

BARS = 8
BAR = 2.0  # seconds


def groove(backbeat: Drum = SNARE) -> list[Hit]:
    """Kick on one and three, backbeat, eighths on the hat."""
    beats = {KICK: (0, 2), backbeat: (1, 3), CLOSED_HAT: tuple(i / 2 for i in range(8))}
    return by_onset(
        Hit(bar * BAR + 0.5 * beat, drum, 90, 0.9)
        for bar in range(BARS)
        for drum, at in beats.items()
        for beat in at
    )


def fill(bar: int, drum: Drum, count: int = 6) -> list[Hit]:
    """Sixteenths at the end of a bar."""
    return [Hit(bar * BAR + 1.25 + 0.125 * i, drum, 100, 0.9) for i in range(count)]


def of_band(drum: Drum, likely: dict[float, int]) -> tuple[list[Hit], list[Hit]]:
    """A groove without a snare, and as many strokes of a drum beside it of each confidence."""
    band = [hit for hit in groove() if hit.drum is not SNARE]
    confidences = [confidence for confidence, count in likely.items() for _ in range(count)]
    strokes = [Hit(0.25 + 0.35 * i, drum, 80, c) for i, c in enumerate(confidences)]
    return by_onset(band), strokes


@pytest.mark.parametrize("drum", [FLOOR_TOM, SNARE])
@pytest.mark.parametrize(
    ("likely", "stay"),
    [
        ({0.89: 30}, False),
        ({0.9: 30}, True),
        ({0.7: 27, 0.9: 3}, True),
        ({0.7: 28, 0.9: 3}, False),  # fewer than one in ten
        ({0.7: 27, 0.9: 3, 0.59: 10}, True),  # what is not likely, as ghosts, says nothing
        ({0.7: 27, 0.9: 3, 0.6: 1}, False),
        ({0.8: FEWEST - 1, 0.59: 10}, True),  # and a few likely ones may be unclear
    ],
)
def test_snares_or_toms_of_which_hardly_any_is_clear_are_left_out(
    drum: Drum, likely: dict[float, int], stay: bool
) -> None:
    band, strokes = of_band(drum, likely)
    hits = by_onset([*band, *strokes])
    assert list(cast_parts(hits, heard(hits))) == (hits if stay else band)


@pytest.mark.parametrize(
    ("count", "gap", "confidence", "stay"),
    [
        (FEWEST, 0.0, 0.5, False),
        (FEWEST, 0.01, 0.5, False),
        (FEWEST - 1, 0.0, 0.5, True),
        (FEWEST, 0.1, 0.5, True),
        (FEWEST, 0.0, 0.91, True),
    ],
)
def test_a_snare_that_may_be_a_drum_machines_kick(
    count: int, gap: float, confidence: float, stay: bool
) -> None:
    kicks = [Hit(0.25 * (i + 1), KICK, 100, 0.95) for i in range(16)]
    clicks = [Hit(kick.onset + gap, SNARE, 110, confidence) for kick in kicks[:count]]
    hits = by_onset([*kicks, *clicks])
    assert list(cast_parts(hits, heard(hits))) == (hits if stay else kicks)


def test_unclear_toms_that_play_a_snares_part_are_the_snare() -> None:
    hits = [
        replace(hit, confidence=0.8) if hit.drum is HIGH_TOM else hit for hit in groove(HIGH_TOM)
    ]
    cast = cast_parts(hits, heard(hits))
    assert [hit.onset for hit in cast if hit.drum is SNARE] == [
        hit.onset for hit in groove() if hit.drum is SNARE
    ]


@pytest.mark.parametrize("drum", [KICK, CLOSED_HAT, CRASH])
def test_a_stroke_that_was_heard_twice_is_one(drum: Drum) -> None:
    twice = [Hit(0.1, drum, 90, 0.7), Hit(0.15, drum, 50, 0.95)]
    roll = [Hit(0.6 + 0.05 * i, drum, 90, 0.9) for i in range(3)]
    hits = by_onset([*groove(), *twice, *roll])
    gone = [hit for hit in hits if hit not in cast_parts(hits, heard(hits))]
    assert gone == twice[:1]


def test_a_flam_of_the_snare_stays_two_strokes() -> None:
    hits = by_onset([*groove(), Hit(0.46, SNARE, 50, 0.9)])
    assert list(cast_parts(hits, heard(hits))) == hits


def test_other_drums_may_be_unclear() -> None:
    hits = [
        hit if hit.drum is SNARE else replace(hit, confidence=0.7)
        for hit in by_onset([*groove(), *(Hit(0.25 + i, CRASH, 90) for i in range(3))])
    ]
    assert list(cast_parts(hits, heard(hits))) == hits


def test_a_tom_on_every_backbeat_is_the_snare() -> None:
    hits = [*groove(HIGH_TOM), *fill(3, FLOOR_TOM, 4)]
    cast = cast_parts(by_onset(hits), heard(hits))
    assert by_onset(cast) == by_onset([*groove(SNARE), *fill(3, FLOOR_TOM, 4)])
    assert [hit.onset for hit in cast] == [hit.onset for hit in by_onset(hits)]


def with_kicks(share: float) -> list[Hit]:
    """Floor toms, as the network hears a boomy kick, on a share of the groove's kicks."""
    kicks = [hit for hit in groove() if hit.drum is KICK]
    return [replace(hit, drum=FLOOR_TOM) for hit in kicks[: round(share * len(kicks))]]


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_tom_that_only_sounds_with_the_kick_is_the_kick(share: float) -> None:
    hits = by_onset([*groove(), *with_kicks(share)])
    assert cast_parts(hits, heard(hits)) == tuple(groove())


def test_a_fill_stays_where_kicks_sound_like_toms() -> None:
    hits = by_onset([*groove(), *with_kicks(1.0), *fill(3, FLOOR_TOM, 4)])
    cast = cast_parts(hits, heard(hits))
    assert cast == tuple(by_onset([*groove(), *fill(3, FLOOR_TOM, 4)]))


def test_toms_that_also_play_alone_stay_with_the_kick() -> None:
    alone = [Hit(bar * BAR + 1.75, FLOOR_TOM, 100, 0.9) for bar in range(BARS)]
    hits = by_onset([*groove(), *with_kicks(1.0), *alone])
    assert cast_parts(hits, heard(hits)) == tuple(hits)


def test_fills_over_kicks_that_run_on_stay() -> None:
    """Double bass in sixteenths at 180: every tom has a kick."""
    step, tom = 60 / 180 / 4, (MID_TOM, FLOOR_TOM)
    kicks = [Hit(i * step, KICK, 100, 0.9) for i in range(int(BARS * BAR / step))]
    toms = [Hit(i * step, tom[i % 2], 100, 0.9) for i in range(len(kicks)) if i % 32 < 6]
    hits = by_onset([*kicks, *toms])
    assert cast_parts(hits, heard(hits)) == tuple(hits)


@pytest.mark.parametrize(("alone", "kept"), [(0, False), (3, True)])
def test_toms_with_few_of_the_kicks_have_to_be_with_them_always(alone: int, kept: bool) -> None:
    kicks = [Hit(0.4 * i, KICK, 100, 0.9) for i in range(40)]
    toms = [replace(kick, drum=FLOOR_TOM) for kick in kicks[:9]]
    others = [Hit(0.4 * i + 0.2, FLOOR_TOM, 100, 0.9) for i in range(20, 20 + alone)]
    hits = by_onset([*kicks, *toms, *others])
    wanted = hits if kept else by_onset(kicks)
    assert cast_parts(hits, heard(hits)) == tuple(wanted)


def test_few_toms_with_a_kick_stay() -> None:
    hits = by_onset([*groove(), *with_kicks(1.0)[: FEWEST - 1]])
    assert cast_parts(hits, heard(hits)) == tuple(hits)


def test_ghost_strokes_taken_for_a_tom_join_the_snare() -> None:
    ghosts = [Hit(bar * BAR + at, HIGH_TOM, 30, 0.5) for bar in range(BARS) for at in (0.8, 1.7)]
    hits = by_onset([*groove(), *ghosts])
    cast = cast_parts(hits, heard(hits))
    assert {hit.drum for hit in cast} == {KICK, SNARE, CLOSED_HAT}
    assert sum(hit.drum is SNARE and hit.velocity == 30 for hit in cast) == 2 * BARS


def test_a_tom_in_fills_stays_one() -> None:
    hits = by_onset([*groove(), *fill(3, HIGH_TOM), *fill(7, HIGH_TOM), *fill(5, FLOOR_TOM)])
    assert list(cast_parts(hits, heard(hits))) == hits


def test_toms_that_sound_like_nothing_else_stay() -> None:
    """Ghost-like strokes again, but the ear is certain."""
    echoes = [Hit(bar * BAR + at, HIGH_TOM, 90, 0.9) for bar in range(BARS) for at in (0.8, 1.7)]
    hits = by_onset([*groove(), *echoes])
    certain = heard(hits, rival=1e-4)
    certain.classes[:, SCORING_CLASSES.index("TT")] *= 1.1
    assert list(cast_parts(hits, certain)) == hits


def test_toms_alone_stay_toms() -> None:
    hits = [Hit(0.5 * i, HIGH_TOM, 90, 0.9) for i in range(20)]
    assert list(cast_parts(hits, heard(hits))) == hits


@pytest.mark.parametrize(("kicks", "drum"), [(10, HIGH_TOM), (16, SNARE)])
def test_only_beside_enough_of_others_is_a_high_tom_a_snare(kicks: int, drum: Drum) -> None:
    part = [Hit(0.4 * i, HIGH_TOM, 90, 0.9) for i in range(40)]
    hits = by_onset([*part, *(Hit(0.8 * i + 0.2, KICK, 90, 0.9) for i in range(kicks))])
    cast = cast_parts(hits, heard(hits))
    assert {hit.drum for hit in cast if hit.drum is not KICK} == {drum}


def test_a_few_strokes_are_not_judged() -> None:
    hits = groove(HIGH_TOM)[: 4 * (FEWEST - 1)]
    assert 0 < sum(hit.drum is HIGH_TOM for hit in hits) < FEWEST
    assert list(cast_parts(hits, heard(hits))) == hits
    assert cast_parts([], heard([])) == ()


def test_no_stroke_of_the_snare_comes_twice() -> None:
    """The snare was heard as well, a little beside, at the first of the tom's strokes."""
    tom = groove(HIGH_TOM)
    doubled = by_onset([*tom, Hit(0.515, SNARE, 80, 0.6)])
    cast = cast_parts(doubled, heard(doubled))
    snares = [hit.onset for hit in cast if hit.drum is SNARE]
    assert (
        snares
        == [0.515, *(hit.onset for hit in tom if hit.drum is HIGH_TOM)][:1]
        + [hit.onset for hit in tom if hit.drum is HIGH_TOM][1:]
    )


def test_what_a_part_is_told_by() -> None:
    hits = by_onset([*groove(), *fill(3, HIGH_TOM, 4), *fill(5, FLOOR_TOM, 2)])
    told = describe_part(hits)
    snares, windows = 2 * BARS, BARS
    np.testing.assert_allclose(told, [np.log(5 / (snares + 1)), np.log(5 / 3), 1 / windows, 1.0])
    assert len(told) + 1 == len(WEIGHTS)


def test_strokes_of_the_snare_are_company_for_a_tom_on_the_same_part() -> None:
    """A solo on one drum, half of whose strokes were heard as the snare's."""
    hits = [Hit(0.25 * i, (SNARE, HIGH_TOM)[i % 2], 90, 0.9) for i in range(1, 60)]
    assert {hit.drum for hit in cast_parts(hits, heard(hits))} == {SNARE}


def test_parts_are_learnt_from_grooves() -> None:
    """Made-up grooves: the snare throughout, the high tom in two fills."""
    rng = np.random.default_rng(0)
    played = []
    for _ in range(12):
        fills = [*fill(int(rng.integers(1, 4)), HIGH_TOM), *fill(int(rng.integers(4, 8)), HIGH_TOM)]
        hits = by_onset([*groove(), *fills])
        played.append([Stroke(h.onset, h.drum, int(rng.integers(30, 120))) for h in hits])
    told, snares = examples(played)
    assert told.shape == (len(snares), len(WEIGHTS) - 1)
    assert 0 < snares.sum() < len(snares)
    weights = fit(told, snares)
    assert list(weights) == list(WEIGHTS)
    odds = told @ [*weights.values()][:-1] + weights["constant"]
    assert ((odds > 0.0) == snares).mean() > 0.95
    # Signs of what ships are those of common sense.
    assert WEIGHTS["spread"] > 0.0 > WEIGHTS["in a row"]
    assert WEIGHTS["against the snare"] > 0.0 < WEIGHTS["against other toms"]
