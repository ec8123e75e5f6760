"""How loud strokes are by themselves: made-up spectra whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest

from drum2midi.drums import CLOSED_HAT, KICK, SNARE, Drum
from drum2midi.features import FeatureSettings
from drum2midi.transcription import Hit
from drum2midi.unmix import _ROUNDS, FLOOR_DB, _factorise, loudness_alone

SETTINGS = FeatureSettings()
BANDS = np.arange(SETTINGS.bands)
SHAPES = {
    KICK: 10.0 ** (-BANDS / 20.0),
    SNARE: np.exp(-(((BANDS - 40.0) / 25.0) ** 2)),
    CLOSED_HAT: 10.0 ** ((BANDS - 95.0) / 15.0),
}


def recording(
    played: list[tuple[float, Drum, float]], *, hum_db: float = -90.0
) -> tuple[list[Hit], np.ndarray]:
    """Strokes of (onset, drum, decibels), whose powers add up; each sounds for 80 ms."""
    seconds = max(onset for onset, _, _ in played) + 1.0
    power = np.full((int(seconds * SETTINGS.frame_rate), SETTINGS.bands), 10.0 ** (hum_db / 10.0))
    for onset, drum, decibels in played:
        start = round(onset * SETTINGS.frame_rate)
        power[start : start + 8] += (SHAPES[drum] * 10.0 ** (decibels / 20.0)) ** 2
    return [Hit(on, drum, 64) for on, drum, _ in played], np.log10(power).astype(np.float32) / 2.0


def song(seed: int) -> list[tuple[float, Drum, float]]:
    """A hat on every eighth, kicks and snares with some of them, levels at random."""
    rng = np.random.default_rng(seed)
    played = []
    for index in range(64):
        drums = [CLOSED_HAT, *{0: [KICK], 2: [SNARE]}.get(index % 4, [])]
        played += [(0.5 + index / 4, drum, float(rng.uniform(-18.0, 0.0))) for drum in drums]
    return played


@pytest.mark.parametrize("seed", range(3))
def test_each_drum_has_its_own_level_back(seed: int) -> None:
    played = song(seed)
    heard = loudness_alone(*recording(played), SETTINGS)
    true = np.array([decibels for _, _, decibels in played])
    for drum in (KICK, SNARE):
        own = [i for i, (_, which, _) in enumerate(played) if which == drum]
        assert np.corrcoef(heard[own], true[own])[0, 1] > 0.99
    # Of hats that come with a snare the mean level tells nothing.
    snares = {onset for onset, which, _ in played if which == SNARE}
    hats = [i for i, (on, which, _) in enumerate(played) if which == CLOSED_HAT and on in snares]
    _, features = recording(played)
    frames = [round(played[i][0] * SETTINGS.frame_rate) for i in hats]
    assert np.corrcoef(features[frames].mean(axis=1), true[hats])[0, 1] < 0.3
    assert np.corrcoef(heard[hats], true[hats])[0, 1] > 0.7


def test_the_factors_are_those_of_scikit_learn() -> None:
    decomposition = pytest.importorskip("sklearn.decomposition", reason="needs scikit-learn")
    rng = np.random.default_rng(0)
    rises, spectra = rng.uniform(0.1, 1.0, (12, 40)), rng.uniform(0.1, 1.0, (12, 3))
    gains = (rng.random((3, 40)) < 0.5).astype(float)
    gains[0, ~gains.any(axis=0)] = 1.0  # something is struck at each moment
    theirs, their_spectra, _ = decomposition.non_negative_factorization(
        rises.T, gains.T.copy(), spectra.T.copy(), n_components=3, init="custom", solver="mu",
        beta_loss="kullback-leibler", max_iter=_ROUNDS, tol=0.0,
    )  # fmt: skip
    our_spectra, ours = _factorise(rises, spectra, gains)
    np.testing.assert_allclose(ours, theirs.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(our_spectra, their_spectra.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ours[gains == 0.0], 0.0)


def test_the_order_of_hits_and_a_hum_do_not_matter() -> None:
    played = song(5)
    hits, features = recording(played)
    heard = loudness_alone(hits, features, SETTINGS)
    turned = loudness_alone(hits[::-1], features, SETTINGS)
    np.testing.assert_allclose(turned[::-1], heard, atol=1e-6)
    _, humming = recording(played, hum_db=-40.0)
    np.testing.assert_allclose(loudness_alone(hits, humming, SETTINGS), heard, atol=1.0)


def test_a_single_drum_is_as_loud_as_it_rises() -> None:
    hits, features = recording([(0.5, KICK, 0.0), (1.0, KICK, -6.0), (1.5, KICK, -12.0)])
    heard = loudness_alone(hits, features, SETTINGS)
    np.testing.assert_allclose(np.diff(heard), [-6.0, -6.0], atol=0.05)
    assert heard[0] == pytest.approx(20.0 * np.log10(SHAPES[KICK].sum()), abs=0.1)


def test_nothing_struck_and_nothing_heard() -> None:
    silence = np.full((300, SETTINGS.bands), -6.0, np.float32)
    assert loudness_alone([], silence, SETTINGS).shape == (0,)
    hits = [Hit(0.0, KICK, 64), Hit(1.0, SNARE, 64), Hit(3.5, KICK, 64)]  # the last after the end
    np.testing.assert_array_equal(loudness_alone(hits, silence, SETTINGS), FLOOR_DB)
