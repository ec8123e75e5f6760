"""``drum2midi train``: the model, made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drum2midi.errors import check_extra


def train_command(
    oneshots: Annotated[Path, typer.Option(help="Folder of one-shots with index.csv.")],
    grooves: Annotated[Path, typer.Option(help="Folder of grooves with info.csv.")],
    impulses: Annotated[Path, typer.Option(help="Folder of room impulse responses.")],
    run: Annotated[
        Path, typer.Option(help="Folder for pieces and checkpoints; goes on if it is there.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .onnx to write.")],
    soundfont: Annotated[
        list[Path] | None, typer.Option(help="General MIDI .sf2 to accompany with; repeatable.")
    ] = None,
    hold_out: Annotated[
        list[str] | None, typer.Option(help="A kit to leave out; repeatable.")
    ] = None,
    dev_set: Annotated[
        Path | None, typer.Option(help="Real recordings that choose the thresholds.")
    ] = None,
    pieces: Annotated[int, typer.Option(help="Pieces of 24 s to render.", min=1)] = 6000,
    steps: Annotated[int, typer.Option(help="Batches to train for.", min=1)] = 6000,
    workers: Annotated[int, typer.Option(help="Processes that render.", min=1)] = 1,
    members: Annotated[
        int, typer.Option(help="Networks to train; the model is their mean.", min=1)
    ] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same material.")] = 0,
) -> None:
    """Train the model again, from one-shots and grooves.

    Needs drum2midi[train].
    """
    check_extra("train", "tensorflow", "tf2onnx", "onnx", "fluidsynth", "mir_eval")
    from drum2midi.training.fit import FitSettings
    from drum2midi.training.pieces import Sources
    from drum2midi.training.run import RunSettings, train

    sources = Sources(oneshots, grooves, impulses, tuple(soundfont or ()), tuple(hold_out or ()))
    settings = RunSettings(
        pieces=pieces, workers=workers, members=members, fit=FitSettings(steps=steps, seed=seed)
    )
    scores = train(sources, run, output, settings=settings, dev_set=dev_set)
    for folder, score in scores.items():
        typer.echo(f"{folder}: micro F {score:.3f}")
