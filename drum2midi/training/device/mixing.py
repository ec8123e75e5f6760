"""Mixing: what `drum2midi.training.examples.compose` does, to a batch of pieces on a GPU.

The same steps with the same ranges; every piece of a batch draws its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.features import FeatureSettings
from drum2midi.training import examples
from drum2midi.training.network import ACTIVATIONS, OUTPUTS

_GROUP_OF: Final = tuple(SCORING_CLASSES.index(drum.scoring) for drum in DRUMS)
_TINY: Final = 1e-12
_AFTER: Final = 4


@dataclass(frozen=True)
class Batch:
    """Pieces to mix, cut to one length.

    Attributes
    ----------
    kit, band : float, shape (pieces, frames, bands)
        Decibels of mel power.
    mixed : bool, shape (pieces,)
        Whether the band is to be heard.
    onset : float32, shape (pieces, strokes)
        Frames; those outside the cut have none.
    drum : int64, shape (pieces, strokes)
        -1 where there is no stroke.
    velocity : float32, shape (pieces, strokes)
        0 where it is not known.
    share : float, shape (pieces, strokes, bands)
    """

    kit: Tensor
    band: Tensor
    mixed: Tensor
    onset: Tensor
    drum: Tensor
    velocity: Tensor
    share: Tensor


def compose(
    batch: Batch, settings: FeatureSettings, *, width: float, lead: int = 0
) -> tuple[Tensor, Tensor]:
    """Mix; features (pieces, frames, bands) and truth (pieces, frames, 2 * OUTPUTS).

    Parameters
    ----------
    batch : Batch
    settings : FeatureSettings
    width : float
        Standard deviation, in frames, of the bump that stands for an onset.
    lead : int
        Frames at the beginning that will not be learnt from.
    """
    kit, share = _power(batch.kit), batch.share.float()
    count, _, bands = kit.shape
    device = kit.device
    warp = _warp(count, settings, device)
    kit, share = kit @ warp, share @ warp
    kit = _linger(kit, settings.frame_rate) * _equaliser(count, bands, 3.0, device)
    band = _power(batch.band) * _equaliser(count, bands, 3.0, device)
    balance = 10.0 ** (_uniform(count, -10.0, 12.0, device) / 10.0)
    scale = balance * _mean(kit) / _mean(band).clamp_min(_TINY) * batch.mixed.float()
    gain, drum = _rest(batch, kit.shape[1], lead)
    kit, batch = kit * gain[..., None], replace(batch, drum=drum)
    dry = kit + band * scale[:, None, None]
    both = _some(batch.mixed & _chance(count, 0.5, device), _pump(dry), dry)
    separate = batch.mixed & _chance(count, examples.SEPARATED, device)
    both = _some(separate, _separate(kit, both), both)
    passed = both / (dry + _TINY)
    heard, gain = _dirty(both)
    floor = 10.0 ** (settings.floor_db / 10.0) * _reference(heard)
    truth = _truth(batch, share, kit * passed * gain, heard + floor, width)
    return _relevel(normalise(heard, settings), settings), truth


def normalise(power: Tensor, settings: FeatureSettings) -> Tensor:
    """As `drum2midi.features.normalise`, each piece by itself."""
    floor = 10.0 ** (settings.floor_db / 10.0)
    relative = power / _reference(power).clamp_min(_TINY)
    return (10.0 * torch.log10(relative + floor) + 30.0) / 20.0


def _reference(power: Tensor) -> Tensor:
    """As `drum2midi.features.reference_level`, of each piece; shape (pieces, 1, 1)."""
    loudest = power.amax(2)
    level = torch.maximum(loudest.quantile(0.9, dim=1), 0.06 * loudest.amax(1))
    return level[:, None, None]


def _power(decibels: Tensor) -> Tensor:
    return 10.0 ** (decibels.float() / 10.0)


def _mean(power: Tensor) -> Tensor:
    return power.mean((1, 2))


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return low + (high - low) * torch.rand(count, device=device)


def _chance(count: int, share: float, device: torch.device) -> Tensor:
    return torch.rand(count, device=device) < share


def _some(which: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(which[:, None, None], one, other)


def _equaliser(count: int, bands: int, depth_db: float, device: torch.device) -> Tensor:
    at = torch.linspace(0.0, 1.0, bands, device=device)
    order = torch.arange(5, device=device)
    depth = torch.randn(count, 5, device=device) * depth_db / (order + 1.0) ** 0.5
    phase = torch.rand(count, 5, device=device) * torch.pi
    curve = (depth[..., None] * torch.cos(torch.pi * order[:, None] * at + phase[..., None])).sum(1)
    return 10.0 ** (curve / 10.0)[:, None, :]


def _warp(count: int, settings: FeatureSettings, device: torch.device) -> Tensor:
    """Of every piece a matrix; those that are not warped have the identity."""
    semitones = torch.randn(count) * examples.TUNING * (torch.rand(count) < examples.WARPED)
    matrices = [examples.tune_bands(settings, semitone) for semitone in semitones.tolist()]
    return torch.from_numpy(np.stack(matrices)).to(device)


def _rest(batch: Batch, frames: int, lead: int) -> tuple[Tensor, Tensor]:
    """Power gains of kits that come in later, stop or are not there, (pieces, frames); drums."""
    count, device = len(batch.onset), batch.onset.device
    kind = torch.rand(count, device=device)
    inside = (batch.drum >= 0) & (batch.onset >= lead) & (batch.onset < frames)
    # A kit that nobody strikes there cannot come in; any column does, since none is chosen.
    chosen = torch.multinomial(inside.float() + 1e-9, 1)
    stroke = batch.onset.gather(1, chosen)[:, 0].floor() - examples.BEFORE
    stops = torch.where(kind < 0.4, _uniform(count, lead, frames, device).floor(), -frames)
    enters = (kind >= 0.4) & (kind < 0.8) & inside.gather(1, chosen)[:, 0]
    begins = torch.where(enters, stroke, float(frames))
    rests = batch.mixed & _chance(count, examples.RESTING, device)
    stops = torch.where(rests, stops, float(frames))[:, None]
    begins = torch.where(rests, begins, float(frames))[:, None]
    time = torch.arange(frames, device=device)[None]
    gain = torch.where(time < begins, examples.hushed(time - stops), 1.0)
    silent = (batch.onset >= stops) & (batch.onset < begins)
    return gain, torch.where(silent, -1, batch.drum)


def _linger(power: Tensor, frame_rate: float) -> Tensor:
    count, frames, _ = power.shape
    device = power.device
    seconds = torch.exp(_uniform(count, -3.5066, -0.6931, device))  # 0.03 to 0.5
    keep = torch.exp(-1.0 / (frame_rate * seconds))[:, None, None]
    time = torch.arange(frames, device=device)
    ago = (time[:, None] - time[None, :]).clamp_min(0).float()
    matrix = torch.tril((1.0 - keep) * keep**ago)
    wet = matrix @ power
    level = _uniform(count, 0.05, 0.8, device) * _chance(count, examples.LINGERING, device)
    return power + level[:, None, None] * wet


def _pump(power: Tensor) -> Tensor:
    count, frames, _ = power.shape
    device = power.device
    level = 10.0 * torch.log10(power.mean(2) + _TINY)
    ordered = level.sort(1).values
    rank = (_uniform(count, 0.30, 0.95, device) * (frames - 1)).long()
    over = (level - ordered.gather(1, rank[:, None])).clamp_min(0.0)
    loss = over * _uniform(count, 0.2, 0.8, device)[:, None]
    # A peak that decays: in logarithms the highest of all before, less what has decayed since.
    fall = -torch.log(_uniform(count, 0.5, 0.95, device))[:, None].double()
    time = torch.arange(frames, device=device).double() * fall
    held = (torch.log(loss.double() + 1e-9) + time).cummax(1).values - time
    return power * (10.0 ** (-torch.exp(held).float() / 10.0))[..., None]


def _separate(kit: Tensor, mixed: Tensor) -> Tensor:
    count, device = len(kit), kit.device
    wanted = kit / (mixed + _TINY)
    over = 2 * int(torch.randint(0, 5, ())) + 1
    blurred = functional.avg_pool2d(
        wanted[:, None], (over, 5), stride=1, padding=(over // 2, 2), count_include_pad=False
    )[:, 0]
    power = _uniform(count, 0.7, 2.5, device)[:, None, None]
    leak = 10.0 ** (_uniform(count, -40.0, -15.0, device) / 10.0)
    return mixed * torch.maximum(blurred.clamp(1e-9, 1.0) ** power, leak[:, None, None])


def _dirty(power: Tensor) -> tuple[Tensor, Tensor]:
    """As in `drum2midi.training.examples`: what is heard, and what of the power is passed."""
    count, frames, bands = power.shape
    device = power.device
    loud = power.amax(2).quantile(0.9, dim=1)[:, None, None]
    fall = _uniform(count, 0.0, examples.NOISE_FALL_DB, device)[:, None]
    noise_db = _uniform(count, *examples.NOISE_DB, device)[:, None] - fall * torch.linspace(
        0.0, 1.0, bands, device=device
    )
    noise = loud * 10.0 ** (noise_db[:, None] / 10.0) * _equaliser(count, bands, 6.0, device)
    out = power + noise * torch.empty_like(power).exponential_()
    knots = torch.randn(count, 1, 6, device=device) * 3.0
    fader = functional.interpolate(knots, frames, mode="linear", align_corners=True)[:, 0]
    fader = fader * _chance(count, 0.3, device)[:, None]
    index = torch.arange(bands, device=device)[None]
    muffled = _chance(count, examples.MUFFLED, device)
    lowest = torch.where(muffled, bands * 2 // 3, bands * 7 // 8)
    cut = (lowest + torch.rand(count, device=device) * (bands - lowest)).long()[:, None]
    low = (index >= cut) & _chance(count, examples.LOW_PASSED, device)[:, None]
    first = torch.randint(0, bands, (count, 1), device=device)
    last = first + torch.randint(2, bands // 8, (count, 1), device=device)
    notch = (index >= first) & (index < last) & _chance(count, examples.NOTCHED, device)[:, None]
    gain = torch.where(low, 1e-6, 1.0) * torch.where(notch, 1e-3, 1.0)
    gain = gain[:, None] * (10.0 ** (fader / 10.0))[..., None]
    return out * gain, gain


def _relevel(features: Tensor, settings: FeatureSettings) -> Tensor:
    count, device = len(features), features.device
    floor = (settings.floor_db + 30.0) / 20.0
    moved = (features + _uniform(count, -0.5, 0.8, device)[:, None, None]).clamp_min(floor)
    return _some(_chance(count, examples.RELEVELLED, device), moved, features)


def _truth(batch: Batch, share: Tensor, kit: Tensor, mixed: Tensor, width: float) -> Tensor:
    count, frames, bands = mixed.shape
    device = mixed.device
    inside = (batch.drum >= 0) & (batch.onset > -examples.BEFORE) & (batch.onset < frames + 1)
    heard = (batch.onset + 2.0).round().long().clamp(0, frames - 1)[..., None].expand(-1, -1, bands)
    ratio = share * kit.gather(1, heard) / (mixed.gather(1, heard) + _TINY)
    clear = inside & (10.0 * torch.log10(ratio.amax(2) + 1e-6) > examples.INAUDIBLE_DB)
    near = batch.onset.floor().long()[..., None] + torch.arange(
        -examples.BEFORE, _AFTER, device=device
    )
    away = near - batch.onset[..., None]
    bump = torch.exp(-0.5 * (away / width) ** 2)
    # One frame more, which is thrown away, takes what lies outside.
    known = inside[..., None] & (near >= 0) & (near < frames)
    row = torch.where(known, near, frames)
    drum = batch.drum.clamp_min(0)
    group = torch.tensor(_GROUP_OF, device=device)[drum]
    target = torch.zeros(count, (frames + 1) * OUTPUTS, device=device)
    drowned, loud = torch.zeros_like(target), torch.zeros_like(target)
    sure = (clear[..., None] & known).float()
    for column in (group, len(SCORING_CLASSES) + drum):
        at = (row * OUTPUTS + column[..., None]).flatten(1)
        target.scatter_reduce_(1, at, (bump * sure).flatten(1), "amax")
        drowned.scatter_reduce_(1, at, ((1.0 - sure) * known).flatten(1), "amax")
    at = (row * OUTPUTS + (ACTIVATIONS + drum)[..., None]).flatten(1)
    at_top = sure * (away.abs() <= 1.5)
    velocity = at_top * batch.velocity[..., None] / 127.0
    target.scatter_reduce_(1, at, velocity.flatten(1), "amax")
    told = at_top * (batch.velocity > 0)[..., None]
    loud.scatter_reduce_(1, at, told.flatten(1), "amax")
    target, drowned, loud = (
        part.view(count, frames + 1, OUTPUTS)[:, :frames] for part in (target, drowned, loud)
    )
    weight = torch.where(
        target > 1e-6, 1.0 + (examples.POSITIVE_WEIGHT - 1.0) * target, 1.0 - drowned
    )
    weight = torch.cat(
        (weight[..., :ACTIVATIONS], examples.VELOCITY_WEIGHT * loud[..., ACTIVATIONS:]), dim=2
    )
    return torch.cat((target, weight), dim=2)
