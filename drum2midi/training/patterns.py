"""Learn what drummers play, for the grid: writes ``drum2midi/beats/patterns.npz``.

    OMP_NUM_THREADS=1 python -m drum2midi.training.patterns GROOVES_DIR [--styles DIR] [--out FILE]

GROOVES_DIR is the Groove MIDI Dataset with its ``info.csv`` (Gillick et al., ICML 2019).
Only 4/4 performances of the train split are used; examples in other metres are made by
cutting and repeating their beats (`played.derive`), and half of the networks see songs that
swing and songs in other metres besides (`drum2midi.training.styles`), and simple ones in every
metre and tempo (`drum2midi.training.textbook`). Each example is an
excerpt whose strokes are dropped, added, confused and moved as a transcriber would, tracked
by the real tracker; a small network learns to tell the right reading from the wrong ones
(conditional logistic regression, McFadden 1974, with hidden layers).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.beats.metrical import Reading, readings
from drum2midi.beats.pulse import TICKS, steady_pulse, track_pulse
from drum2midi.beats.settle import phases, settle
from drum2midi.beats.strokes import CLASSES, Strokes
from drum2midi.errors import InputError
from drum2midi.training.mishear import corrupt
from drum2midi.training.played import (
    Performance,
    derive,
    load_performances,
    load_styles,
    loosen,
)
from drum2midi.training.ranker import Example, fit_ranker
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCE: Final = 0.07  # seconds; a beat is right within this
_NEAR: Final = 14  # levels and metres kept whole, those with the best readings
_OTHERS: Final = 24  # others, at random, of each of which
_OF_OTHERS: Final = 2  # readings are kept
_FEWEST: Final = 8  # strokes that are worth a look
_DERIVED: Final = 0.4  # of the performances in 4/4


def pulse_weights(performances: Sequence[Performance]) -> NDArray[np.float64]:
    """How often each class falls on each place of the beat; shape (classes, TICKS)."""
    total = np.zeros((len(CLASSES), TICKS))
    for performance in performances:
        strokes = Strokes.of(performance.hits)
        place = np.round(strokes.times / performance.beat * TICKS).astype(int) % TICKS
        counts = np.zeros_like(total)
        np.add.at(counts, (strokes.classes, place), 1)
        total += counts / max(len(place), 1)
    total[~total.any(1)] = 1
    share = total / total.sum(1, keepdims=True)
    return np.asarray(0.9 * share + 0.1 / TICKS)


@dataclass(frozen=True)
class Excerpt:
    """Some seconds of a performance, as heard.

    Attributes
    ----------
    hits : list of Hit
    beats, downbeats : array
        Seconds.
    count : int
        Beats in a bar.
    begins, ends : bool
        Whether the performance begins and ends with it.
    """

    hits: list[Hit]
    beats: NDArray[np.float64]
    downbeats: NDArray[np.float64]
    count: int
    begins: bool
    ends: bool


def excerpt(performance: Performance, rng: np.random.Generator) -> Excerpt:
    """Some seconds of a performance, as heard; from its beginning as often as not."""
    end = performance.hits[-1].onset
    length = min(end, float(np.exp(rng.uniform(np.log(5), np.log(90)))))
    begins = length == end or rng.random() < 0.5
    start = 0.0 if begins else rng.uniform(0, end - length)
    # Far from the tempo it was played at as often as near: else tempi that the grooves happen to
    # have look right, and faster ones like half as fast.
    speed = float(np.exp(rng.normal(0, 0.06 if rng.random() < 0.5 else 0.25)))
    hits = [
        replace(hit, onset=hit.onset * speed)
        for hit in performance.hits
        if start <= hit.onset <= start + length
    ]
    ends = start + length >= end
    if len(hits) < _FEWEST:
        return Excerpt([], np.empty(0), np.empty(0), performance.count, begins, ends)
    beat = performance.beat * speed
    number = np.arange(np.ceil((hits[0].onset - 0.1) / beat), hits[-1].onset / beat + 0.2)
    if rng.random() < 0.8:
        hits = corrupt(hits, rng)
    downbeats = number[number % performance.count == 0]
    return Excerpt(hits, number * beat, downbeats * beat, performance.count, begins, ends)


def hear(performance: Performance, rng: np.random.Generator) -> Excerpt | None:
    """An excerpt of a performance, perhaps in another metre; none if there is too little of it."""
    if not performance.by_hand:
        performance = loosen(performance, rng)
    elif performance.hits and rng.random() < _DERIVED:
        performance = derive(performance, rng)
    if len(performance.hits) < _FEWEST:
        return None
    heard = excerpt(performance, rng)
    return heard if len(heard.hits) >= _FEWEST and len(heard.downbeats) else None


def _agreement(places: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """F-measure of whole numbers against where true beats lie, counted in estimated ones."""
    right = np.sum(np.abs(places - np.round(places)) < tolerance, axis=-1)
    recall = right / places.shape[-1]
    precision = np.minimum(right / np.maximum(places[..., -1] - places[..., 0] + 1, 1), 1.0)
    return np.asarray(2 * recall * precision / (recall + precision + 1e-9))


def utilities(
    found: Sequence[Reading],
    beats: NDArray[np.float64],
    downbeats: NDArray[np.float64],
    count: int,
) -> NDArray[np.float64]:
    """How right readings of one level and metre are: F of beats and downbeats, half for metre."""
    level = found[0]
    at = (phases(beats, level.pulse) - level.offset) / level.ratio
    beat_f = _agreement(at, _TOLERANCE / level.period)
    bars = (phases(downbeats, level.pulse) - level.offset) / level.ratio
    first = np.array([reading.downbeat for reading in found])
    places = (bars - first[:, None]) / level.count
    bar_f = _agreement(places, _TOLERANCE / level.period / level.count)
    return np.asarray(beat_f + bar_f + 0.5 * ((level.count == count) & (bar_f > 0.8)))


def example(
    seed: int, performances: Sequence[Performance], weights: NDArray[np.float64]
) -> Example | None:
    """Features of some readings of an excerpt, which are right, and the performance's index."""
    rng = np.random.default_rng(seed)
    index = int(rng.integers(len(performances)))
    heard = hear(performances[index], rng)
    if heard is None:
        return None
    strokes = Strokes.of(heard.hits)
    tracked = settle(track_pulse(strokes, weights), strokes)
    pulses = [tracked, steady_pulse(strokes, tracked)]
    if rng.random() < 0.7:
        pulses = [pulses[rng.integers(2)]]
    groups = [
        (describe, utilities(found, heard.beats, heard.downbeats, heard.count))
        for pulse in pulses
        for found, describe in readings(strokes, pulse, begins=heard.begins, ends=heard.ends)
    ]
    best = max(utility.max() for _, utility in groups)
    if best < 2.2:
        return None
    rows, right = [], []
    for describe, good, chosen in _chosen(groups, best - 0.1, rng):
        rows.append(describe()[chosen])
        right.append(good[chosen])
    return np.concatenate(rows).astype(np.float16), np.concatenate(right), index


def _chosen(
    groups: Sequence[tuple[Callable[[], NDArray[np.float32]], NDArray[np.float64]]],
    least: float,
    rng: np.random.Generator,
) -> Iterator[tuple[Callable[[], NDArray[np.float32]], NDArray[np.bool_], NDArray[np.int64]]]:
    """Some readings of an example: the right ones, the nearly right ones, some others."""
    highest = np.array([utility.max() for _, utility in groups])
    near = np.argsort(-highest)[:_NEAR]
    others = rng.permutation(len(groups))[:_OTHERS]
    for group in np.union1d(near, others):
        describe, utility = groups[group]
        good = utility > least
        if group in near:
            yield describe, good, np.arange(len(utility))
        else:
            some = rng.permutation(len(utility))[:_OF_OTHERS]
            yield describe, good, np.union1d(some, np.flatnonzero(good))


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the parameters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("grooves", type=Path)
    parser.add_argument("--examples", type=int, default=6000)
    parser.add_argument("--held-out", type=int, default=0, help="watch every so many-th one")
    parser.add_argument("--members", type=int, default=6, help="networks in the ensemble")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "beats" / "patterns.npz"
    )
    parser.add_argument(
        "--styles", type=Path, help="songs of drum2midi.training.styles and textbook"
    )
    parser.add_argument("--styled", type=int, default=5800, help="examples of them")
    options = parser.parse_args(argv)
    performances = load_performances(options.grooves)
    try:
        styles = load_styles(options.styles) if options.styles else []
    except InputError as error:
        parser.error(str(error))
    weights = pulse_weights(performances)
    count, most = options.examples, options.examples + options.styled
    with ProcessPoolExecutor(options.processes) as pool:
        make = partial(example, performances=performances, weights=weights)
        made = [e for e in pool.map(make, range(count), chunksize=32) if e]
        print(f"{len(made)} examples of {count} have a right reading")
        styled: list[Example] = []
        if styles:
            make = partial(example, performances=styles, weights=weights)
            styled = [e for e in pool.map(make, range(count, most), chunksize=32) if e]
            print(f"{len(styled)} of {options.styled} of styles, too")
    network = fit_ranker(made, styled, members=options.members, held_out=options.held_out)
    arrays: dict[str, Any] = {"pulse": weights, **network}
    halved = {name: value.astype(np.float16) for name, value in arrays.items()}
    np.savez_compressed(options.out, **halved)


if __name__ == "__main__":
    main()
