"""Reports: an evaluation as a table on the terminal, as JSON or as a picture."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drum2midi.errors import InputError
from drum2midi.evaluation import CONFUSION_LABELS, Evaluation, Score
from drum2midi.files import check_writable, replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def check_report(*, picture: Path | None, json_file: Path | None) -> None:
    """Raise `InputError` if a report cannot be written there; better before the work than after."""
    if picture is not None and picture.suffix.lower() != ".png":
        raise InputError(f"{picture}: a picture ends in .png")
    if json_file is not None and json_file.suffix.lower() != ".json":
        raise InputError(f"{json_file}: figures as JSON end in .json")
    for path in (picture, json_file):
        if path is not None:
            check_writable(path)


def print_table(result: Evaluation) -> None:
    """Print precision, recall and F by class, the confusion matrix and the other metrics."""
    from rich.console import Console
    from rich.table import Table

    strokes = Table("class", "P", "R", "F", "matched", "reference", "estimated")
    for name, score in _rows(result):
        shares = (f"{share:.3f}" for share in (score.precision, score.recall, score.f))
        counts = (str(count) for count in (score.matched, score.reference, score.estimated))
        strokes.add_row(name, *shares, *counts)
    confusion = Table("taken for", *CONFUSION_LABELS)
    for label, row in zip(CONFUSION_LABELS, result.confusion.tolist(), strict=True):
        confusion.add_row(label, *map(str, row))
    console = Console()
    console.print(strokes)
    console.print(confusion)
    for name, value in _figures(result).items():
        if value is not None:
            shown = ("no", "yes")[value] if isinstance(value, bool) else f"{value:.3f}"
            console.print(f"{name}: {shown}")


def write_report(result: Evaluation, path: Path) -> None:
    """Write all figures as JSON.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    document = {
        "strokes": {
            name: {
                "precision": score.precision,
                "recall": score.recall,
                "f": score.f,
                "matched": score.matched,
                "reference": score.reference,
                "estimated": score.estimated,
            }
            for name, score in _rows(result)
        },
        "confusion": {"labels": CONFUSION_LABELS, "counts": result.confusion.tolist()},
        **_figures(result),
    }
    with replacing(path) as target:
        target.write_text(json.dumps(document, indent=1), encoding="utf-8")


def draw_report(
    confusion: NDArray[np.int64], labels: Sequence[str], path: Path, *, title: str = ""
) -> None:
    """Draw a confusion matrix as a heat map.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    from drum2midi.heatmap import draw_confusion

    figure = draw_confusion(confusion, labels, title=title)
    with replacing(path) as target, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a title in another script
        figure.savefig(target, dpi=120, metadata={"Software": None})


def _rows(result: Evaluation) -> Iterator[tuple[str, Score]]:
    yield "micro", result.micro
    yield from result.strokes.items()
    yield "onset", result.onsets


def _figures(result: Evaluation) -> dict[str, Any]:
    return {
        "beats F": result.beats,
        "downbeats F": result.downbeats,
        "metre right": result.metre,
        "placement": result.placement,
        "velocity r": result.velocity,
    }
