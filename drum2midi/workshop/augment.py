"""Augmentation: a recording as it might have sounded, by audiomentations, with its labels.

Noise, gain and a little pitch leave the labels as they are; a shift in time moves them,
and strokes under a time mask are gone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.workshop.material import Stroke

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLIP_SECONDS: Final = 3.0
"""What is shorter is a clip of one hit, whose beginning must not come to its end."""

_ATTACK: Final = 0.05
"""Seconds of a stroke that must be heard for its label to stand."""

_PEAK: Final = 0.99


def augment(
    samples: NDArray[np.float32], strokes: Sequence[Stroke], *, rate: int, seed: int
) -> tuple[NDArray[np.float32], tuple[Stroke, ...]]:
    """One variant of a recording.

    Parameters
    ----------
    samples : float32, shape (n,)
    strokes : sequence of Stroke
    rate : int
        Hertz.
    seed : int
        The same seed gives the same samples.

    Returns
    -------
    float32, shape (n,)
        Peak below 1.
    tuple of Stroke
        By onset.
    """
    with _seeded(seed):
        shift, pitch, mask, gain, noise = _transforms(len(samples) / rate)
        audio = shift(samples, sample_rate=rate)
        moved = _shifted(strokes, shift, len(samples), rate)
        audio = pitch(audio, sample_rate=rate)
        masked = mask(audio, sample_rate=rate)
        left = _unmasked(moved, mask, rate)
        # A clip whose only hit is masked would be a clip of nothing.
        if left is not None and (left or not moved):
            audio, moved = masked, left
        audio = noise(gain(audio, sample_rate=rate), sample_rate=rate)
    audio = np.asarray(audio, np.float32)
    loudest = float(np.abs(audio).max(initial=0.0))
    if loudest > _PEAK:
        audio = audio * np.float32(_PEAK / loudest)
    return audio, moved


def _transforms(seconds: float) -> tuple[Any, ...]:
    import audiomentations as am

    if seconds < _CLIP_SECONDS:
        shift = am.Shift(0.0, 0.05, shift_unit="seconds", p=0.5)
    else:
        shift = am.Shift(-0.5, 0.5, shift_unit="fraction", p=0.5)
    return (
        shift,
        am.PitchShift(-1.0, 1.0, p=0.5),
        am.TimeMask(0.01, 0.1, p=0.3),
        am.Gain(-12.0, 6.0, p=1.0),  # always something: no variant is a copy
        am.AddGaussianNoise(0.0003, 0.006, p=0.5),
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Audiomentations draws from the global generators; give them back as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _shifted(strokes: Sequence[Stroke], shift: Any, length: int, rate: int) -> tuple[Stroke, ...]:
    if not shift.parameters["should_apply"]:
        return tuple(strokes)
    amount = shift.parameters["shift_amount"]
    samples = round(amount * (length if shift.shift_unit == "fraction" else rate))
    seconds = length / rate
    moved = [
        replace(s, onset=(s.onset + samples / rate) % seconds)
        for s in strokes
        if s.onset < seconds  # a label may lie a little behind the end
    ]
    return tuple(sorted(moved, key=lambda stroke: stroke.onset))


def _unmasked(strokes: Sequence[Stroke], mask: Any, rate: int) -> tuple[Stroke, ...] | None:
    """The strokes that a mask leaves; None if it cuts one short."""
    if not mask.parameters["should_apply"]:
        return tuple(strokes)
    start = mask.parameters["t0"] / rate
    end = start + mask.parameters["t"] / rate
    if any(start - _ATTACK < stroke.onset < start for stroke in strokes):
        return None
    return tuple(s for s in strokes if s.onset < start or s.onset >= end)
