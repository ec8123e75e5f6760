"""Casting: a snare that sounds like a tom is one again, and hats are open against closed ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drum2midi.casting import FEWEST, WEIGHTS, cast_parts, describe_part
from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    DRUMS,
    FLOOR_TOM,
    HIGH_TOM,
    KICK,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SCORING_CLASSES,
    SNARE,
    Drum,
)
from drum2midi.model import Activations
from drum2midi.training.grooves import Stroke
from drum2midi.training.parts import examples, fit
from drum2midi.transcription import Hit

RATE = 100.0
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


def by_onset(hits: object) -> list[Hit]:
    return sorted(hits, key=lambda hit: (hit.onset, DRUMS.index(hit.drum)))  # type: ignore[call-overload, no-any-return]


def heard(hits: list[Hit], *, rival: float = 0.1) -> Activations:
    """What the hits were picked from; `rival` is the snare's activation where a tom was heard."""
    frames = round(BARS * BAR * RATE) + 100
    classes = np.full((frames, len(SCORING_CLASSES)), 0.001, np.float32)
    drums = np.full((frames, len(DRUMS)), 0.01, np.float32)
    for hit in hits:
        at = round(hit.onset * RATE)
        classes[at, SCORING_CLASSES.index(hit.drum.scoring)] = 0.9
        drums[at, DRUMS.index(hit.drum)] = 0.9
        if hit.drum.scoring == "TT":
            classes[at, SCORING_CLASSES.index("SD")] = rival
    return Activations(classes, drums, drums, RATE)


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


def test_unclear_toms_that_play_a_snares_part_are_the_snare() -> None:
    hits = [
        replace(hit, confidence=0.8) if hit.drum is HIGH_TOM else hit for hit in groove(HIGH_TOM)
    ]
    cast = cast_parts(hits, heard(hits))
    assert [hit.onset for hit in cast if hit.drum is SNARE] == [
        hit.onset for hit in groove() if hit.drum is SNARE
    ]


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


def hats(openness: list[float]) -> tuple[list[Hit], Activations]:
    """Hats with given log-odds of the open one; those that sound more open than not are open."""
    hits = [Hit(0.25 * (i + 1), OPEN_HAT if x > 0.0 else CLOSED_HAT, 80, 0.9)
            for i, x in enumerate(openness)]  # fmt: skip
    activations = heard(hits)
    drums = activations.drums.copy()
    for hit, x in zip(hits, openness, strict=True):
        at = round(hit.onset * RATE)
        drums[at, DRUMS.index(OPEN_HAT)] = 1.0 / (1.0 + np.exp(-x))
        drums[at, DRUMS.index(CLOSED_HAT)] = 0.5
        drums[at, DRUMS.index(PEDAL_HAT)] = 0.1
    return hits, replace(activations, drums=drums)


@pytest.mark.parametrize(
    ("openness", "still_open"),
    [
        ([-5.0] * 7 + [0.5], 1),  # one among closed ones
        ([-1.0] * 7 + [2.0], 0),  # where all ring, not for ringing a little more
        ([-1.0] * 7 + [3.0], 1),
        ([3.0] * 8, 8),  # open throughout
        ([-1.0] * 6 + [2.0], 1),  # too few to compare
    ],
)
def test_hats_are_open_against_closed_ones(openness: list[float], still_open: int) -> None:
    hits, activations = hats(openness)
    cast = cast_parts(hits, activations)
    assert sum(hit.drum is OPEN_HAT for hit in cast) == still_open
    assert [replace(hit, drum=OPEN_HAT) for hit in cast] == [
        replace(hit, drum=OPEN_HAT) for hit in hits
    ]


def test_a_hat_that_is_not_open_is_what_it_sounds_like_most() -> None:
    hits, activations = hats([-1.0] * 7 + [2.0])
    activations.drums[round(hits[-1].onset * RATE), DRUMS.index(PEDAL_HAT)] = 0.6
    assert [hit.drum for hit in cast_parts(hits, activations)] == [CLOSED_HAT] * 7 + [PEDAL_HAT]


def stream(drums: list[Drum], margins: list[float]) -> tuple[list[Hit], Activations]:
    """Eighths of hats and rides, each likelier a hat than a cymbal by so many logits."""
    hits = [Hit(0.25 * (i + 1), drum, 80, 0.9) for i, drum in enumerate(drums)]
    activations = heard(hits)
    for hit, margin in zip(hits, margins, strict=True):
        at = round(hit.onset * RATE)
        for name, logit in (("HH", margin / 2), ("CY", -margin / 2)):
            activations.classes[at, SCORING_CLASSES.index(name)] = 1.0 / (1.0 + np.exp(-logit))
    return hits, activations


def test_a_ride_that_might_be_a_hat_is_one_among_hats() -> None:
    drums = [CLOSED_HAT] * 6 + [RIDE, CLOSED_HAT, RIDE_BELL] + [CLOSED_HAT] * 6
    hits, activations = stream(drums, [4.0] * 6 + [-1.0, 4.0, -1.0] + [4.0] * 6)
    cast = cast_parts(hits, activations)
    assert [hit.drum for hit in cast] == [CLOSED_HAT] * 15
    assert [hit.onset for hit in cast] == [hit.onset for hit in hits]
    activations.drums[round(hits[6].onset * RATE), DRUMS.index(OPEN_HAT)] = 0.5
    assert [hit.drum for hit in cast_parts(hits, activations)].count(OPEN_HAT) == 1


@pytest.mark.parametrize(("crashes", "left"), [(7, 7), (9, 0)])
def test_crowds_of_crashes_among_hats_are_hats(crashes: int, left: int) -> None:
    ends = [CLOSED_HAT] * 4
    drums = [*ends, *[CLOSED_HAT, CLOSED_HAT, CRASH, CLOSED_HAT] * crashes, *ends]
    hits, activations = stream(drums, [-1.0 if drum is CRASH else 3.0 for drum in drums])
    close = [replace(hit, onset=0.4 * hit.onset) for hit in hits]
    near = heard(close)
    for hit, moved in zip(hits, close, strict=True):
        near.classes[round(moved.onset * RATE)] = activations.classes[round(hit.onset * RATE)]
    assert sum(hit.drum is CRASH for hit in cast_parts(close, near)) == left
    assert len(cast_parts(close, near)) == len(hits)


def test_a_ride_that_a_hat_doubles_goes() -> None:
    hits, activations = stream([CLOSED_HAT] * 8, [4.0] * 8)
    doubled = by_onset([*hits, Hit(1.01, RIDE, 70, 0.6)])
    assert list(cast_parts(doubled, activations)) == hits


def test_no_foot_comes_down_twice_at_once() -> None:
    def left(gap: float, *confidences: float, others: Drum = PEDAL_HAT) -> list[float]:
        drums = (PEDAL_HAT, others, others)
        hits = [Hit(1.0 + i * gap, drums[i], 80, sure) for i, sure in enumerate(confidences)]
        cast = cast_parts(hits, heard(hits))
        assert set(cast) <= set(hits)
        return [hit.confidence for hit in cast]

    assert left(0.06, 0.9, 0.8) == [0.9]
    assert left(0.06, 0.8, 0.9) == [0.9]
    assert left(0.05, 0.7, 0.9, 0.8) == [0.9]
    assert left(0.05, 0.9, 0.7, 0.8) == [0.9, 0.8]
    assert left(0.08, 0.9, 0.8) == [0.9, 0.8]
    assert left(0.05, 0.9, 0.8, others=SNARE) == [0.9, 0.8]


@pytest.mark.parametrize(
    "drums",
    [
        [RIDE, RIDE, PEDAL_HAT, RIDE] * 4,  # the foot on two and four
        [CLOSED_HAT] * 24 + [RIDE] * 24 + [CLOSED_HAT] * 8,  # a chorus on the ride
        [CLOSED_HAT] * 2 + [RIDE] + [CLOSED_HAT] * 2,  # too few to be company
        [CLOSED_HAT] * 8 + [CRASH] + [CLOSED_HAT] * 8,  # crashes come alone
    ],
)
def test_rides_among_rides_and_crashes_stay(drums: list[Drum]) -> None:
    margins = {CLOSED_HAT: 3.0, PEDAL_HAT: 3.0, RIDE: -2.0, CRASH: -1.0}
    hits, activations = stream(drums, [margins[drum] for drum in drums])
    assert [hit.drum for hit in cast_parts(hits, activations)] == drums


def washed(cymbals: dict[int, Drum], hats: set[int], step: float = 0.25) -> list[Drum]:
    """What becomes of cymbals at some steps, which sound like nothing else, and hats at some."""
    hits = by_onset(
        [
            *(Hit(1.0 + step * i, OPEN_HAT, 80, 0.8) for i in hats),
            *(Hit(1.0 + step * i, drum, 90, 0.95) for i, drum in cymbals.items()),
        ]
    )
    activations = heard(hits)
    for i in cymbals:
        at = round((1.0 + step * i) * RATE)
        activations.classes[at, SCORING_CLASSES.index("HH")] = 0.4
        activations.drums[at, DRUMS.index(OPEN_HAT)] = 0.6
    return [hit.drum for hit in cast_parts(hits, activations)]


def test_cymbals_that_the_stick_would_play_with_a_hat_again_and_again_are_its_wash() -> None:
    together = dict.fromkeys(range(0, 15, 3), CRASH)
    # The one between was heard as a cymbal alone: the same hat.
    cast = washed({**together, 10: RIDE}, set(range(24)) - {10})
    assert cast == [OPEN_HAT] * 24


@pytest.mark.parametrize("cymbals", [(RIDE, RIDE_BELL), (CRASH, RIDE)])
def test_two_cymbals_at_once_that_are_a_hat_are_one(cymbals: tuple[Drum, Drum]) -> None:
    hits = by_onset(
        [
            *(Hit(1.0 + 0.25 * i, OPEN_HAT, 80, 0.8) for i in range(12) if i != 7),
            *(Hit(1.0 + 0.25 * i, CRASH, 90, 0.95) for i in (0, 2, 4, 6, 8)),
            *(Hit(2.75, drum, 90, 0.95) for drum in cymbals),
        ]
    )
    cast = cast_parts(hits, heard(hits))
    assert [hit.onset for hit in cast] == [1.0 + 0.25 * i for i in range(12)]


@pytest.mark.parametrize(
    ("cymbals", "hats", "step"),
    [
        (range(0, 12, 3), range(24), 0.25),  # four are none too many
        (range(0, 15, 3), range(15), 0.9),  # nor are five in eleven seconds
        (range(24), range(0, 20, 4), 0.25),  # crashes throughout, with a splash now and then
    ],
)
def test_other_crashes_with_a_hat_stay(cymbals: range, hats: range, step: float) -> None:
    cast = washed(dict.fromkeys(cymbals, CRASH), set(hats), step)
    assert cast.count(CRASH) == len(cymbals)
    assert cast.count(OPEN_HAT) == len(hats)


def test_a_crash_with_the_foot_stays_however_often() -> None:
    hits = by_onset(
        Hit(1.0 + 0.25 * i, drum, 90, 0.9) for i in range(12) for drum in (RIDE, PEDAL_HAT)
    )
    activations = heard(hits)
    activations.classes[:, SCORING_CLASSES.index("CY")] = 0.99
    assert list(cast_parts(hits, activations)) == hits


def cast_hats(drums: dict[int, Drum], kicks: tuple[int, ...], step: float = 0.15) -> list[Drum]:
    """What becomes of twelve even hats, closed but for some, beside kicks."""
    played = [Hit(1.0 + step * i, drums.get(i, CLOSED_HAT), 80) for i in range(12)]
    played += [Hit(1.0 + step * i, KICK, 100) for i in kicks]
    quiet = np.full((400, len(DRUMS)), 0.01, np.float32)
    cast = cast_parts(by_onset(played), Activations(quiet[:, :5], quiet, quiet, RATE))
    return [hit.drum for hit in cast if hit.drum is not KICK]


def test_a_pedal_on_a_kick_in_step_with_the_stick_is_the_stick() -> None:
    assert cast_hats({5: PEDAL_HAT}, kicks=(0, 5)) == [CLOSED_HAT] * 12


@pytest.mark.parametrize(
    ("pedals", "kicks", "step"),
    [
        ((5,), (0, 4), 0.15),
        ((5,), (5,), 0.4),
        ((0,), (0,), 0.15),
        ((5, 6), (5,), 0.15),
        (tuple(range(0, 12, 2)), tuple(range(0, 12, 2)), 0.25),
    ],
    ids=["without a kick", "too slow", "before the stick", "out of step", "between the stick's"],
)
def test_other_pedals_stay(pedals: tuple[int, ...], kicks: tuple[int, ...], step: float) -> None:
    cast = cast_hats(dict.fromkeys(pedals, PEDAL_HAT), kicks, step)
    assert [i for i, drum in enumerate(cast) if drum is PEDAL_HAT] == list(pedals)


def test_a_pedal_with_the_stick_at_once_stays() -> None:
    at = [1.0 + 0.15 * i for i in range(12)]
    played = [Hit(time, CLOSED_HAT, 80) for time in (*at[:5], at[5] + 0.028, *at[6:])]
    played += [Hit(at[5], PEDAL_HAT, 80), Hit(at[5], KICK, 100)]
    quiet = np.full((400, len(DRUMS)), 0.01, np.float32)
    cast = cast_parts(by_onset(played), Activations(quiet[:, :5], quiet, quiet, RATE))
    assert [hit.onset for hit in cast if hit.drum is PEDAL_HAT] == [at[5]]


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
