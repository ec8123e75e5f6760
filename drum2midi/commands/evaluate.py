"""``drum2midi evaluate``: how good a transcription is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drum2midi.errors import check_extra


def evaluate_command(
    reference: Annotated[
        Path,
        typer.Argument(metavar="REF", help="What is right: .mid, or text 'seconds drum' a line."),
    ],
    estimate: Annotated[Path, typer.Argument(metavar="EST", help="What to score: likewise.")],
    beats: Annotated[
        Path | None, typer.Option(help="Text 'seconds number-in-bar' a line: beats of REF.")
    ] = None,
    window: Annotated[float, typer.Option(help="Seconds within which strokes match.")] = 0.05,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")
    ] = None,
) -> None:
    """Score a transcription: strokes, beats, metre, places in the bar, velocities.

    Needs drum2midi[evaluate].
    """
    check_extra("evaluate", "mir_eval")
    from drum2midi.evaluation import evaluate
    from drum2midi.references import read_performance
    from drum2midi.report import print_table, write_report

    result = evaluate(
        read_performance(reference, beats=beats), read_performance(estimate), window=window
    )
    print_table(result)
    if json_file is not None:
        write_report(result, json_file)
