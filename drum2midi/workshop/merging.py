"""Several people's labels of one recording become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Final

from drum2midi.drums import DRUMS
from drum2midi.errors import InputError
from drum2midi.files import sha256_of
from drum2midi.workshop.labels import Label, Labels

SAME_STROKE: Final = 0.025
"""Seconds within which two people's onsets are one stroke."""

_STEP: Final = 1e-3  # seconds


@dataclass(frozen=True)
class Merged:
    """What several people agree on, and what they do not.

    Attributes
    ----------
    labels : Labels
        Strokes that a majority settles, or that one person alone labelled.
    disputes : tuple of tuple of Label
        For each other stroke, what each who labelled it said.
    """

    labels: Labels
    disputes: tuple[tuple[Label, ...], ...]


def merge(people: Sequence[Labels]) -> Labels:
    """The strokes on which several people's labels agree; see `merge_labels`."""
    return merge_labels(people).labels


def merge_labels(people: Sequence[Labels]) -> Merged:
    """Put several people's labels of one recording together.

    Onsets of different people within `SAME_STROKE` are one stroke, closest pairs first. Who did
    not label a stroke has no vote on it. A drum was struck if more than half of the votes
    say so; where the votes on any drum are even, the whole stroke is a dispute, since whatever
    were made of it half of the people would call wrong. Its time is the mean, its velocity the
    median of those given, its date the latest.

    Parameters
    ----------
    people : sequence of Labels
        Each person's, of the same recording: the same file or copies of it.

    Returns
    -------
    Merged

    Raises
    ------
    InputError
        If there are none, or they are not of one recording.
    """
    if not people:
        raise InputError("no labels to merge")
    for other in people[1:]:
        if not _same_audio(people[0].audio, other.audio):
            raise InputError(
                f"{other.audio}: not the same recording as {people[0].audio}, "
                "so their labels cannot be merged"
            )
    agreed, disputes = [], []
    for stroke in _strokes(people):
        settled = _vote(stroke)
        if settled is None:
            disputes.append(stroke)
        else:
            agreed.append(settled)
    return Merged(Labels(people[0].audio, _apart(agreed)), tuple(disputes))


def _apart(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Labels by time, no two at one: means of crossing pairs can be the same."""
    ordered: list[Label] = []
    for label in sorted(labels, key=lambda label: label.onset):
        if ordered and label.onset <= ordered[-1].onset:
            label = replace(label, onset=round(ordered[-1].onset + _STEP, 6))
        ordered.append(label)
    return tuple(ordered)


def _strokes(people: Sequence[Labels]) -> list[tuple[Label, ...]]:
    """Labels of one stroke together, at most one of each person; by time."""
    votes = sorted(
        ((label, who) for who, one in enumerate(people) for label in one.labels),
        key=lambda vote: vote[0].onset,
    )
    group = {index: [index] for index in range(len(votes))}
    for _, first, second in sorted(_near(votes)):
        both = sorted({*group[first], *group[second]})
        voters = [votes[index][1] for index in both]
        fits = votes[both[-1]][0].onset - votes[both[0]][0].onset <= SAME_STROKE
        if fits and len(voters) == len(set(voters)):
            group.update(dict.fromkeys(both, both))
    return [
        tuple(votes[index][0] for index in members)
        for first, members in group.items()
        if members[0] == first
    ]


def _near(votes: Sequence[tuple[Label, int]]) -> list[tuple[float, int, int]]:
    """Pairs of different people's labels that may be one stroke, with their distance."""
    pairs = []
    for first, (label, who) in enumerate(votes):
        for second in range(first + 1, len(votes)):
            apart = votes[second][0].onset - label.onset
            if apart > SAME_STROKE:
                break
            if votes[second][1] != who:
                pairs.append((apart, first, second))
    return pairs


def _vote(stroke: Sequence[Label]) -> Label | None:
    """What the majority says of a stroke; None if the votes on a drum are even."""
    votes = {drum: sum(drum in label.drums for label in stroke) for drum in DRUMS}
    if any(2 * count == len(stroke) for count in votes.values()):
        return None
    velocities = [label.velocity for label in stroke if label.velocity is not None]
    return Label(
        round(mean(label.onset for label in stroke), 6),
        tuple(drum for drum in DRUMS if 2 * votes[drum] > len(stroke)),
        round(median(velocities)) if velocities else None,
        ", ".join(sorted({name for label in stroke for name in label.who.split(", ") if name})),
        max(label.when for label in stroke),
    )


def _same_audio(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other) or sha256_of(one) == sha256_of(other)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from None
