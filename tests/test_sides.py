"""Sides: what is sure draws a line, and every moment is judged by the others alone."""

from __future__ import annotations

import numpy as np
import pytest

from drum2midi.sides import FARTHEST, FEWEST, find_moments, heard_at, move, side_of_line


def test_each_moment_is_judged_by_a_fit_to_all_others() -> None:
    """Against fits that leave each moment out in turn."""
    rng = np.random.default_rng(3)
    told = rng.normal(size=(30, 6)).astype(np.float32)
    heard = np.where(told[:, 0] + 0.7 * rng.normal(size=30) > 0.0, 0.9, 0.02).astype(np.float32)
    heard[::7] = 0.4  # these teach nothing
    wanted = np.where(heard > 0.7, 1.0, -1.0)
    sure, not_sure = heard > 0.7, heard < 0.1
    weights = 0.5 * (sure / sure.sum() + not_sure / not_sure.sum())
    mean = weights @ told
    rows = (told - mean) / (np.sqrt(weights @ (told - mean) ** 2) + 0.05)
    full = rows.T @ (weights[:, None] * rows)
    ridge = 0.1 * np.trace(full) / 6 * np.eye(6)
    expected = []
    for row in range(30):
        others = np.where(np.arange(30) == row, 0.0, weights)
        fit = np.linalg.solve(rows.T @ (others[:, None] * rows) + ridge, rows.T @ (others * wanted))
        expected.append(float(rows[row] @ fit))
    sides = side_of_line(told, heard, sure=0.7)
    np.testing.assert_allclose(sides, np.clip(expected, -FARTHEST, FARTHEST), 1e-6)


@pytest.mark.parametrize("sure", [0.5, 0.7])
def test_what_is_not_sure_enough_teaches_nothing(sure: float) -> None:
    told = np.arange(12, dtype=np.float32)[:, None]
    heard = np.where(told[:, 0] < 6, 0.02, 0.6).astype(np.float32)
    sides = side_of_line(told, heard, sure=sure)
    assert sides.any() == (sure == 0.5)
    heard[6 + FEWEST - 1 :] = 0.3
    assert not side_of_line(told, heard, sure=sure).any()


def test_moments_are_where_anything_is_heard() -> None:
    classes = np.full((60, 5), 0.01, np.float32)
    classes[[10, 30, 31, 50], [0, 1, 2, 3]] = (0.9, 0.3, 0.2, 0.05)
    moments = find_moments(classes)
    np.testing.assert_array_equal(moments, [10, 30])
    np.testing.assert_allclose(heard_at(classes, moments)[1, :3], [0.01, 0.3, 0.2], 1e-6)
    assert not len(find_moments(np.zeros((0, 5), np.float32)))


def test_a_curve_moves_by_logits_and_in_between_by_what_lies_between() -> None:
    curve = np.full(21, 0.5, np.float32)
    moved = move(curve, np.array([0, 20]), np.array([0.0, 2.0]))
    np.testing.assert_allclose(np.log(moved / (1 - moved)), np.linspace(0, 2, 21), atol=1e-5)
    assert move(curve, np.array([0, 20]), np.zeros(2)) is curve
