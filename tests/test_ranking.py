"""Ranking: readings by all strokes, and the likely ones by halves of them as well."""

from __future__ import annotations

import numpy as np
import pytest

from drum2midi.beats import ranking
from drum2midi.beats.metrical import PERIODS, Reading, rank, readings
from drum2midi.beats.ranking import rank_readings
from drum2midi.beats.strokes import Strokes
from drum2midi.drums import CLOSED_HAT, KICK, SNARE
from drum2midi.transcription import Hit

BEAT = 0.5
BARS = 12


def rock(*, without: frozenset[int] = frozenset()) -> Strokes:
    """Eighths on the hat, kick on one and three, snare on two and four; less some strokes."""
    hits = []
    for eighth in range(8 * BARS):
        time = eighth * BEAT / 2
        hits.append(Hit(time, CLOSED_HAT, 80, 0.9))
        if eighth % 2 == 0:
            hits.append(Hit(time, SNARE if eighth % 4 else KICK, 100, 0.8))
    return Strokes.of([hit for index, hit in enumerate(hits) if index not in without])


PULSE = np.arange(-1, 4 * BARS + 2) * BEAT


def best_of(ranked: list[tuple[list[Reading], np.ndarray]]) -> Reading:
    level, scores = max(ranked, key=lambda one: float(one[1].max()))
    return level[int(np.argmax(scores))]


def test_every_reading_has_a_score() -> None:
    ranked = rank_readings(rock(), PULSE, limits=PERIODS)
    expected = [level for level, _ in readings(rock(), PULSE, limits=PERIODS)]
    assert [[(r.ratio, r.offset, r.count, r.downbeat) for r in level] for level, _ in ranked] == [
        [(r.ratio, r.offset, r.count, r.downbeat) for r in level] for level in expected
    ]
    assert all(scores.shape == (len(level),) for level, scores in ranked)


@pytest.mark.parametrize("seed", range(5))
def test_the_bar_is_found_though_a_fifth_of_the_strokes_is_missing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    missing = frozenset(rng.choice(12 * BARS, 12 * BARS // 5, replace=False).tolist())
    best = best_of(rank_readings(rock(without=missing), PULSE, limits=PERIODS))
    assert (best.ratio, best.offset, best.count) == (1, 0, 4)
    # A kick opens the bar: the first and the third beat both have one.
    assert (best.downbeat - 1) % 2 == 0


def test_likely_readings_have_the_mean_of_all_and_of_halves() -> None:
    strokes = rock()
    ranked = rank_readings(strokes, PULSE, limits=PERIODS)
    juries = [strokes, *ranking._halves(strokes)]
    described = [
        [rank(describe()) for _, describe in readings(jury, PULSE, limits=PERIODS)]
        for jury in juries
    ]
    top = max(scores.max() for scores in described[0])
    likely = [scores.max() > top - ranking._HOPELESS for scores in described[0]]
    assert 0 < sum(likely) < len(likely)
    means = [np.mean([jury[index] for jury in described], axis=0) for index in range(len(ranked))]
    fall = max(mean.max() for mean, one in zip(means, likely, strict=True) if one) - top
    for index, (_, scores) in enumerate(ranked):
        expected = means[index] if likely[index] else described[0][index] + fall
        np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_the_same_hearing_twice_is_as_one() -> None:
    once = rank_readings(rock(), PULSE, limits=PERIODS)
    twice = rank_readings(rock(), PULSE, limits=PERIODS, doubted=rock())
    for (_, scores), (_, others) in zip(once, twice, strict=True):
        np.testing.assert_allclose(others, scores, rtol=1e-6, atol=1e-6)


def test_a_second_hearing_counts_as_much_reading_for_reading() -> None:
    strokes = rock()
    # A stroke more, a beat before all others: its readings begin with another beat.
    doubted = Strokes.of([Hit(-BEAT, SNARE, 60, 0.5), *as_hits(strokes)])
    ranked = rank_readings(strokes, PULSE, limits=PERIODS, doubted=doubted)
    juries = [strokes, *ranking._halves(strokes), doubted, *ranking._halves(doubted)]
    scores: dict[tuple[float, float, int, int], list[float]] = {}
    for jury in juries:
        for level, describe in readings(jury, PULSE, limits=PERIODS):
            for reading, score in zip(level, rank(describe()), strict=True):
                scores.setdefault(named(reading), []).append(float(score))
    assert {len(each) for each in scores.values()} == {len(juries)}
    best = best_of(ranked)
    top = max(float(one.max()) for _, one in ranked)
    assert top == pytest.approx(np.mean(scores[named(best)]))
    level = next(level for level, _ in ranked if best in level)
    values = next(one for level, one in ranked if best in level)
    assert values == pytest.approx([np.mean(scores[named(reading)]) for reading in level])


def named(reading: Reading) -> tuple[float, float, int, int]:
    """What tells a reading from others of one pulse, whichever beat it is counted from."""
    return reading.ratio, reading.offset, reading.count, reading.downbeat % reading.count


def as_hits(strokes: Strokes) -> list[Hit]:
    drums = {0: KICK, 1: SNARE, 4: CLOSED_HAT}
    return [
        Hit(float(time), drums[int(drum)], round(127 * float(loud)), float(weight))
        for time, drum, loud, weight in zip(
            strokes.times, strokes.classes, strokes.loudness, strokes.weights, strict=True
        )
    ]


def test_halves_come_in_pairs_that_share_no_stroke() -> None:
    strokes = rock()
    before = strokes.weights.copy()
    halves = list(ranking._halves(strokes))
    assert len(halves) == 2 * ranking._PAIRS
    for one, other in zip(halves[::2], halves[1::2], strict=True):
        np.testing.assert_array_equal(one.times, strokes.times)
        np.testing.assert_array_equal(one.classes, strokes.classes)
        full = np.stack([one.weights, other.weights]) == strokes.weights
        np.testing.assert_array_equal(full.sum(axis=0), 1)
        assert abs(int(full[0].sum()) - int(full[1].sum())) <= 1
    assert not np.array_equal(halves[0].weights, halves[2].weights)
    np.testing.assert_array_equal(strokes.weights, before)


def test_a_pulse_that_no_metre_fits_has_no_readings() -> None:
    assert rank_readings(rock(), PULSE, limits={4: (9.0, 10.0)}) == []
