"""Examples: pieces mixed anew and cut into short crops with targets.

Mixing happens on mel powers, which add up nearly as the sounds themselves do;
it costs next to nothing, so no two epochs hear the same mix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.ndimage
import scipy.signal

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.features import (
    DECIBELS,
    FeatureSettings,
    normalise,
    reference_level,
    shifted_bands,
)
from drum2midi.training.network import ACTIVATIONS, OUTPUTS
from drum2midi.training.pieces import Piece, load_piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

CROP: Final = 400
"""Frames of a crop."""

TARGET_WIDTH: Final = 0.8
"""Standard deviation, in frames, of the bump that stands for an onset."""

POSITIVE_WEIGHT: Final = 3.0
"""Weight of a frame with an onset in it, against one without."""

VELOCITY_WEIGHT: Final = 3.0
INAUDIBLE_DB: Final = -10.0
_LISTED_EVERY: Final = 50
"""Batches after which the folder is listed anew."""

SEPARATED: Final = 0.2
RELEVELLED: Final = 0.3
WARPED: Final = 0.5
TUNING: Final = 1.2
"""Spread, in semitones, of how far a warped piece is tuned up or down as a whole."""

BEFORE: Final = 2
"""Frames of an onset's bump before it."""

RESTING: Final = 0.15
"""Share of accompanied pieces in which the kit is silent for a while, as in an intro or a break."""

NOISE_DB: Final = (-90.0, -40.0)
"""Noise in the lowest band, under what is loud."""

NOISE_FALL_DB: Final = 15.0
"""How much less of it there may be in the highest."""

_DAMPING_DB: Final = 4.0  # a frame, where a kit stops
_DAMPED: Final = 30  # frames; then nothing is left

LINGERING: Final = 0.25
NOTCHED: Final = 0.1
LOW_PASSED: Final = 0.25
MUFFLED: Final = 0.2
"""Share of the low-passed that lack more than a codec takes."""
_GROUP_OF: Final = np.array([SCORING_CLASSES.index(drum.scoring) for drum in DRUMS])


@dataclass(frozen=True)
class Mix:
    """What a mix is drawn from.

    Attributes
    ----------
    alone : float
        Share of mixes without accompaniment.
    borrowed : float
        Share of the others whose accompaniment comes from another piece, out of time.
    """

    alone: float = 0.4
    borrowed: float = 0.35


def batches(
    folder: Path,
    settings: FeatureSettings,
    *,
    batch: int,
    seed: int | Sequence[int],
    mix: Mix | None = None,
    pool: int = 256,
) -> Iterator[tuple[Array, Array]]:
    """Endless batches of features and truths, from pieces in random order.

    Parameters
    ----------
    folder : Path
        Rendered pieces; listed again and again, so more may be written meanwhile.
    settings : FeatureSettings
    batch : int
        Crops in a batch.
    seed : int or sequence of int
    mix : Mix, optional
    pool : int
        Crops to shuffle among.

    Yields
    ------
    (batch, CROP, bands) float32, (batch, CROP, 2 * OUTPUTS) float32
        See `drum2midi.training.network.loss` for the truth's columns.
    """
    rng = np.random.default_rng(seed)
    mix = mix or Mix()
    crops: list[tuple[Array, Array]] = []
    band: NDArray[np.float16] | None = None
    paths: list[Path] = []
    drawn = 0
    while True:
        if drawn % _LISTED_EVERY == 0:
            paths = sorted(folder.glob("*.npz"))
        drawn += 1
        while len(crops) < pool:
            piece = load_piece(paths[int(rng.integers(len(paths)))])
            if len(piece.band):
                last_band, band = band, piece.band
                lent = last_band if rng.random() < mix.borrowed else band
            else:
                lent = band
            features, truth = compose(
                piece, None if rng.random() < mix.alone else lent, settings, rng
            )
            first = int(rng.integers(CROP // 2))
            for start in range(first, len(features) - CROP + 1, CROP):
                crops.append((features[start : start + CROP], truth[start : start + CROP]))
        chosen = rng.choice(len(crops), size=batch, replace=False)
        yield (
            np.stack([crops[i][0] for i in chosen]),
            np.stack([crops[i][1] for i in chosen]),
        )
        for i in sorted(chosen.tolist(), reverse=True):
            crops[i] = crops[-1]
            crops.pop()


def compose(
    piece: Piece,
    band: NDArray[np.float16] | None,
    settings: FeatureSettings,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Mix a piece with an accompaniment; features and truth of the whole piece."""
    kit = _power(piece.drums)
    if rng.random() < WARPED:
        warp = tune_bands(settings, rng.normal(0.0, TUNING))
        kit = kit @ warp
        piece = replace(piece, share=(piece.share @ warp).astype(np.float16))
    kit = _linger(kit, settings.frame_rate, rng) * _equaliser(settings.bands, rng, 3.0)
    mixed = dry = kit
    if band is not None:
        other = _power(band)[: len(kit)]
        other = other * _equaliser(settings.bands, rng, 3.0)
        balance = 10.0 ** (float(rng.uniform(-10.0, 12.0)) / 10.0)
        scale = balance * float(kit.mean()) / max(float(other.mean()), 1e-12)
        if rng.random() < RESTING:
            piece, kit = _rest(piece, kit, rng)
        other = np.roll(other, int(rng.integers(-1, 2)), axis=0) * np.float32(scale)
        dry = kit + other
        mixed = _pump(dry, rng)
        if rng.random() < SEPARATED:
            mixed = _separate(kit, mixed, rng)
    passed = mixed / (dry + np.float32(1e-12))
    mixed, gain = _dirty(mixed, rng)
    floor = np.float32(10.0 ** (settings.floor_db / 10.0)) * reference_level(mixed)
    truth = _truth(piece, kit * passed * gain, mixed + floor)
    return _relevel(normalise(mixed, settings), settings, rng), truth


def _relevel(features: Array, settings: FeatureSettings, rng: np.random.Generator) -> Array:
    """Sometimes a piece as it would look in a recording with louder or hardly any other sound.

    Levels are relative to a recording's loud frames; where little sounds, a lone stroke
    stands far above them.
    """
    if rng.random() > RELEVELLED:
        return features
    floor = np.float32((settings.floor_db + 30.0) / DECIBELS)
    return np.asarray(np.maximum(features + rng.uniform(-0.5, 0.8), floor), np.float32)


def _power(decibels: NDArray[np.float16]) -> Array:
    return np.asarray(np.exp(decibels.astype(np.float32) * np.float32(np.log(10.0) / 10.0)))


def _equaliser(bands: int, rng: np.random.Generator, depth_db: float) -> Array:
    """A smooth random curve over the bands, as power gains."""
    at = np.linspace(0.0, 1.0, bands)
    curve = sum(
        rng.normal(0.0, depth_db / (k + 1) ** 0.5) * np.cos(np.pi * k * at + rng.uniform(0, np.pi))
        for k in range(5)
    )
    return np.asarray(10.0 ** (np.asarray(curve) / 10.0), np.float32)


def tune_bands(settings: FeatureSettings, semitones: float) -> Array:
    """A matrix that moves what is in every band up, as tuning all that sounds would.

    Each column takes from the two bands about where it came from, (bands, bands).
    """
    bands = settings.bands
    at = np.clip(shifted_bands(settings, semitones), 0.0, bands - 1)
    below = np.minimum(at.astype(int), bands - 2)
    part = at - below
    warp = np.zeros((bands, bands), np.float32)
    warp[below, np.arange(bands)] = 1.0 - part
    warp[below + 1, np.arange(bands)] = part
    return warp


def _rest(piece: Piece, kit: Array, rng: np.random.Generator) -> tuple[Piece, Array]:
    """A piece whose kit comes in later, stops, or is not there at all, and its power.

    It comes in with a stroke, or what rang on from before would begin like one.
    """
    frames, kind = len(kit), rng.random()
    stops, begins = -frames, frames
    if kind < 0.4:
        stops = int(rng.integers(frames))
    elif kind < 0.8 and len(piece.frames):
        begins = int(rng.choice(piece.frames)) - BEFORE
    away = np.arange(frames)
    gain = np.where(away < begins, hushed(away - stops), 1.0)
    sounds = (piece.frames < stops) | (piece.frames >= begins)
    part = replace(
        piece,
        frames=piece.frames[sounds],
        drum=piece.drum[sounds],
        velocity=piece.velocity[sounds],
        share=piece.share[sounds],
    )
    return part, np.asarray(kit * gain[:, None], np.float32)


def hushed(since: Any) -> Any:
    """Power that is left so many frames after a kit stopped, for an array or a tensor of them."""
    return 10.0 ** (-_DAMPING_DB / 10.0 * since.clip(0, _DAMPED))


def _linger(power: Array, frame_rate: float, rng: np.random.Generator) -> Array:
    """Sometimes a longer decay for everything, as in another room: a one-pole filter over time."""
    if rng.random() > LINGERING:
        return power
    seconds = float(np.exp(rng.uniform(np.log(0.03), np.log(0.5))))
    keep = float(np.exp(-1.0 / (frame_rate * seconds)))
    wet = scipy.signal.lfilter([1.0 - keep], [1.0, -keep], power, axis=0)
    return np.asarray(power + rng.uniform(0.05, 0.8) * wet, np.float32)


def _pump(power: Array, rng: np.random.Generator) -> Array:
    """A mastering compressor: what is loud as a whole is turned down as a whole."""
    if rng.random() < 0.5:
        return power
    level = 10.0 * np.log10(power.mean(axis=1) + 1e-12)
    over = np.maximum(0.0, level - np.percentile(level, rng.uniform(30.0, 95.0)))
    gain = -over * rng.uniform(0.2, 0.8)
    decay = float(rng.uniform(0.5, 0.95))
    for i in range(1, len(gain)):
        gain[i] = min(gain[i], gain[i - 1] * decay)
    return np.asarray(power * (10.0 ** (gain / 10.0))[:, None], np.float32)


def _separate(kit: Array, mixed: Array, rng: np.random.Generator) -> Array:
    """The kit as a source separator gives it back: through a mask that is nearly right.

    A Wiener mask, blurred over time and bands, takes some of the kit away and lets
    some of the rest through.
    """
    wanted = kit / (mixed + np.float32(1e-12))
    blurred = scipy.ndimage.uniform_filter(wanted, size=(int(rng.integers(1, 9)), 5))
    mask = np.clip(blurred, 0.0, 1.0) ** np.float32(rng.uniform(0.7, 2.5))
    leak = np.float32(10.0 ** (rng.uniform(-40.0, -15.0) / 10.0))
    return np.asarray(mixed * np.maximum(mask, leak), np.float32)


def _dirty(power: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Noise, a slow fader, and sometimes a codec's or a radio's low-pass; and what they pass."""
    frames, bands = power.shape
    loud = float(np.percentile(power.max(axis=1), 90.0))
    noise_db = rng.uniform(*NOISE_DB) - np.linspace(0.0, rng.uniform(0.0, NOISE_FALL_DB), bands)
    noise = loud * 10.0 ** (noise_db / 10.0) * _equaliser(bands, rng, 6.0)
    out = power + noise * rng.exponential(1.0, (frames, bands)).astype(np.float32)
    gain = np.ones_like(power)
    if rng.random() < 0.3:
        knots = rng.normal(0.0, 3.0, 6)
        fader = np.interp(np.linspace(0, 5, frames), np.arange(6), knots)
        gain *= (10.0 ** (fader / 10.0)).astype(np.float32)[:, None]
    if rng.random() < LOW_PASSED:
        lowest = bands * 2 // 3 if rng.random() < MUFFLED else bands * 7 // 8
        gain[:, int(rng.integers(lowest, bands)) :] *= np.float32(1e-6)
    if rng.random() < NOTCHED:
        first = int(rng.integers(bands))
        gain[:, first : first + int(rng.integers(2, bands // 8))] *= np.float32(1e-3)
    return np.asarray(out * gain, np.float32), gain


def _truth(piece: Piece, kit: Array, mixed: Array) -> Array:
    """Targets and weights of every frame.

    An onset is a bump as wide as a frame or two. Frames of a stroke that
    everything else drowns have no weight: nobody could hear it.
    """
    frames = len(mixed)
    truth = np.zeros((frames, 2 * OUTPUTS), np.float32)
    target, weight = truth[:, :OUTPUTS], truth[:, OUTPUTS:]
    weight[:, :ACTIVATIONS] = 1.0
    heard = np.minimum(frames - 1, np.round(piece.frames + 2.0).astype(int))
    ratio = piece.share.astype(np.float32) * kit[heard] / (mixed[heard] + 1e-12)
    audible = 10.0 * np.log10(ratio.max(axis=1) + 1e-6) > INAUDIBLE_DB
    strokes = zip(piece.frames, piece.drum, piece.velocity, audible, strict=True)
    for frame, drum, velocity, clear in strokes:
        near = np.arange(max(0, int(frame) - BEFORE), min(frames, int(frame) + 4))
        bump = np.exp(-0.5 * ((near - frame) / TARGET_WIDTH) ** 2)
        columns = (_GROUP_OF[drum], len(SCORING_CLASSES) + drum)
        for column in columns:
            if clear:
                target[near, column] = np.maximum(target[near, column], bump)
                weight[near, column] = 1.0 + (POSITIVE_WEIGHT - 1.0) * target[near, column]
            else:
                weight[near, column] = np.where(target[near, column] > 0, weight[near, column], 0.0)
        if clear and velocity:
            loudness = near[np.abs(near - frame) <= 1.5]
            target[loudness, ACTIVATIONS + drum] = velocity / 127.0
            weight[loudness, ACTIVATIONS + drum] = VELOCITY_WEIGHT
    return truth
