"""Unmix: how loud each stroke is by itself, where others are struck with it.

Score-informed non-negative matrix factorisation: what the spectrum rises by at each moment is
explained as a sum of the drums that are struck there, each with one spectrum throughout the
recording, learnt from it. Multiplicative updates for the Kullback-Leibler divergence (Lee and
Seung, "Algorithms for non-negative matrix factorization", 2001) keep at nothing what begins there,
so the hits say which drum may explain which moment (Ewert and Müller, "Using score-informed
constraints for NMF-based source separation", 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.features import DECIBELS, FeatureSettings
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOGETHER: Final = 0.03
"""Seconds within which strokes make one moment."""

FLOOR_DB: Final = -60.0
"""Of a stroke of which nothing is heard."""

_AFTER: Final = (0, 4)  # frames from a moment on in which it is loudest
_BEFORE: Final = (-4, -1)  # and before it, which tell what sounded already
_LEAST: Final = 1e-3  # of the power there that counts as its rise, where nothing rises
_ROUNDS: Final = 30
_ALONE: Final = 3  # moments of a drum alone from which its spectrum begins
_TINY: Final = 1e-9


def loudness_alone(
    hits: Sequence[Hit], features: NDArray[np.float32], settings: FeatureSettings
) -> NDArray[np.float64]:
    """How loud each stroke is without what is struck with it.

    Parameters
    ----------
    hits : sequence of Hit
        All that are heard in a recording, in any order.
    features : float32, shape (frames, bands)
        Of the recording.
    settings : FeatureSettings
        What they were made with.

    Returns
    -------
    float64, shape (hits,)
        Decibels of the sum over bands of the spectrum's square roots; `FLOOR_DB` or more.
    """
    if not hits:
        return np.zeros(0)
    onsets = np.array([hit.onset for hit in hits])
    drums, drum = np.unique([hit.drum.midi for hit in hits], return_inverse=True)
    moments, moment = _moments(onsets)
    rises = _rises(moments * settings.frame_rate, features)
    struck = np.zeros((len(drums), len(moments)), bool)
    struck[drum, moment] = True
    spectra, gains = _factorise(rises, _first_spectra(rises, struck), struck.astype(np.float64))
    sums = gains[drum, moment] * spectra.sum(axis=0)[drum]
    return np.asarray(np.maximum(20.0 * np.log10(sums + _TINY), FLOOR_DB))


def _moments(onsets: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """When something is struck, and at which of these each stroke is."""
    order = np.argsort(onsets, kind="stable")
    times: list[float] = []
    at = np.zeros(len(onsets), np.intp)
    for index in order:
        if not times or onsets[index] - times[-1] > TOGETHER:
            times.append(float(onsets[index]))
        at[index] = len(times) - 1
    return np.array(times), at


def _rises(at: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Square roots of what each band's power rises by at some frames, (bands, moments)."""

    def power(window: tuple[int, int]) -> NDArray[np.float64]:
        frames = np.round(at).astype(int)[:, None] + np.arange(*window)
        heard = features[np.clip(frames, 0, len(features) - 1)].astype(np.float64)
        return np.asarray(10.0 ** (DECIBELS / 10.0 * heard))

    after, before = power(_AFTER).max(axis=1), power(_BEFORE).mean(axis=1)
    return np.asarray(np.sqrt(np.maximum(after - before, _LEAST * after)).T)


def _first_spectra(rises: NDArray[np.float64], struck: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A spectrum (bands, drums) for each row of `struck`, from where it is alone if it ever is."""
    spectra = rises @ struck.T / struck.sum(axis=1) + _TINY
    shapes = rises / (rises.sum(axis=0) + _TINY)
    single = struck & (struck.sum(axis=0) == 1)
    for row, spectrum in zip(single, spectra.T, strict=True):
        if row.sum() >= _ALONE:
            spectrum[:] = np.median(shapes[:, row], axis=1) * rises[:, row].sum(axis=0).mean()
            spectrum += _TINY
    return np.asarray(spectra)


def _factorise(
    rises: NDArray[np.float64], spectra: NDArray[np.float64], gains: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spectra (bands, drums) and gains (drums, moments) whose product comes near `rises`.

    Those given are what to begin from, and stay as they are.
    """
    for _ in range(_ROUNDS):
        missing = rises / (spectra @ gains + _TINY)
        gains = gains * ((spectra.T @ missing) / spectra.sum(axis=0)[:, None])
        missing = rises / (spectra @ gains + _TINY)
        spectra = spectra * ((missing @ gains.T) / (gains.sum(axis=1) + _TINY))
    return spectra, gains
