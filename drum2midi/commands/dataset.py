"""``drum2midi dataset``: labelled audio becomes a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drum2midi.commands import console
from drum2midi.errors import InputError, check_extra

if TYPE_CHECKING:
    from drum2midi.workshop.dataset import Dataset


def dataset_command(
    context: typer.Context,
    action: Annotated[
        str,
        typer.Argument(metavar="build|show", help="Make a data set, or say what is in one."),
    ],
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE…",
            help="With build: labels (.json), a folder of NAME.mid beside NAME.wav, of folders "
            "named after drums, of one-shots with index.csv, or a published data set "
            "(ENST-Drums, IDMT-SMT-Drums, MDB Drums, Groove, E-GMD). With show: a data set.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="New or empty."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            metavar="A,B,C", help="Shares of train, validation and test; a song is never divided."
        ),
    ] = "80,10,10",
    classes: Annotated[
        str,
        typer.Option(
            metavar="drums|six|five",
            help="What to stratify and balance by: twelve drums, the six classes crash, hi-hat, "
            "kick, ride, snare, toms, or KD SD TT HH CY.",
        ),
    ] = "drums",
    balance: Annotated[
        bool, typer.Option("--balance", help="Repeat what holds rare classes, in train.")
    ] = False,
    augment: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Variants of every recording in train beside the original: noise, time mask, "
            "shift, pitch, gain.",
            min=0,
        ),
    ] = 1,
    seed: Annotated[
        int, typer.Option(help="The same seed gives the same bytes.", min=0, max=2**32 - 1)
    ] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Build a data set from labelled audio: split, balanced, augmented.

    drum2midi dataset build labels.json songs/ -o data takes labels, and folders of audio with
    MIDI; drum2midi train --from data and drum2midi evaluate data use what it makes.
    """
    console.set_up_logging(quiet=quiet, verbose=False)
    if action not in ("build", "show"):
        raise InputError(f"dataset {action}: say build or show")
    from drum2midi.workshop.building import BuildSettings, build_dataset
    from drum2midi.workshop.dataset import read_dataset

    if action == "show":
        _check_only_shown(context)
        for source in sources:
            shown = _summary(read_dataset(source))
            if not quiet:
                console.say(shown)
        return
    if output is None:
        raise InputError("dataset build: say with -o where to write the data set")
    if augment:
        check_extra("dataset", "audiomentations")
    settings = BuildSettings(
        shares=_shares(split), classes=classes, balance=balance, augmented=augment, seed=seed
    )
    with console.progress("building", quiet=quiet) as progress:
        dataset = build_dataset(sources, output, settings=settings, progress=progress)
    if not quiet:
        console.say(_summary(dataset))


def _check_only_shown(context: typer.Context) -> None:
    """Raise `InputError` about an option that shows nothing."""
    for name in ("output", "split", "classes", "balance", "augment", "seed"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError(f"dataset show: --{name} goes with build")


def _shares(text: str) -> tuple[float, float, float]:
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"split {text!r}: three numbers such as 80,10,10") from None
    return train, validation, test


def _summary(dataset: Dataset) -> str:
    from drum2midi.workshop.dataset import class_counts
    from drum2midi.workshop.sounds import classes_of
    from drum2midi.workshop.splits import SPLITS

    names = classes_of(dataset.classes)
    lines = [f"{dataset.folder}:"]
    for split in SPLITS:
        entries = dataset.of(split)
        minutes = sum(entry.seconds for entry in entries) / 60
        counts = class_counts([s for entry in entries for s in entry.strokes], dataset.classes)
        strokes = ", ".join(
            f"{count} {name}" for name, count in zip(names, counts.tolist(), strict=True) if count
        )
        songs = len({entry.song for entry in entries})
        lines.append(
            f"  {split}: {songs} song{'s' if songs != 1 else ''}, {len(entries)} "
            f"recording{'s' if len(entries) != 1 else ''}, "
            f"{minutes:.1f} min: {strokes or 'nothing'}"
        )
    return "\n".join(lines)
