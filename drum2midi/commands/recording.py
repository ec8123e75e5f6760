"""The recording that a command is given: a file, or a link to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from drum2midi.commands import console
from drum2midi.errors import InputError


@dataclass(frozen=True)
class Recording:
    """A recording at hand.

    Attributes
    ----------
    path : Path
        Where it is now.
    beside : Path
        What the files made of it are named after, with another suffix.
    title : str or None
        What its page calls it, where it came from one.
    """

    path: Path
    beside: Path
    title: str | None = None


@contextmanager
def recording(
    song: str,
    *,
    megabytes: float,
    seconds: float,
    allowed: Sequence[str],
    quiet: bool,
) -> Iterator[Recording]:
    """The recording that `song` names; one behind a link is here until the block ends."""
    from drum2midi.link import LinkLimits, about_link, fetched, is_link

    if not is_link(song):
        if allowed:
            raise InputError("--allow-private goes with a link")
        yield Recording(Path(song), Path(song))
        return
    limits = LinkLimits(megabytes, seconds, tuple(allowed))
    with ExitStack() as stack:
        with console.progress("fetching", quiet=quiet) as progress:
            found = stack.enter_context(fetched(song, limits=limits, progress=progress))
        try:
            yield Recording(found.path, Path(found.path.name), found.title)
        except InputError as error:
            raise about_link(error, song, found.path) from None
