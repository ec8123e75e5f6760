"""Tables: how well a model does, on the terminal or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from drum2midi.evaluation import CONFUSION_LABELS, Score
from drum2midi.files import replacing
from drum2midi.workshop.scoring import THRESHOLDS, Finding, Naming, Report

if TYPE_CHECKING:
    from rich.table import Table


def print_score(report: Report) -> None:
    """Print what there is: strokes found in recordings, hits named."""
    from rich.console import Console

    console = Console()
    if report.finding is not None:
        micro = report.finding.micro
        console.print(f"strokes found: micro F {micro.f:.3f}")
        console.print(_strokes(report.finding))
        if report.finding.curve:
            console.print(_finding_curve(report.finding))
    if report.naming is not None:
        naming = report.naming
        console.print(
            f"single hits named: accuracy {naming.accuracy:.3f}, "
            f"weighted F1 {naming.weighted_f1:.3f} ({int(naming.support.sum())} hits)"
        )
        for table in (_shares(naming), _taken_for(naming), _naming_curve(naming)):
            console.print(table)
            console.print()


def write_score(report: Report, path: Path) -> None:
    """Write all figures as JSON.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    document: dict[str, Any] = {}
    if report.finding is not None:
        document["finding"] = _finding_fields(report.finding)
    if report.naming is not None:
        document["naming"] = _naming_fields(report.naming)
    with replacing(path) as target:
        target.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _table(*columns: str) -> Table:
    from rich.table import Table

    return Table(*columns)


def _strokes(finding: Finding) -> Table:
    table = _table("class", "P", "R", "F", *CONFUSION_LABELS)
    for label, row in zip(CONFUSION_LABELS, finding.confusion.tolist(), strict=True):
        score = finding.strokes.get(label)
        shares = (
            [""] * 3
            if score is None
            else [f"{value:.3f}" for value in (score.precision, score.recall, score.f)]
        )
        table.add_row(label, *shares, *map(str, row))
    return table


def _finding_curve(finding: Finding) -> Table:
    table = _table("threshold", "P", "R", "F")
    for threshold, score in finding.curve:
        shares = (score.precision, score.recall, score.f)
        table.add_row(f"{threshold:g}", *(f"{share:.3f}" for share in shares))
    return table


def _present(naming: Naming) -> list[int]:
    """Classes that are labelled or said."""
    return [
        i for i in range(len(naming.classes))
        if naming.confusion[i].any() or naming.confusion[:, i].any()
    ]  # fmt: skip


def _shares(naming: Naming) -> Table:
    table = _table("class", "P", "R", "F1", "hits")
    for i in _present(naming):
        shares = (naming.precision[i], naming.recall[i], naming.f1[i])
        table.add_row(
            naming.classes[i], *(f"{share:.3f}" for share in shares), str(naming.support[i])
        )
    return table


def _taken_for(naming: Naming) -> Table:
    """Counts by label and, under its letter, by what was said: twelve names are too wide."""
    present = _present(naming)
    table = _narrow("taken for", "", *ascii_lowercase[: len(present)])
    for letter, i in zip(ascii_lowercase, present, strict=False):
        counts = (str(naming.confusion[i, j]) for j in present)
        table.add_row(naming.classes[i], letter, *counts)
    return table


def _naming_curve(naming: Naming) -> Table:
    table = _narrow("threshold", "", *(f"{threshold:g}" for threshold in THRESHOLDS))
    for i in _present(naming):
        curves = {"P": naming.curve_precision[:, i], "R": naming.curve_recall[:, i]}
        for letter, curve in curves.items():
            name = naming.classes[i] if letter == "P" else ""
            table.add_row(name, letter, *(f"{share:.2f}" for share in curve))
    return table


def _narrow(*columns: str) -> Table:
    """A table with little between its columns, none of whose figures is cut: rather they wrap."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="left" if number < 2 else "right")
    return table


def _score_fields(score: Score) -> dict[str, float]:
    return {
        "precision": score.precision,
        "recall": score.recall,
        "f": score.f,
        "matched": score.matched,
        "reference": score.reference,
        "estimated": score.estimated,
    }


def _finding_fields(finding: Finding) -> dict[str, Any]:
    return {
        "micro": _score_fields(finding.micro),
        "classes": {name: _score_fields(score) for name, score in finding.strokes.items()},
        "confusion": {"labels": CONFUSION_LABELS, "counts": finding.confusion.tolist()},
        "thresholds": [
            {"threshold": threshold, **_score_fields(score)} for threshold, score in finding.curve
        ],
    }


def _naming_fields(naming: Naming) -> dict[str, Any]:
    rows = zip(
        naming.classes, naming.precision, naming.recall, naming.f1, naming.support, strict=True
    )
    return {
        "accuracy": naming.accuracy,
        "weighted_f1": naming.weighted_f1,
        "classes": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "hits": int(n)}
            for name, p, r, f, n in rows
        },
        "confusion": {"labels": list(naming.classes), "counts": naming.confusion.tolist()},
        "thresholds": [
            {
                "threshold": threshold,
                "precision": dict(zip(naming.classes, p.tolist(), strict=True)),
                "recall": dict(zip(naming.classes, r.tolist(), strict=True)),
            }
            for threshold, p, r in zip(
                THRESHOLDS, naming.curve_precision, naming.curve_recall, strict=True
            )
        ],
    }
