"""Hats and cymbals are what the strokes around them say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hearing import RATE, by_onset, heard

from drum2midi.cymbals import cast_cymbals
from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    DRUMS,
    KICK,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SCORING_CLASSES,
    SNARE,
    Drum,
)
from drum2midi.model import Activations
from drum2midi.transcription import Hit


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
    cast = cast_cymbals(hits, activations)
    assert sum(hit.drum is OPEN_HAT for hit in cast) == still_open
    assert [replace(hit, drum=OPEN_HAT) for hit in cast] == [
        replace(hit, drum=OPEN_HAT) for hit in hits
    ]


def test_a_hat_that_is_not_open_is_what_it_sounds_like_most() -> None:
    hits, activations = hats([-1.0] * 7 + [2.0])
    activations.drums[round(hits[-1].onset * RATE), DRUMS.index(PEDAL_HAT)] = 0.6
    assert [hit.drum for hit in cast_cymbals(hits, activations)] == [CLOSED_HAT] * 7 + [PEDAL_HAT]


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
    cast = cast_cymbals(hits, activations)
    assert [hit.drum for hit in cast] == [CLOSED_HAT] * 15
    assert [hit.onset for hit in cast] == [hit.onset for hit in hits]
    activations.drums[round(hits[6].onset * RATE), DRUMS.index(OPEN_HAT)] = 0.5
    assert [hit.drum for hit in cast_cymbals(hits, activations)].count(OPEN_HAT) == 1


def test_the_foot_makes_no_hat_of_a_ride() -> None:
    drums = [PEDAL_HAT] * 6 + [RIDE, PEDAL_HAT, RIDE_BELL] + [PEDAL_HAT] * 6
    hits, activations = stream(drums, [4.0] * 6 + [-1.0, 4.0, -1.0] + [4.0] * 6)
    assert list(cast_cymbals(hits, activations)) == hits


@pytest.mark.parametrize(("crashes", "left"), [(7, 7), (9, 0)])
def test_crowds_of_crashes_among_hats_are_hats(crashes: int, left: int) -> None:
    ends = [CLOSED_HAT] * 4
    drums = [*ends, *[CLOSED_HAT, CLOSED_HAT, CRASH, CLOSED_HAT] * crashes, *ends]
    hits, activations = stream(drums, [-1.0 if drum is CRASH else 3.0 for drum in drums])
    close = [replace(hit, onset=0.4 * hit.onset) for hit in hits]
    near = heard(close)
    for hit, moved in zip(hits, close, strict=True):
        near.classes[round(moved.onset * RATE)] = activations.classes[round(hit.onset * RATE)]
    assert sum(hit.drum is CRASH for hit in cast_cymbals(close, near)) == left
    assert len(cast_cymbals(close, near)) == len(hits)


def test_a_ride_that_a_hat_doubles_goes() -> None:
    hits, activations = stream([CLOSED_HAT] * 8, [4.0] * 8)
    doubled = by_onset([*hits, Hit(1.01, RIDE, 70, 0.6)])
    assert list(cast_cymbals(doubled, activations)) == hits


def test_no_foot_comes_down_twice_at_once() -> None:
    def left(gap: float, *confidences: float, others: Drum = PEDAL_HAT) -> list[float]:
        drums = (PEDAL_HAT, others, others)
        hits = [Hit(1.0 + i * gap, drums[i], 80, sure) for i, sure in enumerate(confidences)]
        cast = cast_cymbals(hits, heard(hits))
        assert set(cast) <= set(hits)
        return [hit.confidence for hit in cast]

    assert left(0.06, 0.9, 0.8) == [0.9]
    assert left(0.06, 0.8, 0.9) == [0.9]
    assert left(0.05, 0.7, 0.9, 0.8) == [0.9]
    assert left(0.06, 0.9, 0.9) == [0.9]
    assert left(0.06, 0.9, 0.9, 0.8) == [0.9, 0.8]  # 0.12 s after the one that stays
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
    assert [hit.drum for hit in cast_cymbals(hits, activations)] == drums


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
    return [hit.drum for hit in cast_cymbals(hits, activations)]


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
    cast = cast_cymbals(hits, heard(hits))
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
    assert list(cast_cymbals(hits, activations)) == hits


def cast_hats(drums: dict[int, Drum], kicks: tuple[int, ...], step: float = 0.15) -> list[Drum]:
    """What becomes of twelve even hats, closed but for some, beside kicks."""
    played = [Hit(1.0 + step * i, drums.get(i, CLOSED_HAT), 80) for i in range(12)]
    played += [Hit(1.0 + step * i, KICK, 100) for i in kicks]
    quiet = np.full((400, len(DRUMS)), 0.01, np.float32)
    cast = cast_cymbals(by_onset(played), Activations(quiet[:, :5], quiet, quiet, RATE))
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
    cast = cast_cymbals(by_onset(played), Activations(quiet[:, :5], quiet, quiet, RATE))
    assert [hit.onset for hit in cast if hit.drum is PEDAL_HAT] == [at[5]]
