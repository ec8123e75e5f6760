"""Finish: weights that came back from a GPU become the model that drum2midi runs.

    python -m drum2midi.training.device.finish RUN/weights-100.npz [RUN/weights-90.npz ...] \
        --dev-set DIR --pieces DIR -o my.onnx

Several files are averaged. Beside the ``.onnx`` a ``.keras`` is written, to train on from. Pieces
are those of ``drum2midi train`` or of `drum2midi.training.pieces.start_renderers`; the weights of
the dynamics are fitted on them.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.files import replacing
from drum2midi.training.network import NetworkSettings, build_network
from drum2midi.training.weights import read_weights


def build(files: Sequence[Path]) -> tuple[Any, FeatureSettings, dict[str, Any]]:
    """The Keras network with the mean of weights, its features, and how it was trained.

    Parameters
    ----------
    files : sequence of Path
        ``weights-NN.npz``, with ``settings.json`` beside the first.

    Raises
    ------
    InputError
        If they cannot be read or do not fit the settings.
    """
    path = files[0].with_name("settings.json")
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        features = FeatureSettings(**about.pop("features"))
        sizes = about["network"]
        network = NetworkSettings(**{**sizes, "filters": tuple(sizes["filters"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the settings of a run ({error})") from None
    model = build_network(features.bands, network)
    weights = read_weights(files)
    try:
        model.set_weights(weights)
    except ValueError:
        raise InputError(f"{files[0]}: does not fit the network of {path}") from None
    return model, features, about


def finish(
    files: Sequence[Path],
    output: Path,
    *,
    dev_set: Path,
    pieces: Path,
    rendered: Path | None = None,
) -> dict[str, float]:
    """Choose the thresholds, fit the dynamics, export, and log all that to MLflow.

    Parameters
    ----------
    files : sequence of Path
        See `build`.
    output : Path
        The ``.onnx`` to write; the ``.keras`` is written beside it.
    dev_set : Path
        Real recordings that choose the thresholds.
    pieces : Path
        Rendered pieces to fit the dynamics on.
    rendered : Path, optional
        Rendered performances that choose beside the real ones: see `drum2midi.training.tune.tune`.

    Returns
    -------
    dict
        Micro F of each folder of the dev set.

    Raises
    ------
    InputError
        If something cannot be read.
    """
    from drum2midi.training.run import tune_and_export
    from drum2midi.training.tracking import tracked

    model, features, about = build(files)
    run = files[0].parent
    with tracked(run, about) as tracker:
        for row in _curve(run / "log.csv"):
            tracker.metrics({"loss": row["loss"], "pieces": row["pieces"]}, step=int(row["step"]))
        scores = tune_and_export(
            model, features, output, {**about, "weights": [file.name for file in files]},
            pieces=pieces, dev_set=dev_set, tracker=tracker, rendered=rendered,
        )  # fmt: skip
    with replacing(output.with_suffix(".keras")) as target:
        model.save(target)
    return scores


def _curve(log: Path) -> Iterator[dict[str, float]]:
    """The rows of a run's log; none if it has none."""
    if log.is_file():
        with log.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                yield {name: float(value) for name, value in row.items()}


def _main(
    weights: Annotated[list[Path], typer.Argument(metavar="WEIGHTS.npz...")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.onnx")],
    dev_set: Annotated[Path, typer.Option(help="Real recordings that choose the thresholds.")],
    pieces: Annotated[Path, typer.Option(help="Rendered pieces to fit the dynamics on.")],
    rendered: Annotated[
        Path | None, typer.Option(help="A rendered set that chooses beside the real recordings.")
    ] = None,
) -> None:
    """Make a model of weights that were trained on a GPU."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        scores = finish(weights, output, dev_set=dev_set, pieces=pieces, rendered=rendered)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    for folder, score in scores.items():
        typer.echo(f"{folder}: micro F {score:.3f}")


if __name__ == "__main__":
    typer.run(_main)
