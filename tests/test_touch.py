"""What is marked as played harder than the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from drum2midi.drums import CLOSED_HAT, Drum
from drum2midi.sheet.touch import accents
from drum2midi.transcription import Note


def part(
    velocities: Sequence[Callable[[int], int]], *, bars: int = 16, drum: Drum = CLOSED_HAT
) -> list[Note]:
    """Eighths, each as loud as a function of its bar says."""
    return [
        Note(bar, Fraction(i, 2), drum, velocity(bar), 2.0 * bar + 0.25 * i)
        for bar in range(bars)
        for i, velocity in enumerate(velocities)
    ]


def places(notes: Sequence[Note], start: int = 0, end: int = 16) -> set[tuple[int, Fraction]]:
    return {(note.bar, note.position) for note in accents(notes, set()) if start <= note.bar < end}


def usual(_: int) -> int:
    return 70


def test_a_place_of_a_groove_is_accented_throughout_or_not_at_all() -> None:
    # The third eighth is just beside what stands out, mostly above it or mostly below.
    mostly = part([usual, usual, lambda bar: 88 if bar % 4 == 3 else 95, *[usual] * 5])
    assert places(mostly) == {(bar, Fraction(1)) for bar in range(16)}
    rarely = part([usual, usual, lambda bar: 95 if bar % 4 == 3 else 88, *[usual] * 5])
    assert places(rarely) == set()


def test_what_stands_out_from_its_own_place_is_accented() -> None:
    once = part([usual, usual, lambda bar: 120 if bar == 9 else 88, *[usual] * 5])
    assert places(once) == {(9, Fraction(1))}


def test_an_accent_at_a_place_of_its_own_stays() -> None:
    notes = [*part([usual] * 8), Note(9, Fraction(1, 4), CLOSED_HAT, 95, 18.125)]
    assert places(notes) == {(9, Fraction(1, 4))}
