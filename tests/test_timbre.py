"""Timbre: what sounds as this recording's sure strokes do is believed, what does not is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drum2midi.drums import CLOSED_HAT, DRUMS, OPEN_HAT, SCORING_CLASSES
from drum2midi.model import Activations
from drum2midi.sides import FEWEST
from drum2midi.timbre import heed_timbre

RATE = 100.0
BANDS = 48
STEP = 25  # frames between moments
KD, SD, HH = (SCORING_CLASSES.index(name) for name in ("KD", "SD", "HH"))
SPECTRA = {
    "kick": np.where(np.arange(BANDS) < 12, 1.0, -1.0),
    "snare": np.where(np.arange(BANDS) % 24 > 8, 0.8, -1.0),
    "hat": np.where(np.arange(BANDS) > 34, 0.9, -1.0),
    "open": np.where(np.arange(BANDS) > 34, 0.9, -1.0),
}
OF = {"kick": KD, "snare": SD, "hat": HH, "open": HH}


def recording(
    played: list[tuple[str, dict[int, float], dict[int, float]]], *, seed: int = 0
) -> tuple[Activations, np.ndarray]:
    """What is played (its spectrum), and heights of classes and drums that are heard, by moment."""
    rng = np.random.default_rng(seed)
    frames = STEP * (len(played) + 1)
    features = np.full((frames, BANDS), -1.0) + rng.normal(0.0, 0.1, (frames, BANDS))
    classes = np.full((frames, len(SCORING_CLASSES)), 0.01, np.float32)
    drums = np.full((frames, len(DRUMS)), 0.01, np.float32)
    for number, (sound, heights, kinds) in enumerate(played):
        at = STEP * (number + 1)
        ring = 18 if sound == "open" else 4
        decay = np.exp(-np.arange(12) / ring)[:, None]
        features[at : at + 12] += decay * (SPECTRA[sound] + 1.0)
        for curves, values in ((classes, heights), (drums, kinds)):
            for column, height in values.items():
                curves[at - 1 : at + 2, column] = (height / 2, height, height / 2)
    return (
        Activations(classes, drums, np.full_like(drums, 0.5), RATE),
        features.astype(np.float32),
    )


def beat(number: int) -> tuple[str, dict[int, float], dict[int, float]]:
    """A moment of a plain beat, heard as surely as can be."""
    sound = ("kick", "hat", "snare", "hat")[number % 4]
    return sound, {OF[sound]: 0.95}, {}


def height_of(activations: Activations, number: int, column: int) -> float:
    return float(activations.classes[STEP * (number + 1), column])


@pytest.mark.parametrize("sound", ["kick", "snare", "hat"])
def test_a_doubtful_stroke_is_believed_if_it_sounds_as_the_sure_ones_do(sound: str) -> None:
    played = [beat(n) for n in range(40)]
    for other in ("kick", "snare", "hat"):
        played.append((sound, {OF[other]: 0.4, OF[sound]: 0.9 if other != sound else 0.4}, {}))
    activations, features = recording(played)
    moved = heed_timbre(activations, features, share=1.0)
    for number, other in enumerate(("kick", "snare", "hat"), 40):
        height = height_of(moved, number, OF[other])
        if other == sound:
            # About a logit up, from .4; about one down.
            assert height == pytest.approx(1 / (1 + 1.5 * np.exp(-1)), abs=0.08)
        else:
            assert height == pytest.approx(1 / (1 + 1.5 * np.exp(1)), abs=0.08)


def test_a_sure_mistake_does_not_speak_for_itself() -> None:
    played = [beat(n) for n in range(40)]
    played[20] = ("kick", {KD: 0.95, HH: 0.8}, {})  # a click in one kick, taken for a hat
    activations, features = recording(played)
    moved = heed_timbre(activations, features, share=1.0)
    assert height_of(moved, 20, HH) < 0.75
    assert height_of(moved, 20, KD) > 0.95


def test_open_hats_are_told_from_closed_ones_by_the_recordings_own() -> None:
    opened, closed = DRUMS.index(OPEN_HAT), DRUMS.index(CLOSED_HAT)
    played = []
    for number in range(24):
        sound = ("hat", "hat", "open")[number % 3]
        sure = {opened: 0.9 if sound == "open" else 0.02, closed: 0.02 if sound == "open" else 0.9}
        played.append((sound, {HH: 0.95}, sure))
    played += [("open", {HH: 0.95}, {opened: 0.4, closed: 0.5})]
    played += [("hat", {HH: 0.95}, {opened: 0.5, closed: 0.4})]
    activations, features = recording(played)
    drums = heed_timbre(activations, features, share=1.0).drums
    ringing, short = drums[STEP * 25], drums[STEP * 26]
    assert ringing[opened] > 0.55 > 0.4 > ringing[closed]
    assert short[closed] > 0.55 > 0.4 > short[opened]


def test_of_what_too_little_is_sure_nothing_is_learnt() -> None:
    played = [beat(n) for n in range(16)]
    played += [("snare", {SD: 0.4}, {})]
    only_hats = [(s, {OF[s]: h[OF[s]] if s == "hat" else 0.5}, {}) for s, h, _ in played[:-1]]
    activations, features = recording([*only_hats, played[-1]])
    moved = heed_timbre(activations, features, share=1.0)
    np.testing.assert_array_equal(moved.classes[:, SD], activations.classes[:, SD])
    assert not np.array_equal(moved.classes[:, HH], activations.classes[:, HH])
    np.testing.assert_array_equal(moved.drums, activations.drums)
    np.testing.assert_array_equal(moved.velocities, activations.velocities)


def test_nothing_moves_without_a_share_or_without_moments() -> None:
    activations, features = recording([beat(n) for n in range(16)])
    assert heed_timbre(activations, features, share=0.0) is activations
    few, spectra = recording([beat(n) for n in range(2 * FEWEST - 1)])
    assert heed_timbre(few, spectra, share=1.0) is few
    none = Activations(*(np.zeros((0, n), np.float32) for n in (5, 12, 12)), RATE)
    assert heed_timbre(none, np.zeros((0, BANDS), np.float32), share=1.0) is none


def test_sounds_that_are_all_the_same_teach_nothing() -> None:
    activations, features = recording([beat(n) for n in range(16)])
    moved = heed_timbre(activations, np.full_like(features, -1.0), share=1.0)
    np.testing.assert_array_equal(moved.classes, activations.classes)
    np.testing.assert_array_equal(moved.drums, activations.drums)


@pytest.mark.parametrize("bands", [1, 20, 24, 48])
def test_features_may_have_few_bands(bands: int) -> None:
    activations, features = recording([beat(n) for n in range(16)])
    moved = heed_timbre(activations, features[:, -bands:], share=1.0)
    assert np.isfinite(moved.classes).all()


@given(st.integers(0, 2**31), st.integers(0, 60), st.floats(0.1, 3.0))
@settings(max_examples=40, deadline=None)
def test_activations_stay_activations(seed: int, moments: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    frames = 20 * moments + 5
    activations = Activations(
        rng.uniform(0, 1, (frames, 5)).astype(np.float32) ** 3,
        rng.uniform(0, 1, (frames, 12)).astype(np.float32) ** 3,
        rng.uniform(0, 1, (frames, 12)).astype(np.float32),
        RATE,
    )
    before = activations.classes.copy()
    moved = heed_timbre(activations, rng.normal(size=(frames, 96)).astype(np.float32), share=share)
    np.testing.assert_array_equal(activations.classes, before)
    for new, old in ((moved.classes, activations.classes), (moved.drums, activations.drums)):
        assert new.shape == old.shape
        assert new.dtype == np.float32
        assert np.isfinite(new).all()
        assert new.min() >= 0.0
        assert new.max() <= 1.0
