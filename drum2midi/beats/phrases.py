"""Which beat begins a bar, by what comes before and after it.

`drum2midi.beats.metrical` judges the average bar. What a drummer plays once, as bars begin and
end, is lost in it: four clicks and the entry after them, a fill and the crash that ends it, the
kick that comes early for the next bar. A small convolutional network over the beats, trained on
human grooves (`drum2midi.training.phrases`), says of every beat how much it sounds like the first
of a bar. It is what downbeat trackers learn from audio (Böck, Krebs & Widmer, ISMIR 2016), from
strokes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.metrical import PERIODS, Folded, fold
from drum2midi.beats.ranking import Ranked, move_downbeat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.beats.strokes import Strokes

METRES: Final = tuple(PERIODS)
"""Beats in a bar that the network tells downbeats of, in the order of its outputs."""

DILATIONS: Final = (1, 2, 4, 8)
"""Beats between the taps of each convolution."""

MARGIN: Final = sum(DILATIONS)
"""Beats of silence on both sides of the strokes, as far as the network listens."""

_HOPELESS: Final = 12.0  # nats by which a level falls short that is not listened to
_TRUST: Final = 0.5  # weight of what it says, beside the average bar
_MODEL: Final = Path(__file__).with_name("phrases.npz")


def heed_phrases(ranked: Sequence[Ranked], strokes: Strokes) -> list[Ranked]:
    """Scores of the downbeats that beats of one pulse can have, with phrases heeded.

    Parameters
    ----------
    ranked : sequence of (readings, scores)
        As of `drum2midi.beats.ranking.rank_readings`.
    strokes : Strokes

    Returns
    -------
    list of (readings, scores)
        Every level and metre as likely as before: of those the average bar knows more. As they
        were where they are hopeless or no metre in `METRES`.
    """
    best = max((float(scores.max()) for _, scores in ranked), default=0.0)
    heard: dict[tuple[float, float], Evidence] = {}
    out = []
    for readings, scores in ranked:
        level = readings[0]
        if level.count in METRES and scores.max() > best - _HOPELESS:
            key = level.ratio, level.offset
            if key not in heard:
                heard[key] = Evidence.of(fold(strokes, level.pulse, *key))
            said = heard[key].downbeats(level.count)
            origin = heard[key].origin
            said = said[[(reading.downbeat - origin) % level.count for reading in readings]]
            heeding = (1.0 - _TRUST) * scores + _TRUST * said
            scores = move_downbeat(scores, heeding)
        out.append((readings, scores))
    return out


@dataclass(frozen=True)
class Evidence:
    """How much each beat of a level sounds like the first of a bar.

    Attributes
    ----------
    logits : array, shape (beats, metres)
        For bars of each of `METRES`.
    origin : int
        Index of the first of these beats, counted from the one at the offset.
    """

    logits: NDArray[np.float64]
    origin: int

    @classmethod
    def of(cls, folded: Folded) -> Evidence:
        """What the networks say of strokes on their beats."""
        return cls(_listen(with_margins(folded))[MARGIN:-MARGIN], folded.origin)

    def downbeats(self, count: int) -> NDArray[np.float64]:
        """Log-odds, up to a constant, that bars begin at each of the first beats; shape (count,).

        They grow with the root of the number of bars, which are not independent.
        """
        return shares(len(self.logits), count).T @ self.logits[:, METRES.index(count)]


def shares(beats: int, count: int) -> NDArray[np.float32]:
    """What each beat counts for each place of the bar; shape (beats, count)."""
    places = np.eye(count, dtype=np.float32)[np.arange(beats) % count]
    return np.asarray(places / np.maximum(places.sum(0), 1) * np.sqrt(beats / count), np.float32)


def with_margins(folded: Folded, *, begins: bool = True, ends: bool = True) -> NDArray[np.float32]:
    """What the network is told: the strokes of every beat, and of the margins what they are.

    Parameters
    ----------
    folded : Folded
    begins, ends : bool
        Whether the piece begins with the first stroke and ends with the last.

    Returns
    -------
    array, shape (MARGIN + beats + MARGIN, numbers)
    """
    beats, width = folded.cells.shape
    told = np.zeros((beats + 2 * MARGIN, width + 3), np.float32)
    told[MARGIN:-MARGIN, :width] = np.sqrt(folded.cells)
    told[MARGIN:-MARGIN, width] = 1
    told[:MARGIN, width + 1 if begins else width + 2] = 1
    told[-MARGIN:, width + 1 if ends else width + 2] = 1
    return told


def _listen(told: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean logits of the networks; shape (beats, metres)."""
    net = model()
    members = len(net["out"])
    total = np.zeros((len(told), len(METRES)))
    for i in range(members):
        heard = np.maximum(told @ net["in"][i] + net["in_bias"][i], 0)
        for layer, reach in enumerate(DILATIONS):
            padded = np.pad(heard, ((reach, reach), (0, 0)))
            taps = (padded[: len(heard)], heard, padded[2 * reach :])
            kernel, bias = net["conv"][i, layer], net["conv_bias"][i, layer]
            drive = sum((tap @ part for tap, part in zip(taps, kernel, strict=True)), bias)
            heard = heard + np.maximum(drive, 0)
        total += heard @ net["out"][i] + net["out_bias"][i]
    return total / members


@cache
def model() -> dict[str, NDArray[np.float32]]:
    """The layers of the trained networks, with the networks along the first axis."""
    with np.load(_MODEL) as arrays:
        return {name: arrays[name].astype(np.float32) for name in arrays.files}
