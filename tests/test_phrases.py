"""Which beat of a bar is the first, by what comes before and after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drum2midi.beats import phrases, track_beats
from drum2midi.beats.metrical import fold, readings
from drum2midi.beats.phrases import (
    DILATIONS,
    MARGIN,
    METRES,
    Evidence,
    heed_phrases,
    shares,
    with_margins,
)
from drum2midi.beats.strokes import Strokes
from drum2midi.drums import CLOSED_HAT, CRASH, HIGH_TOM, KICK, SNARE
from drum2midi.training.played import Performance
from drum2midi.transcription import Hit

BEAT = 0.5


def even(bars: int, *, first: int) -> list[Hit]:
    """Bars whose halves are alike: only a crash after a fill, every fourth bar, says the first."""
    hits = []
    for beat in range(4 * bars):
        place = (beat - first) % 16
        filled = place >= 14
        for half in (0.0, 0.5):
            hits.append(Hit((beat + half) * BEAT, HIGH_TOM if filled else CLOSED_HAT, 90))
        hits.append(Hit(beat * BEAT, SNARE if (beat - first) % 2 else KICK, 100))
        if place == 0:
            hits.append(Hit(beat * BEAT, CRASH, 110))
    return sorted(hits, key=lambda hit: hit.onset)


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_a_crash_after_a_fill_begins_a_bar(first: int) -> None:
    strokes = Strokes.of(even(16, first=first))
    folded = fold(strokes, BEAT * np.arange(64), 1.0, 0.0)
    evidence = Evidence.of(folded).downbeats(4)
    assert np.argmax(evidence) == (first - folded.origin) % 4
    assert np.sort(evidence)[-1] - np.sort(evidence)[-2] > 1.0
    grid = track_beats(even(16, first=first), duration=33.0)
    downbeats = np.array([bar.beats[0] for bar in grid.bars[1:]]) / BEAT
    assert downbeats % 4 == pytest.approx(np.full(len(downbeats), first), abs=0.05)


def test_levels_stay_as_likely_as_they_were() -> None:
    strokes = Strokes.of(even(8, first=1))
    rng = np.random.default_rng(0)
    limits = {3: (0.3, 0.6), 4: (0.3, 0.6), 9: (0.3, 0.6)}
    levels = [level for level, _ in readings(strokes, BEAT * np.arange(34), limits=limits)]
    ranked = [(level, rng.normal(0, 2, len(level))) for level in levels]
    ranked[0][1][:] -= 20  # hopeless
    heeded = heed_phrases(ranked, strokes)
    assert [readings for readings, _ in heeded] == levels
    for (level, before), (_, after) in zip(ranked, heeded, strict=True):
        assert np.logaddexp.reduce(after) == pytest.approx(np.logaddexp.reduce(before))
        moved = level is not levels[0] and level[0].count != 9
        assert (np.ptp(after - before) > 0.01) == moved


def test_every_bar_counts_alike_and_more_bars_more() -> None:
    counted = shares(10, 4)
    assert counted.sum(0) == pytest.approx(np.full(4, np.sqrt(2.5)))
    assert (counted > 0).sum(0).tolist() == [3, 3, 2, 2]
    assert shares(3, 4).sum(0) == pytest.approx([0.75**0.5] * 3 + [0.0])


@pytest.mark.parametrize(("begins", "ends"), [(True, True), (False, True), (True, False)])
def test_margins_say_whether_the_piece_goes_on(begins: bool, ends: bool) -> None:
    folded = fold(Strokes.of(even(2, first=0)), BEAT * np.arange(10), 1.0, 0.0)
    told = with_margins(folded, begins=begins, ends=ends)
    beats, width = folded.cells.shape
    assert told.shape == (beats + 2 * MARGIN, width + 3)
    np.testing.assert_array_equal(told[MARGIN:-MARGIN, :width], np.sqrt(folded.cells))
    assert not told[:MARGIN, :width].any()
    assert told[:, width:].sum(1).tolist() == [1.0] * len(told)  # each row is one of the three
    assert told[0, width:].tolist() == [0.0, float(begins), float(not begins)]
    assert told[-1, width:].tolist() == [0.0, float(ends), float(not ends)]
    assert told[MARGIN, width:].tolist() == [1.0, 0.0, 0.0]


def test_what_runs_is_what_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers in NumPy against the same layers in Keras, with weights at random."""
    keras = pytest.importorskip("keras", reason="needs drum2midi[train]")
    from drum2midi.training.phrases import _network, _weights

    folded = fold(Strokes.of(even(6, first=2)), BEAT * np.arange(26), 1.0, 0.0)
    told = with_margins(folded)
    keras.utils.set_random_seed(3)
    layers, _ = _network(told.shape[1])
    heard = layers[0](told[None])
    for convolution in layers[1:-1]:
        heard = heard + convolution(heard)
    expected = np.asarray(layers[-1](heard))[0]
    assert np.ptp(expected) > 0.1
    one = {name: value[None] for name, value in _weights(layers).items()}
    monkeypatch.setattr(phrases, "model", lambda: one)
    np.testing.assert_allclose(phrases._listen(told), expected, atol=1e-5)


def test_the_shipped_networks_are_of_this_shape() -> None:
    net = phrases.model()
    members, numbers, hidden = net["in"].shape
    assert (
        numbers == fold(Strokes.of(even(1, first=0)), BEAT * np.arange(6), 1, 0).cells.shape[1] + 3
    )
    assert net["conv"].shape == (members, len(DILATIONS), 3, hidden, hidden)
    assert net["out"].shape == (members, hidden, len(METRES))


def test_examples_know_the_first_beat() -> None:
    from drum2midi.training.phrases import examples

    song = Performance(tuple(even(16, first=0)), BEAT, 4)
    made = examples([song], 60)
    assert len(made) > 50
    assert {one.count for one in made} >= {3, 4}
    kick = 0  # of the classes; in these bars only first and third beats have one
    for one in (one for one in made if one.count == 4):
        on_beat = one.told[MARGIN:-MARGIN, kick].astype(float)
        places = (np.arange(len(on_beat)) - one.first) % 4
        assert on_beat[places % 2 == 0].sum() > on_beat[places % 2 == 1].sum()


def test_a_network_learns_and_is_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.training.phrases import _over, _trainer, examples, fit_network

    song = Performance(tuple(even(16, first=0)), BEAT, 4)
    train = examples([song], 48)
    model = _trainer(train[0].told.shape[1], steps=60)[1]
    rng = np.random.default_rng(0)
    first = _over(model.train_on_batch, train, rng)
    for _ in range(12):
        last = _over(model.train_on_batch, train, rng)
    assert float(last.split()[1].rstrip(",")) < 0.7 * float(first.split()[1].rstrip(","))
    network = fit_network(train, train[:8], epochs=1)
    assert {name: value.shape for name, value in network.items()} == {
        name: value.shape[1:] for name, value in phrases.model().items()
    }
