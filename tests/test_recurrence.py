"""Recurrence: what comes again is trusted more, what does not is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.model import Activations, PickSettings
from drum2midi.onsets import pick_hits
from drum2midi.recurrence import find_repeats, heed_repeats

RATE = 100.0
BAR = 200  # frames
KICK, SNARE, HAT = (SCORING_CLASSES.index(name) for name in ("KD", "SD", "HH"))
PATTERN = (
    (KICK, 0), (KICK, 90), (SNARE, 50), (SNARE, 150),
    *((HAT, frame) for frame in range(0, BAR, 25)),
)  # fmt: skip


def strokes(bars: int = 6, *, height: float = 0.9, early: int = 0) -> list[tuple[int, int, float]]:
    """The pattern, every other bar `early` frames before its time."""
    return [
        (column, 20 + bar * BAR + frame - early * (bar % 2), height)
        for bar in range(bars)
        for column, frame in PATTERN
    ]


def curves(heard: list[tuple[int, int, float]], frames: int = 6 * BAR + 100) -> Activations:
    """A bell of three frames for every stroke."""
    classes = np.full((frames, len(SCORING_CLASSES)), 0.002, np.float32)
    for column, frame, height in heard:
        for shift, share in ((-1, 0.4), (0, 1.0), (1, 0.4)):
            at = frame + shift
            classes[at, column] = max(classes[at, column], share * height)
    drums = np.full((frames, len(DRUMS)), 0.2, np.float32)
    return Activations(classes, drums, drums, RATE)


def test_the_moments_most_like_a_moment_are_bars_away() -> None:
    repeats = find_repeats(curves(strokes()).classes, RATE)
    middle = (20 + 3 * BAR) // 2
    found = repeats.lags[:, middle][repeats.likeness[:, middle] > 0.98]
    assert {-2 * BAR, -BAR, BAR, 2 * BAR} <= set(found.tolist())


def test_a_stroke_that_is_hardly_heard_counts_where_other_bars_have_it() -> None:
    faint = (SNARE, 20 + 2 * BAR + 50)
    heard = [(c, f, 0.2 if (c, f) == faint else h) for c, f, h in strokes()]
    activations = curves(heard)
    moved = heed_repeats(activations, share=0.5)
    assert activations.classes[faint[1], SNARE] == pytest.approx(0.2)
    assert moved.classes[faint[1], SNARE] > 0.5
    plain, again = (
        [hit.onset for hit in pick_hits(heed_repeats(activations, share=share), PickSettings())]
        for share in (0.0, 0.5)
    )
    # The hat of that moment is there either way: the chord has a stroke more.
    assert len(again) == len(plain) + 1
    assert sorted(set(again)) == pytest.approx(sorted(set(plain)), abs=1e-3)


def test_a_stroke_that_no_other_bar_has_counts_less() -> None:
    odd = (SNARE, 20 + 2 * BAR + 112, 0.6)
    moved = heed_repeats(curves([*strokes(), odd]), share=0.5)
    assert 0.05 < moved.classes[odd[1], SNARE] < 0.4


@pytest.mark.parametrize("height", [0.8, 0.9, 0.98])
def test_a_fill_that_comes_once_is_kept(height: float) -> None:
    tom = SCORING_CLASSES.index("TT")
    fill = [(tom, 20 + 5 * BAR + frame, height) for frame in (112, 137, 162, 187)]
    activations = curves([*strokes(8), *fill], frames=8 * BAR + 100)
    toms = [
        [hit.onset for hit in pick_hits(heard, picking) if hit.drum.scoring == "TT"]
        for heard, picking in (
            (activations, PickSettings()),
            (heed_repeats(activations, share=0.5), PickSettings(thresholds=(0.45,) * 5)),
        )
    ]
    assert len(toms[0]) == 4
    assert toms[1] == pytest.approx(toms[0], abs=2e-3)


def test_the_first_and_the_last_bar_repeat_as_those_between_do() -> None:
    repeats = find_repeats(curves(strokes(8), frames=8 * BAR + 16).classes, RATE)
    assert np.sort(repeats.likeness, axis=0)[-3:].min() > 0.9
    assert repeats.likeness.max() <= 1.0


def test_nothing_repeats_in_silence() -> None:
    quiet = curves(strokes(3), frames=30 * BAR)
    silent = find_repeats(quiet.classes, RATE).likeness[:, (20 * BAR) // 2 :]
    assert not silent.any()
    assert not find_repeats(np.zeros((1000, 5), np.float32), RATE).likeness.any()


def test_beats_repeat_from_seven_tenths_of_a_second_to_nine_seconds() -> None:
    for frames, expected in ((80, 80), (70, 70), (900, 900), (30, 90), (1000, None)):
        heard = [(SNARE, 40 + frames * i, 0.9) for i in range(2950 // frames)]
        repeats = find_repeats(curves(heard, frames=3000).classes, RATE)
        found = np.abs(repeats.lags[repeats.likeness > 0.9])
        assert (found.min() if len(found) else None) == expected


def test_a_bar_played_early_is_still_the_same_bar() -> None:
    moved = heed_repeats(curves(strokes(early=2)), share=0.5)
    for column, frame, height in strokes(early=2):
        assert moved.classes[frame, column] > height - 0.1


def test_what_never_comes_again_stays_as_it_is() -> None:
    rng = np.random.default_rng(5)
    frames = np.cumsum(rng.integers(15, 90, 20)) + 20
    once = [(int(rng.integers(5)), int(frame), 0.7) for frame in frames]
    activations = curves(once, frames=int(frames[-1]) + 100)
    moved = heed_repeats(activations, share=0.5)
    at = [activations.classes[frame, column] for column, frame, _ in once]
    after = [moved.classes[frame, column] for column, frame, _ in once]
    assert np.median(np.abs(np.array(after) - at)) < 0.1


def test_nothing_is_raised_where_nothing_is_heard() -> None:
    missing = (SNARE, 20 + 2 * BAR + 50)
    heard = [stroke for stroke in strokes() if stroke[:2] != missing]
    moved = heed_repeats(curves(heard), share=1.0)
    assert moved.classes[missing[1], SNARE] <= 0.0021


def test_only_classes_move_and_no_share_moves_nothing() -> None:
    activations = curves(strokes())
    before = activations.classes.copy()
    moved = heed_repeats(activations, share=0.5)
    assert moved.drums is activations.drums
    assert moved.velocities is activations.velocities
    assert moved.classes.dtype == np.float32
    np.testing.assert_array_equal(activations.classes, before)
    assert heed_repeats(activations, share=0.0) is activations


@pytest.mark.parametrize("frames", [0, 1, 2, 139])
def test_what_is_too_short_to_repeat_stays_as_it_is(frames: int) -> None:
    activations = curves([], frames=200)
    short = replace(activations, classes=activations.classes[:frames])
    assert heed_repeats(short, share=0.5) is short


@settings(max_examples=20, deadline=None)
@given(st.integers(140, 700), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_activations_stay_activations(frames: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.0, 1.0, (frames, len(SCORING_CLASSES))).astype(np.float32) ** 8
    activations = replace(curves([], frames=frames), classes=noise)
    moved = heed_repeats(activations, share=share).classes
    assert moved.shape == noise.shape
    assert np.isfinite(moved).all()
    assert moved.min() >= 0.0
    assert moved.max() <= 1.0
    # No more than the most that any moment of the class has.
    assert np.all(moved.max(axis=0) <= np.maximum(noise.max(axis=0), 0.0011) + 1e-5)
