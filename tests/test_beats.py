"""Bars and beats of synthetic rhythms come out as they were played."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from drum2midi.beats import track_beats
from drum2midi.drums import CLOSED_HAT, CRASH, DRUMS, HIGH_TOM, KICK, SNARE, Drum
from drum2midi.errors import InputError
from drum2midi.transcription import Grid, Hit, Metre

# One bar each, by eighth: k kick, s snare, h hat; beats in the bar; eighths in a beat.
ROCK = ("kh h sh h kh kh sh h", 4, 2)
WALTZ = ("kh h sh h sh h", 3, 2)
SLOW_SIX = ("kh h h sh h h", 6, 1)
NAMES: dict[str, Drum] = {"k": KICK, "s": SNARE, "h": CLOSED_HAT, "c": CRASH}


def play(
    pattern: tuple[str, int, int],
    *,
    bars: int = 16,
    eighth: float = 0.25,
    start: float = 0.5,
    jitter: float = 0.0,
    drift: float = 0.0,
    seed: int = 0,
) -> tuple[list[Hit], np.ndarray, np.ndarray]:
    """Strokes, beats and downbeats of a bar played again and again."""
    text, count, per_beat = pattern
    cells = text.split()
    rng = np.random.default_rng(seed)
    walk = np.clip(np.cumsum(rng.normal(0, drift, bars * len(cells))), -0.15, 0.15)
    times = start + np.concatenate(([0.0], np.cumsum(eighth * np.exp(walk))))
    hits = [
        Hit(float(times[bar * len(cells) + i] + rng.normal(0, jitter)), NAMES[name], 90)
        for bar in range(bars)
        for i, cell in enumerate(cells)
        for name in cell
    ]
    hits += [Hit(float(times[bar * len(cells)]), CRASH, 110) for bar in range(0, bars, 8)]
    beats = times[:-1:per_beat]
    return sorted(hits, key=lambda hit: hit.onset), beats, beats[::count]


def share_found(true: np.ndarray, found: np.ndarray, window: float = 0.05) -> float:
    """F-measure of event times."""
    near = sum(bool(np.any(np.abs(found - t) <= window)) for t in true)
    return 2 * near / (len(true) + len(found))


def downbeats(grid: Grid) -> np.ndarray:
    """First beats of full bars."""
    return np.array([b.beats[0] for b in grid.bars if len(b.beats) == b.metre.numerator])


@pytest.mark.parametrize("bpm", [72, 96, 120, 140, 168])
def test_rock_beat(bpm: int) -> None:
    hits, beats, bars = play(ROCK, eighth=30 / bpm, jitter=0.006)
    grid = track_beats(hits, duration=hits[-1].onset + 1)
    assert str(grid.metre) == "4/4"
    assert grid.tempo == pytest.approx(bpm, rel=0.01)
    assert share_found(beats, grid.beat_times[:-1]) > 0.95
    assert share_found(bars, downbeats(grid)) > 0.95


@pytest.mark.parametrize("seed", range(4))
def test_drifting_tempo_with_wrong_and_missing_strokes(seed: int) -> None:
    hits, beats, bars = play(ROCK, bars=32, jitter=0.008, drift=0.012, seed=seed)
    rng = np.random.default_rng(seed)
    heard = [hit for hit in hits if rng.random() > 0.12]
    heard += [
        Hit(float(t), DRUMS[rng.integers(len(DRUMS))], 60, 0.5)
        for t in rng.uniform(0.5, hits[-1].onset, len(hits) // 12)
    ]
    grid = track_beats(heard, duration=hits[-1].onset + 1)
    assert share_found(beats, grid.beat_times[:-1], 0.07) > 0.95
    assert share_found(bars, downbeats(grid), 0.07) > 0.9


def test_waltz() -> None:
    hits, beats, bars = play(WALTZ, bars=24, jitter=0.005)
    grid = track_beats(hits, duration=hits[-1].onset + 1)
    assert str(grid.metre) == "3/4"
    assert share_found(beats, grid.beat_times[:-1]) > 0.95
    assert share_found(bars, downbeats(grid)) > 0.95


def test_known_metre_and_tempo_are_kept() -> None:
    hits, _, bars = play(SLOW_SIX, bars=24, eighth=0.3, jitter=0.005)
    grid = track_beats(hits, duration=hits[-1].onset, metre=Metre(6, 8), tempo=60 / 0.9)
    assert str(grid.metre) == "6/8"
    assert grid.tempo == pytest.approx(60 / 0.9, rel=0.01)
    assert share_found(bars, downbeats(grid)) > 0.95


@pytest.mark.parametrize("bpm", [60, 240])
def test_known_tempo_decides_the_octave(bpm: int) -> None:
    hits, _, _ = play(ROCK, eighth=0.25)
    grid = track_beats(hits, duration=hits[-1].onset, tempo=bpm)
    assert grid.tempo == pytest.approx(bpm, rel=0.02)


@pytest.mark.parametrize("metre", ["9/8", "11/8", "2/2", "7/4"])
def test_any_known_metre_gives_bars_of_it(metre: str) -> None:
    hits, _, _ = play(ROCK)
    grid = track_beats(hits, duration=hits[-1].onset, metre=Metre.parse(metre))
    assert str(grid.metre) == metre


@pytest.mark.parametrize(("tempo", "metre"), [(20, "4/4"), (400, "4/4"), (240, "6/8"), (20, "6/8")])
@pytest.mark.parametrize("steady", [False, True])
def test_extreme_tempo_and_metre_still_give_a_grid(tempo: int, metre: str, steady: bool) -> None:
    hits, _, _ = play(ROCK, bars=60)
    grid = track_beats(hits, duration=130, tempo=tempo, metre=Metre.parse(metre), steady=steady)
    assert grid.tempo == pytest.approx(tempo, rel=0.15)
    assert grid.end > hits[-1].onset


def test_steady_loops_have_their_exact_tempo() -> None:
    rng = np.random.default_rng(1)
    errors = []
    for bpm in np.concatenate([np.linspace(60, 200, 15), rng.uniform(60, 200, 15)]):
        hits, _, _ = play(ROCK, bars=4, eighth=30 / bpm, start=0.01, jitter=0.0005, seed=int(bpm))
        grid = track_beats(hits, duration=240 / bpm * 4, tempo=round(bpm), steady=True)
        free = track_beats(hits, duration=240 / bpm * 4, steady=True)
        assert grid.tempo == pytest.approx(round(bpm), abs=1e-6)
        octave = 2.0 ** np.round(np.log2(free.tempo / bpm))
        errors.append(abs(free.tempo / octave - bpm))
    assert max(errors) < 0.02


def test_silence_before_the_drums_is_filled_with_whole_bars() -> None:
    hits, _, bars = play(ROCK, start=4.3)
    grid = track_beats(hits, duration=hits[-1].onset + 1)
    assert grid.bars[0].beats[0] == pytest.approx(0.3, abs=0.03)
    assert share_found(bars, downbeats(grid)[2:]) > 0.95


def test_strokes_before_the_first_downbeat_are_a_pickup() -> None:
    hits, _, bars = play(ROCK, start=0.55)
    pickup = [Hit(0.05 + 0.25 * i, SNARE, 80) for i in range(2)]
    grid = track_beats([*pickup, *hits], duration=hits[-1].onset + 1)
    assert len(grid.bars[0].beats) == 1
    assert grid.bars[0].beats[0] == pytest.approx(0.05, abs=0.03)
    assert share_found(bars, downbeats(grid)) > 0.95


def test_time_of_a_four_minute_song() -> None:
    hits, _, _ = play(ROCK, bars=120, jitter=0.006)
    start = time.process_time()
    track_beats(hits, duration=240)
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize("onsets", [[], [0.0], [3.2], [1.0, 1.0], [0.2, 0.21], [1.0] * 30])
def test_too_few_strokes_give_120_in_four(onsets: list[float]) -> None:
    grid = track_beats([Hit(t, KICK, 90) for t in onsets], duration=0.05)
    assert (grid.tempo, str(grid.metre), grid.confidence) == (pytest.approx(120), "4/4", 0.0)
    assert all(grid.beat_times[0] <= t < grid.end for t in onsets)


@pytest.mark.parametrize("tempo", [0, -3, 19, 401, float("nan")])
def test_impossible_tempo_is_refused(tempo: float) -> None:
    with pytest.raises(InputError, match="tempo"):
        track_beats([], duration=1, tempo=tempo)


anything = st.lists(
    st.builds(
        Hit,
        st.floats(0, 30, allow_nan=False),
        st.sampled_from([KICK, SNARE, CLOSED_HAT, HIGH_TOM]),
        st.integers(1, 127),
        st.floats(0, 1),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(anything, st.sampled_from([None, 47.0, 250.0]), st.booleans())
def test_any_strokes_give_a_grid_around_them(
    hits: list[Hit], tempo: float | None, steady: bool
) -> None:
    grid = track_beats(hits, duration=30, tempo=tempo, steady=steady)
    assert 0 <= grid.confidence <= 1
    assert grid.beat_times[0] >= 0
    for hit in hits:
        # The recording's start may leave too little of a beat to be one: 0.2 s of a quarter.
        slack = max(0.25 * np.diff(grid.beat_times).max(), 0.2)
        assert grid.beat_times[0] - slack <= hit.onset < grid.end
