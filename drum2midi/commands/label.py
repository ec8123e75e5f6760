"""``drum2midi label``: the labelling page, and several people's labels put together."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from drum2midi.commands import console
from drum2midi.errors import InputError, check_extra

if TYPE_CHECKING:
    from drum2midi.workshop.labels import Labels


def label_command(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER|SONG",
            help="What drum2midi slice wrote; a song is sliced beside itself.",
        ),
    ],
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who labels. [default: your user name]")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to; goes on if it is there. [default: FOLDER/labels-NAME.json]",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(help="Of the page; 0 takes any that is free.", min=0, max=65535)
    ] = 8345,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page at once.")
    ] = True,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Put several people's labels files together instead, into -o."
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="With --merge: where to.")
    ] = None,
) -> None:
    """Label a song's hits on a page in the browser, by ear, eye and key.

    Every label is on the disk as soon as it is confirmed. The page is served to this machine only.

    Needs drum2midi[app].
    """
    if merge:
        if output is None:
            raise InputError("--merge needs -o FILE")
        for name, value in (("--who", who), ("--labels", labels)):
            if value is not None:
                raise InputError(f"{name} goes with labelling, not with --merge")
        _merge(sources, output)
        return
    if len(sources) != 1 or output is not None:
        raise InputError("one folder or song at a time, without -o; --merge takes labels files")
    check_extra("app", "nicegui")
    _label(sources[0], _name() if who is None else who, labels, port=port, browser=browser)


def _label(source: Path, who: str, labels: Path | None, *, port: int, browser: bool) -> None:
    from drum2midi.link import check_is_file
    from drum2midi.workshop.page import free_port, serve
    from drum2midi.workshop.session import LabellingSession, labels_file
    from drum2midi.workshop.slicing import open_slices

    console.set_up_logging(quiet=False, verbose=False)
    check_is_file(source)
    port = free_port(port)
    with console.progress("listening") as progress:
        folder, slices = open_slices(source, progress=progress)
    with LabellingSession(slices, labels or labels_file(folder, who), who=who) as session:
        serve(
            session,
            port=port,
            browser=browser,
            ready=lambda address: console.say(f"{source}: label at {address} (Ctrl-C ends it)"),
        )
        state = session.state
        console.say(f"{session.path}: {state.labelled} of {len(state.slices)} hits labelled")


def _merge(sources: Sequence[Path], output: Path) -> None:
    from drum2midi.files import check_ours
    from drum2midi.workshop.journal import warn_of_journal
    from drum2midi.workshop.labels import FORMAT, read_labels, write_labels
    from drum2midi.workshop.merging import merge_labels

    check_ours(output, f'"{FORMAT}"')
    for source in sources:
        if output.exists() and output.samefile(source):
            raise InputError(f"cannot write {output}: it is one of the files to merge")
        warn_of_journal(source)
    told = [read_labels(source) for source in sources]
    _check_votes(sources, told)
    if output.exists() and (strange := _labellers([read_labels(output)]) - _labellers(told)):
        names = ", ".join(sorted(strange))
        raise InputError(f"cannot write {output}: it has labels of {names}, which are not merged")
    merged = merge_labels(told)
    write_labels(merged.labels, output)
    for stroke in merged.disputes:
        said = "; ".join(
            f"{label.who or 'somebody'}: {' + '.join(map(str, label.drums)) or 'nothing'}"
            for label in stroke
        )
        typer.echo(f"left out, {stroke[0].onset:.3f} s: {said}", err=True)
    left = f", {len(merged.disputes)} left out as disputed" if merged.disputes else ""
    console.say(f"{output}: {len(merged.labels.labels)} labels{left}")


def _check_votes(sources: Sequence[Path], told: Sequence[Labels]) -> None:
    """Raise `InputError` if somebody would vote twice, in a file and in what it was merged into."""
    of: dict[str, Path] = {}
    for source, labels in zip(sources, told, strict=True):
        for name in sorted(_labellers([labels]) - {"nobody"}):
            if name in of:
                raise InputError(f"{source}: has labels of {name}, as has {of[name]}; merge one")
            of[name] = source


def _labellers(files: Iterable[Labels]) -> set[str]:
    names = (label.who or "nobody" for file in files for label in file.labels)
    return {one for name in names for one in name.split(", ")}


def _name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the system does not know
        return "me"
