"""``drum2midi separate``: the drums alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drum2midi.commands import console


def separate_command(
    song: Annotated[Path, typer.Argument(metavar="SONG", help="Recording of a full mix.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The stem: .wav (float) or .flac (24 bits). [default: SONG-drums.wav]",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Weights of Demucs on disk. [default: HTDemucs, fetched once from its repository]",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Take the drums out of a full mix.

    The stem is as long, as loud and in time with the mix; it is kept, and found the next time.
    Takes about twice the song's length on one core. Needs drum2midi[separate].
    """
    console.set_up_logging(quiet=quiet, verbose=False)
    from drum2midi.audio import check_readable
    from drum2midi.files import check_apart, check_new
    from drum2midi.link import check_is_file
    from drum2midi.separation import Passage, check_stem_output, export_stem, separate

    check_is_file(song)
    check_readable(song)
    target = output or song.with_name(f"{song.stem}-drums.wav")
    check_stem_output(target)
    if output is None:
        check_new(target)
    check_apart(target, song)
    with console.progress("separating", quiet=quiet) as progress:
        stem = separate(Passage(song), weights=weights, progress=progress)
    export_stem(stem, target)
