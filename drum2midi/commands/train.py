"""``drum2midi train``: a model made from a data set, or from nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from drum2midi.commands import console
from drum2midi.errors import InputError, check_extra


def train_command(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.onnx", help="The model to write.")
    ],
    dataset: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DATASET", help="Teach a model from what drum2midi dataset built."
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For checkpoints and the log; goes on if it is there. "
            "[default: beside the output, with --from]",
        ),
    ] = None,
    from_model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.keras",
            help="Begin with this one, and be as large. With --from its .onnx is beside it. "
            "[default: the model that ships; from nothing, chance]",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="With --from: at most so often through the data. "
            "[default: 20; with --backbone 50]",
            min=1,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Adam's highest rate. [default: 0.0003; with --backbone 0.0005; "
            "from nothing 0.002]",
            min=0,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="With --from: epochs that may pass without getting better. "
            "[default: 4; with --backbone 8]",
            min=1,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --from: instead of the model, a dense head on a frozen network of "
            "keras.applications: inception-resnet-v2, mobilenet-v2 … names hits by pictures.",
        ),
    ] = None,
    backbone_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its weights, …_notop.h5. [default: fetch ImageNet's]"),
    ] = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Leave its weights to chance.")
    ] = False,
    oneshots: Annotated[
        list[Path] | None,
        typer.Option(help="From nothing: folder of one-shots with index.csv; repeatable."),
    ] = None,
    grooves: Annotated[
        Path | None, typer.Option(help="From nothing: folder of grooves with info.csv.")
    ] = None,
    impulses: Annotated[
        Path | None, typer.Option(help="From nothing: folder of room impulse responses.")
    ] = None,
    soundfont: Annotated[
        list[Path] | None,
        typer.Option(help="From nothing: General MIDI .sf2 to accompany with; repeatable."),
    ] = None,
    hold_out: Annotated[
        list[str] | None, typer.Option(help="From nothing: a kit to leave out; repeatable.")
    ] = None,
    dev_set: Annotated[
        Path | None,
        typer.Option(help="From nothing: real recordings that choose the thresholds."),
    ] = None,
    rendered_set: Annotated[
        Path | None,
        typer.Option(
            help="With --dev-set: performances on kits held out (python -m "
            "drum2midi.training.rendered_set) that choose as well."
        ),
    ] = None,
    pieces: Annotated[
        int | None,
        typer.Option(help="From nothing: pieces of 24 s to render. [default: 6000]", min=1),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="From nothing: batches to train for. [default: 6000]", min=1),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="From nothing: processes that render. [default: 1]", min=1),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(
            help="With --from-model and without --from: its share in the mean of weights that "
            "training ends with. [default: 0.3]",
            min=0,
            max=1,
        ),
    ] = None,
    members: Annotated[
        int | None,
        typer.Option(
            help="From nothing: networks to train; the model is their mean. [default: 1]", min=1
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same batches.", min=0, max=2**32 - 1)
    ] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Teach a model from labelled recordings, or train one from nothing.

    drum2midi train --from data -o my.onnx fine-tunes the model that ships on a data set. Without
    --from, a model is trained from one-shots and grooves, which takes hours: --oneshots, --grooves,
    --impulses and --run say from what. Either goes on where it was stopped, and MLflow keeps its
    figures in the run's folder. Needs drum2midi[train].
    """
    console.set_up_logging(quiet=quiet, verbose=False)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow tells of GPUs it lacks
    chosen = {"--backbone": backbone, "--epochs": epochs, "--patience": patience,
              "--backbone-weights": backbone_weights,
              "--random-weights": random_weights or None}  # fmt: skip
    full = {"--oneshots": oneshots or None, "--grooves": grooves, "--impulses": impulses}
    more = {"--soundfont": soundfont or None, "--hold-out": hold_out or None, "--dev-set": dev_set,
            "--rendered-set": rendered_set, "--pieces": pieces, "--steps": steps,
            "--workers": workers, "--members": members, "--keep": keep}  # fmt: skip
    if dataset is None:
        _refuse(chosen, "goes with --from DATASET")
        if not oneshots or grooves is None or impulses is None or run is None:
            lacking = [name for name, value in {**full, "--run": run}.items() if value is None]
            raise InputError(
                "train: say with --from which data set to learn from; or, to train from nothing, "
                f"also {', '.join(lacking)}"
            )
        if rendered_set is not None and dev_set is None:
            raise InputError("train: --rendered-set goes with --dev-set")
        if keep is not None and from_model is None:
            raise InputError("train: --keep goes with --from-model")
        scores = _from_nothing(
            (tuple(oneshots), grooves, impulses, tuple(soundfont or ()), tuple(hold_out or ())),
            run, output, dev_set, rendered_set, start=from_model, pieces=pieces, workers=workers,
            members=members, steps=steps, rate=rate, keep=keep, seed=seed,
        )  # fmt: skip
        if scores and not quiet:
            console.say(scores)
        return
    _refuse({**full, **more}, "trains from nothing: it does not go with --from")
    folder = output.with_suffix(".run") if run is None else run
    if backbone is None:
        if backbone_weights or random_weights:
            raise InputError("--backbone-weights and --random-weights go with --backbone NAME")
        message = _fine_tune(dataset, output, folder, from_model, epochs, rate, patience, seed)
    else:
        _refuse({"--from-model": from_model}, "does not go with --backbone")
        message = _backbone(
            dataset, output, folder, backbone, backbone_weights, random_weights, epochs, rate,
            patience, seed,
        )  # fmt: skip
    if not quiet:
        console.say(message)


def _refuse(options: Mapping[str, object], reason: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"train: {name} {reason}")


def _said(**options: float | None) -> dict[str, Any]:
    """What was said; the rest is left to each kind of training's own defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _fine_tune(
    dataset: Path,
    output: Path,
    run: Path,
    from_model: Path | None,
    epochs: int | None,
    rate: float | None,
    patience: int | None,
    seed: int,
) -> str:
    from drum2midi.workshop.dataset import read_dataset
    from drum2midi.workshop.fine_tune import FineTuneSettings, find_base, fine_tune

    settings = FineTuneSettings(seed=seed, **_said(epochs=epochs, rate=rate, patience=patience))
    data = read_dataset(dataset)
    check_extra("train", "tensorflow", "tf2onnx", "onnx", "mir_eval")
    result = fine_tune(data, output, run=run, base=find_base(from_model), settings=settings)
    change = (
        ""
        if result.loss_before is None
        else f", validation loss {result.loss_before:.4f} -> {result.loss_after:.4f}"
    )
    return f"{output}: best of {result.epochs} epochs is {result.best_epoch}{change}"


def _backbone(
    dataset: Path,
    output: Path,
    run: Path,
    name: str,
    weights: Path | None,
    random: bool,
    epochs: int | None,
    rate: float | None,
    patience: int | None,
    seed: int,
) -> str:
    from drum2midi.workshop.backbone import train_backbone
    from drum2midi.workshop.bases import BackboneSettings
    from drum2midi.workshop.dataset import read_dataset

    settings = BackboneSettings(
        name=name,
        weights=weights,
        random=random,
        seed=seed,
        **_said(epochs=epochs, rate=rate, patience=patience),
    )
    data = read_dataset(dataset)
    check_extra("train", "tensorflow", "tf2onnx", "onnx")
    result = train_backbone(data, output, run=run, settings=settings)
    return (
        f"{output}: best of {result.epochs} epochs is {result.best_epoch}; "
        f"{result.parameters / 1e6:.1f} million parameters; classes {', '.join(result.classes)}"
    )


def _from_nothing(
    material: tuple[tuple[Path, ...], Path, Path, tuple[Path, ...], tuple[str, ...]],
    run: Path,
    output: Path,
    dev_set: Path | None,
    rendered: Path | None,
    *,
    start: Path | None,
    pieces: int | None,
    workers: int | None,
    members: int | None,
    steps: int | None,
    rate: float | None,
    keep: float | None,
    seed: int,
) -> str:
    check_extra("train", "tensorflow", "tf2onnx", "onnx", "fluidsynth", "mir_eval", "mlflow", "av")
    from drum2midi.training.fit import FitSettings
    from drum2midi.training.pieces import Sources
    from drum2midi.training.run import RunSettings, train

    fit = FitSettings(seed=seed, **_said(steps=steps, rate=rate, keep=keep))
    settings = RunSettings(
        start=start, fit=fit, **_said(pieces=pieces, workers=workers, members=members)
    )
    scores = train(
        Sources(*material), run, output, settings=settings, dev_set=dev_set, rendered=rendered
    )
    return "\n".join(f"{folder}: micro F {score:.3f}" for folder, score in scores.items())
