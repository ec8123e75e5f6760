"""What the grid's pattern models learn from, and that they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drum2midi.beats.metrical import readings
from drum2midi.beats.strokes import Strokes
from drum2midi.drums import CLOSED_HAT, KICK, SNARE
from drum2midi.training import patterns
from drum2midi.training.mishear import corrupt
from drum2midi.training.patterns import excerpt, pulse_weights, utilities
from drum2midi.training.played import Performance, derive, load_performances
from drum2midi.training.ranker import fit_ranker
from drum2midi.transcription import Hit


def rock(bars: int = 16, beat: float = 0.5) -> Performance:
    """Eighths on the hat, kick on one and three, snare on two and four."""
    hits = []
    for eighth in range(8 * bars):
        time = eighth * beat / 2
        hits.append(Hit(time, CLOSED_HAT, 80))
        if eighth % 2 == 0:
            hits.append(Hit(time, SNARE if eighth % 4 else KICK, 100))
    return Performance(tuple(sorted(hits, key=lambda hit: hit.onset)), beat, 4)


def write_grooves(folder: Path) -> None:
    """A data set of two performances of the train split, of which one is in 4/4."""
    import mido

    for name in ("four", "three"):
        track = mido.MidiTrack(
            [
                mido.MetaMessage("set_tempo", tempo=600_000),
                mido.Message("note_on", note=36, velocity=90, time=0),
                mido.Message("note_on", note=38, velocity=70, time=480),
            ]
        )
        mido.MidiFile(tracks=[track], ticks_per_beat=480).save(folder / f"{name}.mid")
    (folder / "info.csv").write_text(
        "split,beat_type,time_signature,midi_filename\n"
        "train,beat,4-4,four.mid\ntrain,beat,3-4,three.mid\ntest,beat,4-4,missing.mid\n"
    )


def test_only_common_time_of_the_train_split_is_learnt_from(tmp_path: Path) -> None:
    write_grooves(tmp_path)
    (performance,) = load_performances(tmp_path)
    assert performance.beat == pytest.approx(0.6)
    assert [(hit.drum, hit.velocity) for hit in performance.hits] == [(KICK, 90), (SNARE, 70)]
    assert [hit.onset for hit in performance.hits] == pytest.approx([0, 0.6])


def test_pulse_weights_say_where_drums_fall() -> None:
    weights = pulse_weights([rock()])
    assert weights.sum(1) == pytest.approx(np.ones(8))
    kick, hat = weights[0], weights[4]
    assert kick.argmax() == 0
    assert hat[0] == pytest.approx(hat[6])


def test_derived_metres_have_whole_bars() -> None:
    counts = set()
    for seed in range(40):
        derived = derive(rock(), np.random.default_rng(seed))
        counts.add(derived.count)
        kicks = [hit.onset for hit in derived.hits if hit.drum is KICK]
        places = np.array(kicks) / derived.beat % derived.count
        assert np.any(np.minimum(places, derived.count - places) < 0.01)
        assert np.all(np.diff([hit.onset for hit in derived.hits]) >= 0)
    assert counts == {3, 5, 6, 7, 12}


def test_some_bars_of_six_have_a_backbeat_on_the_third_and_sixth() -> None:
    found = 0
    for seed in range(120):
        derived = derive(rock(), np.random.default_rng(seed))
        if derived.count != 6:
            continue
        places = {
            drum: {
                round(hit.onset / derived.beat * 2) % 12 for hit in derived.hits if hit.drum is drum
            }
            for drum in (KICK, SNARE)
        }
        found += places == {KICK: {0, 6}, SNARE: {4, 10}}
    assert found >= 3


def test_corrupted_strokes_are_mostly_the_played_ones() -> None:
    rng = np.random.default_rng(0)
    hits = rock().hits
    kept, times = [], np.array([hit.onset for hit in hits])
    for _ in range(20):
        heard = corrupt(hits, rng)
        kept.append(len(heard) / len(hits))
        assert np.median([np.abs(times - hit.onset).min() for hit in heard]) < 0.015
    assert 0.6 < np.mean(kept) < 1.1
    assert min(kept) < 0.9


def test_excerpt_knows_its_beats() -> None:
    for seed in range(10):
        part = excerpt(rock(64), np.random.default_rng(seed))
        assert np.all(np.isin(np.round(part.downbeats, 6), np.round(part.beats, 6)))
        assert part.beats[0] > part.hits[0].onset - 0.7
        assert len(part.downbeats) == pytest.approx(len(part.beats) / 4, abs=1)


def test_right_readings_have_the_highest_utility() -> None:
    performance = rock(16)
    strokes = Strokes.of(performance.hits)
    pulse = np.arange(-1, 66) * 0.5
    beats = np.arange(64) * 0.5
    best = max(
        (float(utility), reading)
        for found, _ in readings(strokes, pulse)
        for utility, reading in zip(utilities(found, beats, beats[::4], 4), found, strict=True)
        if utility > 2.4
    )
    assert best[0] == pytest.approx(2.5, abs=0.05)


def test_example_has_right_and_wrong_readings_of_equal_features() -> None:
    performances = [rock(32, beat) for beat in (0.4, 0.5, 0.6)]
    weights = pulse_weights(performances)
    made = [patterns.example(seed, performances, weights) for seed in range(6)]
    for one in filter(None, made):
        features, right, index = one
        assert features.shape[0] == len(right)
        assert 0 < right.sum() < len(right)
        assert index in range(3)
    again = patterns.example(1, performances, weights)
    assert made[1] is not None
    assert again is not None
    assert np.array_equal(made[1][0], again[0])


def test_ranker_learns_which_reading_is_right() -> None:
    rng = np.random.default_rng(0)
    examples = []
    for index in range(300):
        features = rng.normal(size=(12, 8)).astype(np.float16)
        right = np.arange(12) == features[:, 2].argmax()
        examples.append((features, right, index))
    net = fit_ranker(examples, members=1, epochs=30)
    found = []
    for features, right, _ in examples:
        scaled = (features - net["mean"]) / net["scale"]
        hidden = np.maximum(scaled @ net["w1"][0] + net["b1"][0], 0)
        hidden = np.maximum(hidden @ net["w2"][0] + net["b2"][0], 0)
        found.append(right[np.argmax(hidden @ net["w3"][0])])
    assert np.mean(found) > 0.8
