"""Learn what drummers play, for the grid: writes ``drum2midi/beats/patterns.npz``.

    python -m drum2midi.training.patterns GROOVES_DIR [--examples 3000] [--out FILE]

GROOVES_DIR is the Groove MIDI Dataset with its ``info.csv`` (Gillick et al., ICML 2019).
Only 4/4 performances of the train split are used; examples in other metres are made by
cutting and repeating their beats (`derive`). Each example is an excerpt whose strokes are
dropped, added, confused and moved as a transcriber would, tracked by the real tracker;
a small network learns to tell the right reading from the wrong ones (conditional
logistic regression, McFadden 1974, with hidden layers).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import mido
import numpy as np

from drum2midi.beats.metrical import Reading, readings
from drum2midi.beats.pulse import TICKS, steady_pulse, track_pulse
from drum2midi.beats.settle import phases, settle
from drum2midi.beats.strokes import CLASSES, Strokes
from drum2midi.drums import BY_MIDI, DRUMS
from drum2midi.training.ranker import fit_ranker
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCE: Final = 0.07  # seconds; a beat is right within this
_WRONG: Final = 70  # wrong readings kept of each example, at random
_HARD: Final = 40  # and these with the right beats and wrong bars


@dataclass(frozen=True)
class Performance:
    """Strokes played to a click that starts a bar at time zero.

    Attributes
    ----------
    hits : tuple of Hit
    beat : float
        Seconds.
    count : int
        Beats in a bar.
    """

    hits: tuple[Hit, ...]
    beat: float
    count: int


def load_performances(folder: Path) -> list[Performance]:
    """The 4/4 beats (not fills) of the train split."""
    with (folder / "info.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["split"], row["beat_type"], row["time_signature"]) == ("train", "beat", "4-4")
        ]
    return [_load(folder / row["midi_filename"]) for row in rows]


def _load(path: Path) -> Performance:
    """One performance; its ticks count from the click."""
    tempo, ticks = 500_000, []
    file = mido.MidiFile(path)
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "set_tempo":
                tempo = message.tempo
            elif message.type == "note_on" and message.velocity and message.note in BY_MIDI:
                ticks.append((now, message.note, message.velocity))
    beat = tempo / 1e6
    hits = [
        Hit(tick / file.ticks_per_beat * beat, BY_MIDI[note], velocity)
        for tick, note, velocity in sorted(ticks)
    ]
    return Performance(tuple(hits), beat, 4)


def pulse_weights(performances: Sequence[Performance]) -> NDArray[np.float64]:
    """How often each class falls on each place of the beat; shape (classes, TICKS)."""
    total = np.zeros((len(CLASSES), TICKS))
    for performance in performances:
        strokes = Strokes.of(performance.hits)
        place = np.round(strokes.times / performance.beat * TICKS).astype(int) % TICKS
        counts = np.zeros_like(total)
        np.add.at(counts, (strokes.classes, place), 1)
        total += counts / max(len(place), 1)
    share = total / total.sum(1, keepdims=True)
    return np.asarray(0.9 * share + 0.1 / TICKS)


# How bars of other metres are put together from the pieces (quarters or eighths) of a 4/4 bar:
# beats in the bar, quarters in a piece, and orders of pieces that keep kick and backbeat apart.
_CUTS: Final[tuple[tuple[int, float, tuple[str, ...]], ...]] = (
    (3, 1.0, ("013", "012", "011", "033", "023")),
    (3, 1.0, ("013", "012", "011", "033", "023")),
    (5, 1.0, ("01231", "01233", "01201", "01023", "01223")),
    (7, 1.0, ("0123013", "0123012", "0120123", "0123123")),
    (7, 0.5, ("0123456", "0123467", "0124567", "0123455")),
    (5, 0.5, ("01236", "01232", "01423", "01456", "01123")),
)
_EARLY: Final = 0.12  # quarters; so far ahead of the click a stroke may be played


def derive(performance: Performance, rng: np.random.Generator) -> Performance:
    """The same drumming in another metre, as it might have been played."""
    choice = int(rng.integers(len(_CUTS) + 3))
    if choice >= len(_CUTS):
        return _in_threes(performance, 12 if choice > len(_CUTS) + 1 else 6, rng)
    count, piece, orders = _CUTS[choice]
    order = [int(digit) for digit in orders[rng.integers(len(orders))]]
    pieces: dict[int, list[tuple[float, Hit]]] = {}
    for hit in performance.hits:
        quarters = hit.onset / performance.beat
        index = int(np.floor((quarters + _EARLY) / piece))
        pieces.setdefault(index, []).append((quarters - index * piece, hit))
    in_bar = round(4 / piece)
    beat = performance.beat * (rng.uniform(0.75, 1.1) if piece < 1 else 1.0)
    hits = [
        replace(hit, onset=(bar * len(order) + place) * piece * beat + quarters * beat)
        for bar in range(max(pieces, default=0) // in_bar + 1)
        for place, source in enumerate(order)
        for quarters, hit in pieces.get(bar * in_bar + source, ())
    ]
    return _performance(hits, beat * piece, count)


def _in_threes(performance: Performance, count: int, rng: np.random.Generator) -> Performance:
    """6/8 or 12/8: the second eighth of every quarter comes again as a third."""
    eighth = performance.beat / 2 * rng.uniform(0.9, 1.9 if count == 6 else 1.3)
    full = rng.random() < 0.75
    hits = []
    for hit in performance.hits:
        quarters = hit.onset / performance.beat
        beat = np.floor(quarters + _EARLY)
        eighths = 2 * (quarters - beat)
        if eighths >= 0.76 and not full and rng.random() < 0.5:
            eighths += 1
        hits.append(replace(hit, onset=(3 * beat + eighths) * eighth))
        cymbal = hit.drum.scoring in ("HH", "CY")
        if eighths >= 0.76 and full and rng.random() < (0.9 if cymbal else 0.3):
            hits.append(replace(hit, onset=(3 * beat + eighths + 1) * eighth))
    return _performance(hits, eighth, count)


def _performance(hits: list[Hit], beat: float, count: int) -> Performance:
    """With its strokes in order, and none before the start."""
    ordered = sorted(hits, key=lambda hit: hit.onset)
    kept = tuple(replace(hit, onset=max(float(hit.onset), 0.0)) for hit in ordered)
    return Performance(kept, float(beat), count)


def corrupt(hits: Sequence[Hit], rng: np.random.Generator) -> list[Hit]:
    """Strokes as a transcriber would hear them: some missed, wrong, invented, moved."""
    drop, wrong, false = rng.uniform(0, 0.2), rng.uniform(0, 0.08), rng.uniform(0, 0.1)
    jitter = rng.uniform(0, 0.01)
    heard = []
    for hit in hits:
        soft = 2 - hit.velocity / 64 if hit.velocity < 64 else 0.6
        if rng.random() < drop * soft:
            continue
        drum = DRUMS[rng.integers(len(DRUMS))] if rng.random() < wrong else hit.drum
        velocity = int(np.clip(hit.velocity + rng.normal(0, 12), 1, 127))
        confidence = float(np.clip(rng.normal(0.85, 0.1), 0.3, 1))
        heard.append(Hit(hit.onset + rng.normal(0, jitter), drum, velocity, confidence))
    for onset in rng.uniform(hits[0].onset, hits[-1].onset, int(len(hits) * false)):
        drum = DRUMS[rng.integers(len(DRUMS))]
        heard.append(Hit(float(onset), drum, int(rng.integers(20, 90)), 0.5))
    return [replace(hit, onset=max(hit.onset, 0.0)) for hit in heard]


def excerpt(
    performance: Performance, rng: np.random.Generator
) -> tuple[list[Hit], NDArray[np.float64], NDArray[np.float64]]:
    """Some seconds of a performance, as heard, with the times of its beats and downbeats."""
    end = performance.hits[-1].onset
    length = min(end, float(np.exp(rng.uniform(np.log(8), np.log(80)))))
    start = 0.0 if rng.random() < 0.3 else rng.uniform(0, max(end - length, 1e-6))
    bar = performance.beat * performance.count
    if rng.random() < 0.7:
        start = np.floor(start / bar) * bar - 0.05
    speed = float(np.exp(rng.normal(0, 0.06)))
    hits = [
        replace(hit, onset=hit.onset * speed)
        for hit in performance.hits
        if start <= hit.onset <= start + length
    ]
    if not hits:
        return [], np.empty(0), np.empty(0)
    beat = performance.beat * speed
    number = np.arange(np.ceil((hits[0].onset - 0.1) / beat), hits[-1].onset / beat + 0.2)
    if rng.random() < 0.75 and len(hits) > 1:
        hits = corrupt(hits, rng)
    return hits, number * beat, number[number % performance.count == 0] * beat


def _agreement(places: NDArray[np.float64], tolerance: float) -> float:
    """F-measure of whole numbers against where true beats lie, counted in estimated ones."""
    right = np.abs(places - np.round(places)) < tolerance
    recall = float(right.mean())
    precision = min(float(right.sum()) / max(float(places[-1] - places[0]) + 1, 1), 1.0)
    return 2 * recall * precision / (recall + precision + 1e-9)


def utilities(
    found: Sequence[Reading],
    beats: NDArray[np.float64],
    downbeats: NDArray[np.float64],
    count: int,
) -> NDArray[np.float64]:
    """How right readings of one level are: F of beats and downbeats, half a point for metre."""
    level = found[0]
    at = (phases(beats, level.pulse) - level.offset) / level.ratio
    beat_f = _agreement(at, _TOLERANCE / level.period)
    bars = (phases(downbeats, level.pulse) - level.offset) / level.ratio
    utility = []
    for reading in found:
        place = (bars - reading.downbeat) / reading.count
        bar_f = _agreement(place, _TOLERANCE / reading.period / reading.count)
        utility.append(beat_f + bar_f + 0.5 * (reading.count == count and bar_f > 0.8))
    return np.array(utility)


def example(
    seed: int, performances: Sequence[Performance], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float16], NDArray[np.bool_], int] | None:
    """Features of some readings of an excerpt, which are right, and the performance's index."""
    rng = np.random.default_rng(seed)
    index = int(rng.integers(len(performances)))
    performance = performances[index]
    if rng.random() < 0.4 and performance.hits:
        performance = derive(performance, rng)
    if len(performance.hits) < 8:
        return None
    hits, beats, downbeats = excerpt(performance, rng)
    if len(hits) < 8 or len(downbeats) < 1:
        return None
    strokes = Strokes.of(hits)
    tracked = settle(track_pulse(strokes, weights), strokes)
    rows, scores = [], []
    for pulse in (tracked, steady_pulse(strokes, tracked)):
        for found, features in readings(strokes, pulse):
            rows.append(features)
            scores.append(utilities(found, beats, downbeats, performance.count))
    utility, features = np.concatenate(scores), np.concatenate(rows)
    right = utility > utility.max() - 0.1
    if utility.max() < 2.2:
        return None
    wrong = np.flatnonzero(~right)
    hard = wrong[np.argsort(-utility[wrong])[:_HARD]]
    some = rng.choice(wrong, min(_WRONG, len(wrong)), replace=False)
    kept = np.unique(np.concatenate([np.flatnonzero(right)[:20], hard, some]))
    return features[kept].astype(np.float16), right[kept], index


def main(argv: Sequence[str] | None = None) -> None:
    """Train and write the parameters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("grooves", type=Path)
    parser.add_argument("--examples", type=int, default=3000)
    parser.add_argument("--members", type=int, default=2, help="networks in the ensemble")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "beats" / "patterns.npz"
    )
    options = parser.parse_args(argv)
    performances = load_performances(options.grooves)
    weights = pulse_weights(performances)
    make = partial(example, performances=performances, weights=weights)
    with ProcessPoolExecutor(options.processes) as pool:
        made = [e for e in pool.map(make, range(options.examples), chunksize=32) if e]
    print(f"{len(made)} examples of {options.examples} have a right reading")
    network = fit_ranker(made, members=options.members)
    arrays: dict[str, Any] = {"pulse": weights, **network}
    halved = {name: value.astype(np.float16) for name, value in arrays.items()}
    np.savez_compressed(options.out, **halved)


if __name__ == "__main__":
    main()
