"""Bars and beats of synthetic rhythms come out as they were played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from drum2midi.beats import track_beats
from drum2midi.beats.bars import metre_of
from drum2midi.beats.follow import _path
from drum2midi.beats.steady import likely_tempo, steady_line
from drum2midi.beats.strokes import Strokes
from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    DRUMS,
    HIGH_TOM,
    KICK,
    PEDAL_HAT,
    RIDE,
    SNARE,
    Drum,
)
from drum2midi.errors import InputError
from drum2midi.midi import map_tempo
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


@pytest.mark.parametrize(
    ("pattern", "eighth", "metre"),
    [
        *((WALTZ, eighth, "3/4") for eighth in (0.15, 0.2, 0.25, 0.3, 0.4)),
        *((SLOW_SIX, eighth, "6/8") for eighth in (0.22, 0.3, 0.4)),
    ],
)
def test_threes(pattern: tuple[str, int, int], eighth: float, metre: str) -> None:
    hits, beats, bars = play(pattern, bars=24, eighth=eighth, jitter=0.005)
    grid = track_beats(hits, duration=hits[-1].onset + 1)
    assert str(grid.metre) == metre
    assert share_found(beats, grid.beat_times[:-1]) > 0.95
    assert share_found(bars, downbeats(grid)) > 0.95


def test_known_metre_and_tempo_are_kept() -> None:
    hits, _, bars = play(SLOW_SIX, bars=24, eighth=0.3, jitter=0.005)
    grid = track_beats(hits, duration=hits[-1].onset, metre=Metre(6, 8), tempo=60 / 0.9)
    assert str(grid.metre) == "6/8"
    assert grid.tempo == pytest.approx(60 / 0.9, rel=0.01)
    assert share_found(bars, downbeats(grid)) > 0.95


@pytest.mark.parametrize(
    ("pattern", "eighth", "tempo", "wanted"),
    [
        (ROCK, 0.288, 52.1, {"2/4", "4/4"}),
        (ROCK, 0.288, 208.3, {"2/4", "4/4"}),
        (SLOW_SIX, 0.25, 40.0, {"6/8", "12/8"}),
        (SLOW_SIX, 0.25, 160.0, {"6/8", "12/8"}),
    ],
)
def test_half_or_twice_the_tempo_leaves_beats_divided_as_they_were(
    pattern: tuple[str, int, int], eighth: float, tempo: float, wanted: set[str]
) -> None:
    hits, _, _ = play(pattern, eighth=eighth)
    grid = track_beats(hits, duration=hits[-1].onset, tempo=tempo)
    assert str(grid.metre) in wanted
    assert grid.tempo == pytest.approx(tempo, rel=0.01)


@pytest.mark.parametrize("bpm", [60, 240])
def test_known_tempo_decides_the_octave(bpm: int) -> None:
    hits, _, _ = play(ROCK, eighth=0.25)
    grid = track_beats(hits, duration=hits[-1].onset, tempo=bpm)
    assert grid.tempo == pytest.approx(bpm, rel=0.02)


@pytest.mark.parametrize("steady", [False, True])
def test_a_tempo_at_which_nothing_goes_is_believed_but_not_sure(steady: bool) -> None:
    hits = [Hit(0.5 + 0.565 * i, KICK, 90) for i in range(6)]
    grid = track_beats(hits, duration=6.0, tempo=120, steady=steady)
    assert (grid.tempo, grid.confidence) == (pytest.approx(120), 0.0)
    assert grid.beat_times[0] == pytest.approx(0.5)
    assert grid.end > hits[-1].onset


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


@pytest.mark.parametrize("early", [0.0, 0.0002, 0.002, 0.009])
def test_a_steady_loop_begins_with_the_recording_and_keeps_its_tempo(early: float) -> None:
    """Strokes are heard a little early: the first beat must not be cut for that."""
    hits, _, _ = play(ROCK, bars=4, eighth=30 / 127.59, start=0.0)
    hits = [replace(hit, onset=hit.onset - early) for hit in hits]
    grid = track_beats(hits, duration=4 * 240 / 127.59, steady=True)
    assert grid.beat_times[0] == pytest.approx(0, abs=1e-9)
    steps = np.diff(grid.beat_times)
    assert steps == pytest.approx(np.full(len(steps), steps[0]), abs=1e-9)
    assert {tempo for _, tempo in map_tempo(grid).tempi} == {round(60e6 / 127.59)}


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


# Bars by eighth, as above; eighths in a beat, beats in a bar.
FIVE = ("kh h sh h kh h sh h sh h", 5, 2)
SEVEN = ("kh h sh h kh h sh h kh h sh h sh h", 7, 2)
ROCK_2 = ("kh h sh kh h kh sh h", 4, 2)


def join(
    *parts: tuple[tuple[str, int, int], int, float, float], start: float = 0.5, seed: int = 0
) -> tuple[list[Hit], np.ndarray, np.ndarray]:
    """Strokes, beats and downbeats of (bar, bars, seconds of an eighth, rest before) in a row."""
    hits: list[Hit] = []
    beats, bars = [np.empty(0)], [np.empty(0)]
    for pattern, count, eighth, rest in parts:
        start += rest
        more, on_beats, on_bars = play(
            pattern, bars=count, eighth=eighth, start=start, jitter=0.004, seed=seed
        )
        hits += more
        beats.append(on_beats)
        bars.append(on_bars)
        start += count * len(pattern[0].split()) * eighth
    return hits, np.concatenate(beats), np.concatenate(bars)


def scores(grid: Grid, beats: np.ndarray, bars: np.ndarray) -> tuple[float, float]:
    """F-measures of beats and downbeats, what lies before the first stroke left out."""
    found = grid.beat_times[:-1]
    firsts = np.array([bar.beats[0] for bar in grid.bars])
    return (
        share_found(beats, found[found > beats[0] - 0.1]),
        share_found(bars, firsts[firsts > beats[0] - 0.1]),
    )


def test_doubt_before_and_after_the_drums_moves_no_bar() -> None:
    hits, beats, _ = join((ROCK, 16, 0.25, 20.0))
    noise = [Hit(time, SNARE, 30, 0.3) for time in (0.7, 3.1, 9.9, float(beats[-1]) + 7.3)]
    doubted = [*noise[:3], *hits, noise[3]]
    alone = track_beats(hits, duration=70)
    assert track_beats(hits, duration=70, doubted=doubted) == alone
    assert track_beats(hits, duration=70, doubted=noise) == alone


@pytest.mark.parametrize(
    ("pattern", "drum", "eighth"), [(ROCK, KICK, 0.2), (ROCK_2, SNARE, 0.25), (ROCK_2, SNARE, 0.3)]
)
def test_a_second_hearing_tells_how_to_read_what_the_first_leaves_open(
    pattern: tuple[str, int, int], drum: Drum, eighth: float
) -> None:
    """One drum alone says little of beats and bars; the others, which were doubtful, do."""
    hits, beats, bars = join((pattern, 16, eighth, 0))
    alone = [hit for hit in hits if hit.drum is drum]
    # Every second beat at best.
    assert scores(track_beats(alone, duration=40), beats, bars)[0] < 0.7
    assert scores(track_beats(alone, duration=40, doubted=hits), beats, bars) == (1.0, 1.0)


def test_tempo_change() -> None:
    hits, beats, bars = join((ROCK, 16, 0.25, 0), (ROCK_2, 16, 0.2, 0))
    found, firsts = scores(track_beats(hits, duration=80), beats, bars)
    assert found > 0.93
    assert firsts > 0.9


def test_tempi_in_a_simple_proportion() -> None:
    """Three beats of the second last as long as four of the first."""
    hits, beats, _ = join((ROCK, 14, 0.3125, 0), (ROCK, 20, 0.3125 * 4 / 3, 0))
    grid = track_beats(hits, duration=beats[-1] + 2.0)
    assert scores(grid, beats, beats)[0] > 0.95


def test_metre_change() -> None:
    hits, beats, bars = join((ROCK, 16, 0.25, 0), (WALTZ, 16, 0.25, 0))
    grid = track_beats(hits, duration=60)
    found, firsts = scores(grid, beats, bars)
    assert found > 0.97
    assert firsts > 0.93
    assert {str(bar.metre) for bar in grid.bars} >= {"4/4", "3/4"}


@pytest.mark.parametrize("bpm", [140, 180])
def test_swing_on_the_ride_is_counted_as_jazz_is(bpm: int) -> None:
    rng = np.random.default_rng(bpm)
    beats = 0.7 + 60 / bpm * np.arange(64)
    skips = beats[1::2] + 40 / bpm
    strokes = [*((time, RIDE) for time in (*beats, *skips)), *((t, PEDAL_HAT) for t in beats[1::2])]
    hits = [Hit(float(time + rng.normal(0, 0.008)), drum, 80) for time, drum in strokes]
    grid = track_beats(hits, duration=beats[-1] + 1)
    assert str(grid.metre) == "4/4"
    assert scores(grid, beats, beats[::4]) == (1.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_bar_of_two_within_bars_of_four(seed: int) -> None:
    sixteenths = ("kh h h kh sh h h sh h sh kh h sh kh h sh", 4, 4)
    before, beats, bars = join((sixteenths, 15, 0.16, 0), seed=seed)
    fill = beats[-1] + 0.64 + 0.32 * np.arange(4)
    after, more, firsts = join((sixteenths, 20, 0.16, 0), start=float(fill[-1]) + 0.32, seed=seed)
    hits = [*before, *(Hit(float(time), HIGH_TOM, 100) for time in fill), *after]
    grid = track_beats(hits, duration=hits[-1].onset + 1)
    beats = np.concatenate([beats, fill[::2], more])
    assert scores(grid, beats, np.concatenate([bars, fill[:1], firsts]))[1] > 0.96


@pytest.mark.parametrize("rest", [3.3, 1.4])
def test_stop_and_restart_off_the_beat(rest: float) -> None:
    hits, beats, bars = join((ROCK, 12, 0.25, 0), (ROCK_2, 12, 0.25, rest))
    found, firsts = scores(track_beats(hits, duration=60), beats, bars)
    assert found > 0.92
    assert firsts > 0.9


@pytest.mark.parametrize("tempo", [140, 150, 160, 170])
def test_kick_and_snare_in_turn_are_no_threes(tempo: float) -> None:
    polka = ("kh sh kh sh kh sh kh sh", 4, 2)
    for seed in range(3):
        hits, beats, _ = play(polka, eighth=30 / tempo, jitter=0.006, seed=seed)
        hits += [Hit(float(beats[i]), CRASH, 110) for i in range(0, len(beats), 16)]
        grid = track_beats(hits, duration=hits[-1].onset + 1)
        assert str(grid.metre) in ("4/4", "2/4")


def test_drums_that_enter_late() -> None:
    hits, beats, bars = join((ROCK, 16, 0.25, 21.7))
    grid = track_beats(hits, duration=60)
    assert scores(grid, beats, bars) == (1.0, 1.0)
    # Eight bars of rests at most, and then the strokes.
    assert np.sum(np.array([bar.beats[0] for bar in grid.bars]) < bars[0] - 0.1) == 8


def test_accelerando_and_ritardando() -> None:
    for change in (-0.25, 0.25):
        hits, beats, _ = play(ROCK, bars=24)
        turn = beats[0] + np.cumsum(np.r_[0, 0.5 * np.linspace(1, 1 + change, len(beats))])
        known = np.r_[beats, 2 * beats[-1] - beats[-2]]
        bent = [
            Hit(float(np.interp(hit.onset, known, turn)), hit.drum, hit.velocity) for hit in hits
        ]
        grid = track_beats(bent, duration=70)
        assert share_found(turn[:-1], grid.beat_times[:-1]) > 0.95


@pytest.mark.parametrize(("pattern", "metre"), [(FIVE, "5/4"), (SEVEN, "7/4")])
def test_odd_metres(pattern: tuple[str, int, int], metre: str) -> None:
    hits, _, bars = play(pattern, bars=16, jitter=0.004)
    grid = track_beats(hits, duration=hits[-1].onset + 1)
    assert str(grid.metre) == metre
    assert share_found(bars, downbeats(grid)) > 0.95


@pytest.mark.parametrize(
    ("rate", "error", "duration", "tempo"),
    [
        (119.97, 0.02, 9.1, 120.0),
        (119.97, 0.005, 9.1, 119.97),
        (93.52, 0.01, 11.3, 93.5),
        # Four bars to the sample at 93.47: too many for 93.5.
        (93.49, 0.02, round(44100 * 960 / 93.47) / 44100, 93.47),
        (120.02, 0.02, 8.0, 120.0),
        (87.3, 5.0, 9.1, 87.3),
    ],
)
def test_likely_tempo(rate: float, error: float, duration: float, tempo: float) -> None:
    found = likely_tempo(rate, error, bar=4, duration=duration)
    assert found == pytest.approx(tempo, abs=0.002)


@pytest.mark.parametrize("cut", [True, False])
def test_jittered_loops_have_their_exact_tempo(cut: bool) -> None:
    """Whole bars to the sample, whatever the tempo; else whole tempi, whatever the length."""
    rng = np.random.default_rng(2)
    for i, bpm in enumerate(np.linspace(60, 200, 30)):
        true = float(bpm + rng.uniform(0, 1)) if cut else float(round(bpm))
        hits, beats, _ = play(ROCK, bars=4, eighth=30 / true, start=0.01, jitter=0.003, seed=i)
        duration = round(44100 * 960 / true) / 44100 + (0.0 if cut else 0.73)
        rough = 0.012 + np.arange(17) * (beats[1] - beats[0]) * 1.001
        _, period = steady_line(rough, Strokes.of(hits), duration=duration)
        assert abs(60 / period - true) < 0.02


def test_a_groove_between_the_beats_does_not_bend_a_steady_tempo() -> None:
    """To slide onto it and back, over hats on all sixteenths, would cost a tracked pulse little."""
    sixteenth, bars = 60 / 170 / 4, 48
    groove = {KICK: (0, 3, 8, 11), SNARE: (4, 12), CLOSED_HAT: tuple(range(0, 16, 2))}
    late = {KICK: (1, 9), SNARE: (5, 13), CLOSED_HAT: tuple(range(16))}
    rng = np.random.default_rng(0)
    hits = [
        Hit(0.5 + (16 * bar + place) * sixteenth + rng.normal(0.0, 0.008), drum, 100)
        for bar in range(bars)
        for drum, places in (late if 16 <= bar < 26 else groove).items()
        for place in places
    ]
    grid = track_beats(hits, duration=80)
    beats = 0.5 + 4 * sixteenth * np.arange(4 * bars)
    assert share_found(beats, grid.beat_times[:-1], window=0.03) > 0.98


def test_bars_do_not_leave_what_the_whole_piece_speaks_for() -> None:
    """Half of it knows nothing, the other half is surer of bars that begin a beat later."""
    states = np.array([(4, place) for place in range(4)])
    evidence = np.zeros((200, 4))
    later = (np.arange(200) - 1) % 4
    evidence[100:, :] = -0.5
    evidence[np.arange(100, 200), later[100:]] = 0.0
    path = _path(evidence, states, 0, np.zeros(200, dtype=bool))
    assert path[:, 1].tolist() == (np.arange(200) % 4).tolist()


@pytest.mark.parametrize("tempo", [200.0, 280.0])
def test_a_recording_that_is_cut_into_its_first_beat(tempo: float) -> None:
    """Strokes lie in what is left of the beat, however short that is."""
    beat = 60 / tempo
    hits = [
        replace(hit, onset=max(0.0, hit.onset - 0.04))
        for hit in play(ROCK, eighth=beat / 2, start=0.0)[0]
    ]
    grid = track_beats(hits, duration=20.0, tempo=tempo, metre=Metre(4, 4))
    assert len(grid.bars[0].beats) == 4
    assert grid.bars[0].beats[0] == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("start", [0.02, 5.0])
def test_a_piece_that_begins_in_another_metre(start: float) -> None:
    first, *_ = play(WALTZ, bars=12, start=start)
    then, *_ = play(ROCK, bars=24, start=start + 12 * 1.5)
    grid = track_beats([*first, *then], duration=80.0)
    assert len(grid.bars[0].beats) == grid.bars[0].metre.numerator == 3
    assert str(grid.bars[-1].metre) == "4/4"


def test_the_order_of_strokes_at_once_does_not_matter() -> None:
    hits, *_ = play(ROCK, bars=12, jitter=0.01)
    hits = [replace(hit, onset=round(hit.onset, 2)) for hit in hits]
    grid = track_beats(hits, duration=30.0)
    assert track_beats(hits[::-1], duration=30.0) == grid
    assert Strokes.of(hits).classes.tolist() == Strokes.of(hits[::-1]).classes.tolist()


@pytest.mark.parametrize(
    ("count", "per_minute", "written"),
    [
        (5, 215, "5/4"),
        (5, 222, "5/8"),
        (7, 170, "7/4"),
        (7, 190, "7/8"),
        (6, 120, "6/8"),
        (12, 120, "12/8"),
        (4, 240, "4/4"),
    ],
)
def test_fives_and_sevens_are_written_in_eighths_where_they_are_fast(
    count: int, per_minute: float, written: str
) -> None:
    assert str(metre_of(count, 60 / per_minute)) == written
