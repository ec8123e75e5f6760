"""Velocities that compare a stroke with the others of its class."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from drum2midi.drums import CRASH, KICK, SCORING_CLASSES, SNARE, Drum
from drum2midi.dynamics import BANDS, FEWEST, TOLD, WEIGHTS, Dynamics, describe_strokes, weigh
from drum2midi.features import FeatureSettings
from drum2midi.model import PickSettings, describe
from drum2midi.transcription import Hit

SETTINGS = FeatureSettings()
KEEPS = (1.0,) + (0.0,) * (WEIGHTS - 1)


def dynamics(**rows: tuple[float, ...]) -> Dynamics:
    return Dynamics(tuple(rows.get(name, KEEPS) for name in SCORING_CLASSES))


def strokes(drum: Drum, levels: list[float]) -> tuple[list[Hit], np.ndarray]:
    """One stroke a second, each so many units above a floor of -2 in the lowest group."""
    features = np.full((100 * (len(levels) + 1), SETTINGS.bands), -2.0, np.float32)
    hits = []
    for index, level in enumerate(levels):
        frame = 50 + 100 * index
        features[frame : frame + 10, : SETTINGS.bands // BANDS] += level
        hits.append(Hit(frame / 100, drum, 60 + index))
    return hits, features


def test_what_a_stroke_is_told_by() -> None:
    hits, features = strokes(KICK, [1.0, 0.5])
    told = describe_strokes(hits, [0, 1], np.array([-3.0, -9.0]), features, SETTINGS)
    assert told.shape == (2, WEIGHTS)
    assert told[:, 0].tolist() == [60, 61]
    np.testing.assert_allclose(told[:, 1], [-20.0, -30.0])  # 20 dB a unit
    np.testing.assert_allclose(told[:, 2:13], -40.0)
    np.testing.assert_allclose(told[:, 13], [20.0, 10.0])
    np.testing.assert_allclose(told[:, 14 : TOLD - 1], 0.0)
    assert told[:, TOLD - 1].tolist() == [-3.0, -9.0]
    np.testing.assert_allclose(told[:, TOLD : TOLD + 2], [[0.25, 0.75], [0.75, 0.25]])
    np.testing.assert_allclose(told[:, TOLD + 2 : TOLD + 13], 0.5)  # all alike
    np.testing.assert_allclose(told[:, 2 * TOLD - 1], [0.75, 0.25])
    assert not told[:, 2 * TOLD :].any()  # nothing is struck with it


def test_what_is_struck_with_a_stroke() -> None:
    hits, features = strokes(KICK, [1.0, 0.5])
    together = [
        hits[0],
        replace(hits[0], drum=SNARE, onset=hits[0].onset + 0.02),
        hits[1],
        replace(hits[1], onset=hits[1].onset + 0.02),
        replace(hits[1], drum=CRASH, onset=hits[1].onset - 0.04),
    ]
    told = describe_strokes(together, [0, 2], np.zeros(5), features, SETTINGS)
    assert SCORING_CLASSES == ("KD", "SD", "TT", "HH", "CY")
    assert told[:, 2 * TOLD :].tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]


def test_what_is_struck_with_it_is_weighed() -> None:
    hits, features = strokes(SNARE, [0.5] * FEWEST)
    flat = [replace(hit, velocity=64) for hit in hits]
    kicks = [replace(hit, drum=KICK) for hit in flat[::2]]
    softer = (0.0,) * (2 * TOLD) + (-20.0,) + (0.0,) * (len(SCORING_CLASSES) - 1)
    weighed = weigh([*flat, *kicks], features, SETTINGS, dynamics(SD=softer))
    assert [hit.velocity for hit in weighed[:FEWEST]] == [54, 74] * (FEWEST // 2)


def test_louder_among_its_like_is_struck_harder() -> None:
    levels = [0.2 * i for i in range(FEWEST)]
    hits, features = strokes(SNARE, levels)
    flat = [replace(hit, velocity=64) for hit in hits]
    by_level = (0.0, 3.0) + (0.0,) * (WEIGHTS - 2)
    weighed = weigh(flat, features, SETTINGS, dynamics(SD=by_level))
    # 4 dB apart, three velocities a decibel, about the mean.
    expected = [64 + 12 * (i - (FEWEST - 1) / 2) for i in range(FEWEST)]
    assert [hit.velocity for hit in weighed] == [round(v) for v in expected]
    assert [(hit.onset, hit.drum) for hit in weighed] == [(hit.onset, hit.drum) for hit in hits]
    loud = (0.0, 90.0) + (0.0,) * (WEIGHTS - 2)
    extremes = weigh(flat, features, SETTINGS, dynamics(SD=loud))
    assert {hit.velocity for hit in extremes} == {1, 127}


def test_a_limiter_leaves_ranks() -> None:
    hits, features = strokes(SNARE, [0.01 * i for i in range(FEWEST)])  # 0.2 dB apart
    by_rank = (0.0,) * (TOLD + 1) + (64.0,)
    by_rank += (0.0,) * (WEIGHTS - len(by_rank))
    flat = [replace(hit, velocity=64) for hit in hits]
    weighed = weigh(flat, features, SETTINGS, dynamics(SD=by_rank))
    assert [hit.velocity for hit in weighed] == [36 + 8 * i for i in range(FEWEST)]


def test_few_strokes_and_other_classes_stay_as_they_are() -> None:
    hits, features = strokes(SNARE, [0.1 * i for i in range(FEWEST)])
    by_level = (0.0, 3.0) + (0.0,) * (WEIGHTS - 2)
    assert weigh(hits[1:], features, SETTINGS, dynamics(SD=by_level)) == tuple(hits[1:])
    assert weigh(hits, features, SETTINGS, dynamics(KD=by_level)) == tuple(hits)


def test_strokes_at_either_end_of_a_recording() -> None:
    hits, features = strokes(KICK, [0.5] * FEWEST)
    edges = [Hit(0.0, KICK, 60), *hits[1:-1], Hit(len(features) / 100 + 0.01, KICK, 60)]
    assert len(weigh(edges, features, SETTINGS, dynamics())) == FEWEST


def test_the_model_file_holds_them() -> None:
    stored = json.loads(describe(SETTINGS, PickSettings(), {}, dynamics()))["dynamics"]
    assert Dynamics(tuple(map(tuple, stored["weights"]))) == dynamics()
    assert "dynamics" not in json.loads(describe(SETTINGS, PickSettings(), {}))
    with pytest.raises(ValueError, match=f"dynamics need {WEIGHTS} weights for each class"):
        Dynamics(((1.0,),) * len(SCORING_CLASSES))
