"""A confusion matrix as a picture. Importing this module imports matplotlib."""

# matplotlib's methods are typed in part only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELL: Final = 0.62
"""Inches a cell is wide and high."""

_MARGIN: Final = 1.6
_DARK: Final = 0.6


def draw_confusion(table: NDArray[np.int64], labels: Sequence[str], *, title: str = "") -> Figure:
    """Counts in cells, coloured by their share of the row.

    Parameters
    ----------
    table : int64, shape (classes, classes)
        Rows are what was played, columns what it was taken for.
    labels : sequence of str
        Names of the classes.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
        With a canvas of its own, ready to be saved.
    """
    side = _MARGIN + _CELL * len(labels)
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    for (row, column), count in np.ndenumerate(table):
        if count:
            colour = "white" if shares[row, column] > _DARK else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("taken for")
    axes.set_ylabel("played")
    if title:
        axes.set_title(title.encode(errors="replace").decode(), parse_math=False)
    return figure
