"""What a command says while it works: a log and a progress line, both on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import typer

LOG: Final = logging.getLogger("drum2midi")


class _Once(logging.Filter):
    """Lets a message pass once: a recording that is read twice is damaged once."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in self.said
        self.said.add(message)
        return new


def set_up_logging(*, quiet: bool, verbose: bool) -> None:
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Once())
    logging.basicConfig(handlers=[handler], level=logging.ERROR, format="drum2midi: %(message)s")
    LOG.setLevel(level)


def say(text: str) -> None:
    """A line on stdout, as far as the terminal or pipe has letters for it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    typer.echo(text.encode(encoding, errors="replace").decode(encoding))


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None] | None]:
    """A progress line on a terminal, gone when done; None where nobody looks."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
