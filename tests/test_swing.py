"""Swing as a bend of time: its bounds, and that writing undoes playing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drum2midi.transcription import Swing

VALUES = (Fraction(1, 2), Fraction(1, 4))


@pytest.mark.parametrize("ratio", [0.3, 0.75, float("nan")])
def test_impossible_ratio_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"swing {ratio} is not a share from 0.5 to below 0.75"):
        Swing(ratio)


def test_only_eighths_and_sixteenths_swing() -> None:
    with pytest.raises(ValueError, match="swing of notes of 1 quarters"):
        Swing(0.6, Fraction(1))


def test_where_a_shuffle_falls() -> None:
    assert Swing(2 / 3).played(np.arange(5) / 4) == pytest.approx([0, 1 / 3, 2 / 3, 5 / 6, 1])
    assert Swing(0.6, VALUES[1]).played([0.25, 0.5, 0.75, 3.25]) == pytest.approx(
        [0.3, 0.5, 0.8, 3.3]
    )
    assert float(Swing().played(3.5)) == 3.5


@given(
    st.floats(0.5, 0.7499),
    st.sampled_from(VALUES),
    st.lists(st.floats(-4, 400), min_size=1),
)
def test_writing_undoes_playing(ratio: float, value: Fraction, places: list[float]) -> None:
    swing = Swing(ratio, value)
    played = swing.played(places)
    assert swing.written(played) == pytest.approx(places, abs=1e-9)
    assert np.all(np.abs(played - places) <= float(value) / 2)
    assert np.all(np.diff(swing.played(sorted(places))) >= 0)
