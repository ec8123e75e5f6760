"""Beats in twos and in threes are told apart where the average bar is alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drum2midi.beats.metrical import Reading, fold
from drum2midi.beats.strokes import Strokes
from drum2midi.beats.threes import against_threes
from drum2midi.drums import CLOSED_HAT, KICK, SNARE, Drum
from drum2midi.transcription import Hit

BEAT = 0.7  # seconds
BEATS = 48


def strokes(hats: str, *, jitter: float = 0.0, drums: tuple[Drum, ...] = ()) -> Strokes:
    """Hats as written for some beats, and one of some drums on every beat in turn."""
    places = hats.split()
    hits = []
    for beat in range(BEATS):
        written = places[beat % len(places)]
        for place, mark in enumerate(written):
            if mark == "x":
                hits.append(Hit(BEAT * (beat + place / len(written)), CLOSED_HAT, 80))
        if drums:
            hits.append(Hit(BEAT * beat, drums[beat % len(drums)], 100))
    late = np.random.default_rng(0).normal(0, jitter, len(hits))
    return Strokes.of(
        [Hit(hit.onset + 1 + float(off), hit.drum, 90) for hit, off in zip(hits, late, strict=True)]
    )


def reading(count: int) -> Reading:
    return Reading(1 + BEAT * np.arange(-1.0, BEATS + 2), 1.0, 0.0, count, 0, BEAT)


def against(played: Strokes, counted: Reading) -> float:
    folded = fold(played, counted.pulse, counted.ratio, counted.offset)
    return against_threes(folded, counted)


@pytest.mark.parametrize("jitter", [0.0, 0.008, 0.012])
@pytest.mark.parametrize("count", [2, 4])
def test_beats_that_all_have_thirds_are_threes(count: int, jitter: float) -> None:
    played = strokes("xxx", jitter=jitter, drums=(KICK, SNARE))
    assert against(played, reading(count)) == 6.0


@pytest.mark.parametrize(
    "hats",
    ["xx", "xxxx", "x-x", "x", "xxx xxx xx xx", "xxx x", "xxxxxx", "xxxx xxx", "xxxxxxxxxxxx"],
)
def test_other_beats_are_not(hats: str) -> None:
    for jitter in (0.0, 0.01):
        played = strokes(hats, jitter=jitter, drums=(KICK, SNARE))
        assert against(played, reading(4)) == 0.0


def test_fast_beats_of_thirds_are_triplets() -> None:
    fast = replace(reading(4), period=0.63)
    assert against(strokes("xxx", drums=(KICK, SNARE)), fast) == 0.0


def test_a_half_time_shuffle_stays_in_twos() -> None:
    hats, ghosts = (strokes(written).times for written in ("x-x", "-x-"))
    hits = [*(Hit(t, CLOSED_HAT, 80) for t in hats), *(Hit(t, SNARE, 30) for t in ghosts)]
    assert against(Strokes.of(hits), reading(4)) == 0.0


def test_three_quarters_of_triplets_have_no_twin_in_dotted_quarters() -> None:
    assert against(strokes("xxx", drums=(KICK, SNARE)), reading(3)) == 0.0


@pytest.mark.parametrize(("drums", "nats"), [((KICK, SNARE), 3.0), ((KICK, SNARE, SNARE), 0.0)])
@pytest.mark.parametrize("count", [6, 12])
def test_eighths_in_turn_are_twos(count: int, drums: tuple[Drum, ...], nats: float) -> None:
    assert against(strokes("x", drums=drums), reading(count)) == nats
