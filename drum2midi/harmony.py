"""Harmony: how much the chord changes at a moment, which it likes to do at barlines.

What the drums leave open, on which beat a bar begins, the rest of a band often tells:
chord changes as evidence of downbeats, as in Goto (Journal of New Music Research 2001).
Chords are not named; the pitch classes heard before a moment are compared with those
after it. Where only drums play, next to nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SAMPLE_RATE: Final = 11025
"""Hertz of the audio to listen to."""

SPAN: Final = 1.0
"""Seconds before and after a moment that are compared."""

_WINDOW: Final = 4096  # samples; long enough to tell semitones apart and to blur drums
_HOP: Final = 1024
_RANGE: Final = (90.0, 2000.0)  # hertz
_QUIET: Final = 1e-3  # amplitude of a sinusoid below which it hardly counts
_AROUND: Final = 31  # bins; what is no louder than the mean of so many is no tone
_A4: Final = 440.0


@dataclass(frozen=True)
class Harmony:
    """Pitch classes over time.

    Attributes
    ----------
    frames : array of float32, shape (frames, 12)
        How strongly each pitch class sounds around each frame's time.
    rate : float
        Frames a second; the first is at time 0.
    """

    frames: NDArray[np.float32]
    rate: float

    @property
    def duration(self) -> float:
        """Seconds of audio, to a frame."""
        return (len(self.frames) - 1) / self.rate

    def change(self, times: ArrayLike) -> NDArray[np.float64]:
        """How much the harmony after some moments differs from that before them, `SPAN` each way.

        Parameters
        ----------
        times : array_like
            Seconds.

        Returns
        -------
        array, shape of `times`
            0 where nothing changes or is heard, to 1 (cosine distance).
        """
        total, last = self._total, len(self.frames)
        at = np.clip(np.round(np.asarray(times) * self.rate).astype(np.int64), 0, last)
        reach = max(1, round(SPAN * self.rate))
        before = total[at] - total[np.maximum(at - reach, 0)]
        after = total[np.minimum(at + reach, last)] - total[at]
        size = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
        alike = (before * after).sum(-1) / np.maximum(size, 1e-12)
        return np.where(size > 0, 1.0 - np.minimum(alike, 1.0), 0.0)

    @cached_property
    def _total(self) -> NDArray[np.float64]:
        """Sums of all frames before each; shape (frames + 1, 12)."""
        return np.vstack([np.zeros(12), np.cumsum(self.frames, axis=0, dtype=np.float64)])


def hear_harmony(blocks: Iterable[NDArray[np.float32]]) -> Harmony:
    """Pitch classes of a recording.

    Parameters
    ----------
    blocks : iterable of array of float32, shape (n,)
        Mono audio at `SAMPLE_RATE`; see `drum2midi.audio.stream_audio`.

    Returns
    -------
    Harmony
    """
    frames = np.concatenate([_pitch_classes(windows) for windows in _windows(blocks)])
    return Harmony(frames, SAMPLE_RATE / _HOP)


def _windows(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Overlapping windows, some at a time; shape (windows, samples)."""
    edge = np.zeros(_WINDOW // 2, np.float32)
    left = edge
    for block in chain(blocks, [edge]):
        samples = np.concatenate([left, block])
        count = max(0, (len(samples) - _WINDOW) // _HOP + 1)
        if count:
            yield np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[: count * _HOP : _HOP]
        left = samples[count * _HOP :]


def _pitch_classes(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strength of each pitch class in some windows; shape (windows, 12)."""
    window, bins, folding = _tables()
    spectrum = np.abs(scipy.fft.rfft(windows * window, axis=1)[:, bins])
    loud = np.log1p(spectrum / _QUIET)
    tones = np.maximum(loud - uniform_filter1d(loud, _AROUND, axis=1, mode="nearest"), 0.0)
    return np.asarray(tones @ folding, dtype=np.float32)


@cache
def _tables() -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """The window, the bins within range, and the pitch class of each of these."""
    window = np.hanning(_WINDOW)
    hertz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE)
    bins = np.flatnonzero((hertz > _RANGE[0]) & (hertz < _RANGE[1]))
    classes = np.round(12 * np.log2(hertz[bins] / _A4)).astype(np.int64) % 12
    folding = np.eye(12, dtype=np.float32)[classes]
    return np.asarray(window / (window.sum() / 2), dtype=np.float32), bins, folding
