"""``drum2midi evaluate``: how good a transcription, or a model, is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from drum2midi.commands import console
from drum2midi.errors import InputError, check_extra

_WINDOW: Final = 0.05


def evaluate_command(
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="REF|DATA",
            help="What is right: .mid, or text 'seconds drum' a line. Or a data set, or a folder "
            "of recordings with NAME.mid beside NAME.wav, to score a model on.",
        ),
    ],
    estimate: Annotated[
        Path | None, typer.Argument(metavar="EST", help="With REF: what to score, likewise.")
    ] = None,
    beats: Annotated[
        Path | None,
        typer.Option(help="With REF: text 'seconds number-in-bar' a line, beats of REF."),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(help="With REF: seconds within which strokes match. [default: 0.05]"),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With DATA: the model. [default: the one that ships]"),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="train|validation|test|all",
            help="Of a data set: which part. [default: test]",
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="drums|six|five",
            help="With DATA: classes to name hits by. [default: the data set's]",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw the confusion matrix there, as a heat map."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Score a transcription against what is right, or a model on labelled recordings.

    drum2midi evaluate right.mid mine.mid compares two; drum2midi evaluate data --model my.onnx
    transcribes every recording of a data set or folder. Needs drum2midi[evaluate].
    """
    console.set_up_logging(quiet=quiet, verbose=False)
    check_extra("evaluate", "mir_eval", "sklearn")
    from drum2midi.report import check_report

    check_report(picture=picture, json_file=json_file)
    if reference.is_dir():
        if estimate is not None or beats is not None:
            raise InputError(f"{reference}: a folder is scored with --model, not with a file")
        if window is not None:
            raise InputError("evaluate: --window goes with two files")
        _evaluate_model(reference, model, split, classes, picture, json_file, quiet)
    elif estimate is None:
        lacks = f"say what to score: drum2midi evaluate {reference.name} mine.mid"
        raise InputError(
            f"{reference}: {lacks if reference.exists() else 'no such file or folder'}"
        )
    else:
        for name, value in (("--model", model), ("--split", split), ("--classes", classes)):
            if value is not None:
                raise InputError(f"evaluate: {name} goes with a data set or folder")
        _evaluate_pair(reference, estimate, beats, window, picture, json_file, quiet)


def _evaluate_pair(
    reference: Path,
    estimate: Path,
    beats: Path | None,
    window: float | None,
    picture: Path | None,
    json_file: Path | None,
    quiet: bool,
) -> None:
    from drum2midi.evaluation import CONFUSION_LABELS, evaluate
    from drum2midi.references import read_performance
    from drum2midi.report import draw_report, print_table, write_report

    estimated = read_performance(estimate)
    if beats is not None and estimated.beats is None:
        raise InputError(f"{estimate}: has no beats to score with --beats; a .mid has")
    result = evaluate(
        read_performance(reference, beats=beats),
        estimated,
        window=_WINDOW if window is None else window,
    )
    if not quiet:
        print_table(result)
    if json_file is not None:
        write_report(result, json_file)
    if picture is not None:
        draw_report(result.confusion, CONFUSION_LABELS, picture, title=estimate.name)


def _evaluate_model(
    folder: Path,
    model: Path | None,
    split: str | None,
    classes: str | None,
    picture: Path | None,
    json_file: Path | None,
    quiet: bool,
) -> None:
    from drum2midi.evaluation import CONFUSION_LABELS
    from drum2midi.report import draw_report
    from drum2midi.workshop.material import items_of
    from drum2midi.workshop.scoring import Listener, score
    from drum2midi.workshop.tables import print_score, write_score

    items, scheme = items_of(folder, split)
    listener = Listener.load(model)
    with console.progress("listening", quiet=quiet) as progress:
        report = score(items, listener, classes=classes or scheme, progress=progress)
    if not quiet:
        print_score(report)
    if json_file is not None:
        write_score(report, json_file)
    if picture is not None:
        title = "the shipped model" if model is None else model.name
        if report.finding is not None:
            draw_report(report.finding.confusion, CONFUSION_LABELS, picture, title=title)
        elif report.naming is not None:
            naming = report.naming
            draw_report(naming.confusion, naming.classes, picture, title=title)
