"""Which strokes a drummer would mark as played softer or harder than the rest."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from drum2midi.drums import SNARE, Drum
from drum2midi.transcription import Note

_PASSAGE: Final = 4  # bars to either side that a stroke is compared with
_MAIN: Final = 0.9  # the main strokes are about as loud as this quantile

_GHOST: Final = 0.6  # of the passage's main strokes
_FAINT: Final = 0.4  # of the piece's: a ghost even where the passage has only ghosts

_ACCENT: Final = 1.3  # times the passage's median, and
_ACCENT_STEP: Final = 20  # so much above it
_RARE: Final = 0.25  # of the passage's strokes; more often it is how the part goes
_FEW: Final = 4  # strokes, too few to say what is usual


def ghosts(notes: Iterable[Note]) -> set[Note]:
    """Snare strokes far softer than the main ones around them."""
    strokes = _by_bar(
        note for note in notes if note.drum == SNARE and not (note.grace or note.roll)
    )
    if not strokes:
        return set()
    piece = _quantile([note.velocity for note in strokes], _MAIN)
    found = set()
    for bar, passage in _passages(strokes):
        limit = _GHOST * _quantile([note.velocity for note in passage], _MAIN)
        found |= {note for note in bar if note.velocity < max(limit, _FAINT * piece)}
    return found


def accents(notes: Iterable[Note], soft: set[Note]) -> set[Note]:
    """Strokes that stand out from the others of their drum in the passage.

    Parameters
    ----------
    notes : iterable of Note
    soft : set of Note
        The ghost notes, beside which every other stroke would stand out.
    """
    by_drum: dict[Drum, list[Note]] = {}
    for note in notes:
        if not (note.grace or note.roll or note in soft):
            by_drum.setdefault(note.drum, []).append(note)
    found = set()
    for strokes in by_drum.values():
        for bar, passage in _passages(_by_bar(strokes)):
            found |= _accents_of_bar(bar, passage)
    return found


def _accents_of_bar(bar: Sequence[Note], passage: Sequence[Note]) -> set[Note]:
    """Those of a drum's strokes in a bar that stand out in the passage.

    What goes on from bar to bar is accented in all of them or in none, but for what stands out
    from its own place as well: how loud a stroke of a groove is varies more than is meant.
    """
    velocities = [note.velocity for note in passage]
    usual = median(velocities)
    limit = _limit(usual)
    loud = sum(velocity >= limit for velocity in velocities)
    if len(passage) < _FEW or loud > _RARE * len(passage):
        return set()
    found = set()
    for note in bar:
        place = [other.velocity for other in passage if other.position == note.position]
        if len(place) < _FEW:
            stands_out = note.velocity >= limit
        elif median(place) >= limit:
            stands_out = note.velocity > usual
        else:
            stands_out = note.velocity >= max(limit, _limit(median(place)))
        if stands_out:
            found.add(note)
    return found


def _limit(usual: float) -> float:
    """The least velocity that stands out."""
    return max(_ACCENT * usual, usual + _ACCENT_STEP)


def _by_bar(notes: Iterable[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: note.bar)


def _passages(strokes: Sequence[Note]) -> Iterable[tuple[Sequence[Note], Sequence[Note]]]:
    """Each bar's strokes, with those of the bars around it."""
    bars = [note.bar for note in strokes]
    for bar in dict.fromkeys(bars):
        own = strokes[bisect_left(bars, bar) : bisect_left(bars, bar + 1)]
        first, last = bisect_left(bars, bar - _PASSAGE), bisect_left(bars, bar + _PASSAGE + 1)
        yield own, strokes[first:last]


def _quantile(values: Sequence[int], share: float) -> int:
    return sorted(values)[round(share * (len(values) - 1))]
