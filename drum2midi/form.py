"""Form: where a song's sections begin, as heard in what the drummer plays.

A section is a stretch of bars that are best told as variations of one bar: the division
into sections is the one in which the strokes take the fewest bits to write down, given
for each section how often every drum is struck at every place of its bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import CRASH
from drum2midi.transcription import Note, Transcription

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST: Final = 4  # bars of a section
_BREAK: Final = 2  # bars of what stands between sections
_PHRASE: Final = 4  # bars
_UNLIKE: Final = 2.0  # times as unlike the bars after it as the next is, and so many strokes more
_SLOTS: Final = 4  # to the quarter note
_NEW: Final = 40.0  # bits that a section must save to be one
_ODD: Final = 12.0  # further bits for one that is not a multiple of four bars long
_SHORT: Final = 80.0  # further bits for what is shorter than a section and no rest
_CRASH: Final = 10.0  # bits less where it begins with a crash


def section_letters(transcription: Transcription) -> dict[int, str]:
    """Rehearsal letters by bar; none if all is one section. The 27th is AA."""
    starts = section_starts(transcription)
    if len(starts) < 2:
        return {}
    return {bar: _letter(index) for index, bar in enumerate(starts)}


def _letter(index: int) -> str:
    rounds, place = divmod(index, 26)
    return chr(ord("A") + place) * (rounds + 1)


def section_starts(transcription: Transcription) -> list[int]:
    """The bars, from 0, at which sections begin.

    What is shorter than a section leads into one, or ends it: no section begins there.
    """
    first = int(transcription.grid.has_pickup)
    crashes = {note.bar - first for note in transcription.notes if _is_opening_crash(note)}
    starts = _divide(_struck(transcription)[first:], crashes)
    body = [note for note in transcription.notes if not _is_opening_crash(note)]
    starts = _after_fills(starts, _struck(replace(transcription, notes=tuple(body)))[first:])
    stretches = pairwise([*starts, len(transcription.grid.bars) - first])
    return [first + start for start, end in stretches if end - start >= _LEAST]


def _is_opening_crash(note: Note) -> bool:
    return note.drum == CRASH and note.position == 0


def _struck(transcription: Transcription) -> NDArray[np.float64]:
    """Whether each bar has a stroke of each drum at each place; shape (bars, kinds)."""
    notes = [note for note in transcription.notes if not note.grace]
    places = [(note.drum.midi, round(note.position * _SLOTS)) for note in notes]
    kinds = {place: index for index, place in enumerate(dict.fromkeys(places))}
    struck = np.zeros((len(transcription.grid.bars), len(kinds)))
    for note, place in zip(notes, places, strict=True):
        struck[note.bar, kinds[place]] = 1.0
    return struck


def _divide(struck: NDArray[np.float64], crashes: set[int]) -> list[int]:
    """First bars of the sections, and of what is between them, of the cheapest division."""
    count = len(struck)
    sums = np.concatenate((np.zeros((1, struck.shape[1])), np.cumsum(struck, axis=0)))
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    origin = np.zeros(count + 1, int)
    opening = np.array([_NEW - _CRASH * (bar in crashes) for bar in range(count)])
    opening[:1] = 0.0
    for end in range(1, count + 1):
        # Within, one bar alone is a fill.
        starts = np.arange(end) if end == count else np.append(0, np.arange(1, end - _BREAK + 1))
        lengths = end - starts
        counts = sums[end] - sums[starts]
        bits = _bits(counts, lengths)
        bits += best[starts] + opening[starts] + _ODD * ((lengths % 4 != 0) & (end < count))
        bits += _SHORT * ((lengths < _LEAST) & counts.any(axis=1))
        origin[end] = starts[np.argmin(bits)]
        best[end] = bits.min()
    ends = [count]
    while ends[-1] > 0:
        ends.append(int(origin[ends[-1]]))
    return [start for _, start in pairwise(ends)][::-1]


def _after_fills(starts: Sequence[int], struck: NDArray[np.float64]) -> list[int]:
    """The same, but where a section would begin with the fill that leads into it.

    Two fills in one section are cheaper to tell than one in each of two; but a fill ends a phrase.
    """
    moved: list[int] = []
    for start, end in pairwise([*starts, len(struck)]):
        if moved and end - start > _LEAST and (start + 1 - moved[-1]) % _PHRASE == 0:
            usual = struck[start + 1 : end].mean(axis=0)
            first, second = (float(np.abs(struck[start + i] - usual).sum()) for i in (0, 1))
            start += int(first > _UNLIKE * second + _UNLIKE)
        moved.append(start)
    return moved


def _bits(counts: NDArray[np.float64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """What sections take to write down, given how often each place is struck in each."""
    length = lengths[:, None].astype(np.float64)
    share = np.clip(counts / length, 1e-9, 1 - 1e-9)
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    told = 0.5 * np.log2(lengths + 1.0) * np.count_nonzero(counts, axis=1)
    total: NDArray[np.float64] = (length * entropy).sum(axis=1) + told
    return total
