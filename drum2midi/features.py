"""Features: what the network sees of the audio, a log-mel spectrogram.

Levels are relative to the recording itself, so that a quiet and a loud copy of
one file look the same. Frame ``i`` is centred on sample ``i * hop``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIBELS: Final = 20.0
"""Of one unit of the features."""

QUIET_FRAMES: Final = 30
"""Frames of silence that `in_silence` puts before and after."""

_CHUNK_FRAMES: Final = 2048
_FFT_FRAMES: Final = 256
_REFERENCE_PERCENTILE: Final = 90.0
_QUIETEST: Final = np.float32(0.06)
"""Least reference, relative to the loudest frame's power; in songs it is more."""

_SILENCE: Final = 1e-5
"""Power in a mel band of a recording's loud frames below which it holds nothing:
a full-scale sine has about 1e5, the dither of a 16-bit file 1e-7."""


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Parameters of the log-mel spectrogram; stored in the model file.

    Attributes
    ----------
    sample_rate : int
        Hertz.
    window, hop : int
        Samples in a Hann window, and between frames.
    bands : int
        Mel bands between ``low`` and ``high`` hertz.
    floor_db : float
        Levels this far below the recording's loud frames are all alike.
    """

    sample_rate: int = 44100
    window: int = 2048
    hop: int = 441
    bands: int = 96
    low: float = 30.0
    high: float = 17000.0
    floor_db: float = -70.0

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop


def in_silence(
    blocks: Iterable[NDArray[np.float32]], settings: FeatureSettings
) -> Iterator[NDArray[np.float32]]:
    """Blocks of audio with a short silence before and after them, of `QUIET_FRAMES` frames.

    Of a stroke with which a loop begins, a network that sees nothing before it cannot hear that
    it began then.
    """
    quiet = np.zeros(QUIET_FRAMES * settings.hop, np.float32)
    return chain([quiet], blocks, [quiet])


def log_mel(
    blocks: Iterable[NDArray[np.float32]], settings: FeatureSettings
) -> NDArray[np.float32]:
    """Features of a whole recording, which comes in blocks.

    Parameters
    ----------
    blocks : iterable of float32 arrays
        Consecutive mono audio at ``settings.sample_rate``; never held as a whole.
    settings : FeatureSettings

    Returns
    -------
    float32, shape (1 + samples // hop, bands)
        About -2 (nothing) to 2 (the loudest).
    """
    return normalise(mel_power(blocks, settings), settings)


def mel_power(
    blocks: Iterable[NDArray[np.float32]], settings: FeatureSettings
) -> NDArray[np.float32]:
    """Power in mel bands, of audio that comes in blocks of any length.

    Parameters
    ----------
    blocks : iterable of float32 arrays
        Consecutive mono audio at ``settings.sample_rate``; never held as a whole.
    settings : FeatureSettings

    Returns
    -------
    float32, shape (1 + samples // hop, bands)
        As if zeros surrounded the audio.

    Raises
    ------
    ValueError
        If a block is a single sample, or stereo.
    """
    window, hop = settings.window, settings.hop
    half = window // 2
    needed = window + (_CHUNK_FRAMES - 1) * hop
    pending, samples, parts = np.zeros(half, np.float32), 0, []
    for block in blocks:
        if np.ndim(block) != 1:
            raise ValueError(f"a block is {np.ndim(block)}-dimensional; give blocks of mono audio")
        samples += len(block)
        pending = np.concatenate((pending, block))
        while len(pending) >= needed:
            parts.append(_mel_frames(pending[:needed], settings))
            pending = pending[_CHUNK_FRAMES * hop :]
    left = 1 + samples // hop - _CHUNK_FRAMES * len(parts)
    if left > 0:
        length = window + (left - 1) * hop
        padded = np.pad(pending, (0, max(0, length - len(pending))))
        parts.append(_mel_frames(padded[:length], settings))
    return np.concatenate(parts)


def _mel_frames(samples: NDArray[np.float32], settings: FeatureSettings) -> NDArray[np.float32]:
    views = np.lib.stride_tricks.sliding_window_view(samples, settings.window)[:: settings.hop]
    power = np.empty((len(views), settings.bands), np.float32)
    taper, filters = _hann(settings.window), mel_filters(settings)
    for first in range(0, len(views), _FFT_FRAMES):
        frames = slice(first, first + _FFT_FRAMES)
        spectrum = scipy.fft.rfft(views[frames] * taper, axis=1)
        power[frames] = (spectrum.real**2 + spectrum.imag**2) @ filters
    return power


def normalise(power: NDArray[np.float32], settings: FeatureSettings) -> NDArray[np.float32]:
    """Decibels relative to the recording's loud frames, scaled to about -2 to 2.

    A recording without any loud frame, silence, comes out flat at the floor.
    """
    features = np.full_like(power, (settings.floor_db + 30.0) / DECIBELS)
    reference = reference_level(power)
    if reference > _SILENCE:
        floor = np.float32(10.0 ** (settings.floor_db / 10.0))
        # In pieces: an hour's worth of temporary arrays would be a gigabyte.
        for first in range(0, len(power), _CHUNK_FRAMES):
            some = slice(first, first + _CHUNK_FRAMES)
            level_db = 10.0 * np.log10(power[some] / reference + floor)
            features[some] = (level_db + 30.0) / DECIBELS
    return features


def reference_level(power: NDArray[np.float32]) -> np.float32:
    """The level of a recording's loud frames, of power (frames, bands)."""
    loudest = power.max(axis=1)
    # Where drums sound in a few bars only, the percentile is that of the silence around them.
    percentile = np.float32(np.percentile(loudest, _REFERENCE_PERCENTILE))
    return np.float32(max(percentile, _QUIETEST * loudest.max()))


@lru_cache(maxsize=8)
def mel_filters(settings: FeatureSettings) -> NDArray[np.float32]:
    """Triangles on Slaney's mel scale, each summing to 1; shape (window // 2 + 1, bands).

    The scale is that of M. Slaney's Auditory Toolbox (1998), as in librosa with
    ``htk=False``; the normalisation makes white noise equally loud in all bands.
    """
    bins = np.fft.rfftfreq(settings.window, 1.0 / settings.sample_rate)
    edges = _to_hertz(_mel_edges(settings))
    rising = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(weights / weights.sum(axis=0), np.float32)


def shifted_bands(settings: FeatureSettings, semitones: float) -> NDArray[np.float64]:
    """Where every band was before all that sounds became so much higher; shape (bands,).

    In bands and parts of one, from the middle of the lowest; below it and above the highest
    there are none.
    """
    mel = _mel_edges(settings)
    middles = _to_hertz(mel[1:-1]) * 2.0 ** (-semitones / 12.0)
    return np.asarray((_to_mel(middles) - mel[1]) / (mel[1] - mel[0]), np.float64)


def _mel_edges(settings: FeatureSettings) -> NDArray[np.float64]:
    low, high = _to_mel(np.array([settings.low, settings.high]))
    return np.asarray(np.linspace(low, high, settings.bands + 2), np.float64)


_HERTZ_PER_MEL: Final = 200.0 / 3.0
_LOG_START: Final = 1000.0
_LOG_STEP: Final = np.log(6.4) / 27.0


def _to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = np.log(np.maximum(hertz, _LOG_START) / _LOG_START) / _LOG_STEP
    return np.asarray(np.minimum(hertz, _LOG_START) / _HERTZ_PER_MEL + above, np.float64)


def _to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    knee = _LOG_START / _HERTZ_PER_MEL
    return np.where(mel < knee, mel * _HERTZ_PER_MEL, _LOG_START * np.exp(_LOG_STEP * (mel - knee)))


@lru_cache(maxsize=4)
def _hann(length: int) -> NDArray[np.float32]:
    phase = 2.0 * np.pi * np.arange(length) / length
    return np.asarray(0.5 - 0.5 * np.cos(phase), np.float32)
