"""Peaks of an activation: frames that top their neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_peaks(
    curve: NDArray[np.float32], *, threshold: float, reach: int, gap: float
) -> NDArray[np.intp]:
    """Frames that top their neighbours.

    Parameters
    ----------
    curve : float32, shape (frames,)
    threshold : float
        Least height.
    reach : int
        A peak is the highest of this many frames on each side; the first, if equal.
    gap : float
        Of two peaks fewer frames apart than this, the higher stays.
    """
    if not len(curve):
        return np.zeros(0, np.intp)
    padded = np.pad(curve, reach, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    before = around[:, :reach].max(axis=1) if reach else np.full(len(curve), -np.inf)
    is_peak = (curve >= threshold) & (curve > before) & (curve >= around.max(axis=1))
    kept: list[int] = []
    for frame in np.flatnonzero(is_peak).tolist():
        if kept and frame - kept[-1] < gap:
            if curve[frame] > curve[kept[-1]]:
                kept[-1] = frame
        else:
            kept.append(frame)
    return np.array(kept, np.intp)
