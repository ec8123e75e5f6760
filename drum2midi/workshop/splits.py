"""Splits: songs shared out between train, validation and test, and rare classes repeated.

A song is never divided. Songs are dealt out so that every split holds its share of
every class, after K. Sechidis et al., *On the Stratification of Multi-Label Data*
(ECML PKDD 2011): the song with the rarest class first, to the split that lacks it most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLITS: Final = ("train", "validation", "test")
_MOST_COPIES: Final = 20


def split_songs(
    counts: Mapping[str, NDArray[np.int64]], shares: Sequence[float], *, seed: int
) -> dict[str, str]:
    """Share songs out, stratified by class.

    Parameters
    ----------
    counts : mapping
        Strokes of every class, shape (classes,), by song.
    shares : sequence of float
        Of train, validation and test; a share of 0 leaves that split empty.
    seed : int
        Breaks ties.

    Returns
    -------
    dict
        The split of every song.

    Raises
    ------
    InputError
        If there are fewer songs than splits wanted.
    """
    wanted = np.asarray(shares, np.float64) / sum(shares)
    used = [i for i in range(len(SPLITS)) if wanted[i] > 0]
    if len(counts) < len(used):
        raise InputError(
            f"{len(counts)} song{'s' if len(counts) != 1 else ''} cannot be shared out between "
            f"{' and '.join(SPLITS[i] for i in used)}: a song is never divided"
        )
    names = sorted(counts)
    order = np.random.default_rng(seed).permutation(len(names))
    names = [names[i] for i in order]
    table = np.array([counts[name] for name in names], np.float64)
    place = _deal(table, wanted, used)
    _settle(table, wanted, used, place)
    return {name: SPLITS[int(i)] for name, i in zip(names, place, strict=True)}


def _deal(
    table: NDArray[np.float64], wanted: NDArray[np.float64], used: Sequence[int]
) -> NDArray[np.int64]:
    """First deal: songs with the rarest classes first."""
    total = np.maximum(table.sum(axis=0), 1.0)
    rarity = (table / total).max(axis=1)
    place = np.full(len(table), -1, np.int64)
    have = np.zeros((len(wanted), table.shape[1]))
    songs = np.zeros(len(wanted))
    for song in np.argsort(-rarity, kind="stable"):
        weight = (table[song] > 0) / total
        lack = [
            float(((wanted[i] - have[i] / total) * weight).sum() / max(weight.sum(), 1e-9))
            + 1e-3 * (wanted[i] - songs[i] / len(table))
            for i in used
        ]
        best = used[int(np.argmax(lack))]
        place[song] = best
        have[best] += table[song]
        songs[best] += 1
    return place


def _settle(
    table: NDArray[np.float64],
    wanted: NDArray[np.float64],
    used: Sequence[int],
    place: NDArray[np.int64],
) -> None:
    """Move single songs, or swap two, while that brings the splits closer to their shares."""
    best = _unevenness(table, wanted, used, place)
    moved = True
    while moved:
        moved = False
        for song in range(len(place)):
            for split in used:
                before = place[song]
                if split == before:
                    continue
                place[song] = split
                now = _unevenness(table, wanted, used, place)
                if now < best - 1e-9:
                    best, moved = now, True
                else:
                    place[song] = before


def _unevenness(
    table: NDArray[np.float64],
    wanted: NDArray[np.float64],
    used: Sequence[int],
    place: NDArray[np.int64],
) -> float:
    total = np.maximum(table.sum(axis=0), 1.0)
    songs_with = (table > 0).sum(axis=0)
    cost = 0.0
    for i in used:
        own = table[place == i]
        share = own.sum(axis=0) / total
        cost += float((((share - wanted[i]) ** 2) / wanted[i])[songs_with > 0].sum())
        # What train lacks is never learnt, what another split lacks not judged.
        must = songs_with >= (1 if i == 0 else len(used))
        cost += (8.0 if i == 0 else 2.0) * float(((share == 0) & must).sum())
        cost += 1000.0 * (len(own) == 0)
    return cost


def copies(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often to take every recording so that its classes come about equally often.

    Upsampling: nothing is left out, recordings that hold rare classes are repeated, the
    purest first; none more than twenty times.

    Parameters
    ----------
    counts : int64, shape (recordings, classes)

    Returns
    -------
    int64, shape (recordings,)
        At least 1.
    """
    taken = np.ones(len(counts), np.int64)
    rows = counts.astype(np.float64)
    size = np.maximum(rows.sum(axis=1), 1.0)
    have = rows.sum(axis=0)
    exhausted = have == 0
    while not exhausted.all():
        target = have.max()
        lacking = ~exhausted & (have < 0.95 * target)
        if not lacking.any():
            break
        rarest = int(np.argmin(np.where(lacking, have, np.inf)))
        gain = rows[:, rarest] / size / taken
        gain[taken >= _MOST_COPIES] = 0.0
        chosen = int(np.argmax(gain))
        # A recording that adds more of the commonest class than of the rare one is no help.
        if gain[chosen] <= 0.0 or rows[chosen, rarest] < rows[chosen, int(np.argmax(have))]:
            exhausted[rarest] = True
            continue
        taken[chosen] += 1
        have += rows[chosen]
    return taken
