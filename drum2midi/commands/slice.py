"""``drum2midi slice``: a recording's hits as clips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from drum2midi.commands import console


def slice_command(
    song: Annotated[Path, typer.Argument(metavar="SONG", help="Recording.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to; new or empty.")
    ],
    onsets: Annotated[
        str, typer.Option(metavar="model|librosa", help="Who finds the hits.")
    ] = "model",
    length: Annotated[float, typer.Option(help="Seconds of a clip.")] = 0.25,
    preroll: Annotated[float, typer.Option(help="Seconds of it before the onset.")] = 0.01,
    delta: Annotated[
        float | None,
        typer.Option(
            help="With librosa: less finds quieter strokes, 0 to 1. [default: 0.07]",
        ),
    ] = None,
    sensitivity: Annotated[
        float,
        typer.Option(help="With model: 0 hears only what is certain, 1 hears ghosts."),
    ] = 0.5,
    model: Annotated[
        Path | None, typer.Option(help="Another model file than the one that ships.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Cut every hit of SONG out: clips and a JSON, to be labelled.

    Each hit comes with what the model suggests it to be.
    """
    from drum2midi.errors import InputError
    from drum2midi.link import check_is_file
    from drum2midi.workshop.slicing import Detector, SliceSettings, slice_song

    console.set_up_logging(quiet=quiet, verbose=False)
    check_is_file(song)
    if delta is not None and onsets != "librosa":
        raise InputError("--delta goes with --onsets librosa")
    settings = SliceSettings(
        onsets=cast("Detector", onsets),
        length=length,
        preroll=preroll,
        **({} if delta is None else {"delta": delta}),
        sensitivity=sensitivity,
    )
    with console.progress("listening", quiet=quiet) as progress:
        slices = slice_song(song, output, settings=settings, model=model, progress=progress)
    if not quiet:
        console.say(f"{output}: {len(slices.slices)} hits")
