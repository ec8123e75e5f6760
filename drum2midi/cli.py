"""The command line.

Nothing heavy is imported before it is needed: ``drum2midi --help`` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, NoReturn

import typer

from drum2midi.commands.dataset import dataset_command
from drum2midi.commands.evaluate import evaluate_command
from drum2midi.commands.label import label_command
from drum2midi.commands.separate import separate_command
from drum2midi.commands.slice import slice_command
from drum2midi.commands.train import train_command
from drum2midi.commands.transcribe import transcribe_command
from drum2midi.errors import InputError

_MAIN: Final = "transcribe"
_COMMANDS: Final[Mapping[str, Callable[..., Any]]] = {
    _MAIN: transcribe_command,
    "dataset": dataset_command,
    "evaluate": evaluate_command,
    "label": label_command,
    "separate": separate_command,
    "slice": slice_command,
    "train": train_command,
}


app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"drum2midi {version('drum2midi')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Listen to a recording and write down what the drummer played."""


def _others() -> str:
    """What stands under the main command's help."""
    lines = (
        f"drum2midi {name} ({command.__doc__.strip().splitlines()[0].rstrip('.').lower()})"
        for name, command in _COMMANDS.items()
        if name != _MAIN and command.__doc__
    )
    return f"Other commands, each with its own --help: {', '.join(lines)}."


for _name, _command in _COMMANDS.items():
    app.command(_name, epilog=_others() if _name == _MAIN else None)(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: errors that a user can mend are one line on stderr and status 1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if threading.current_thread() is threading.main_thread():
        # As Control-C does, so that what is half written is cleaned away.
        for ending in ("SIGTERM", "SIGHUP"):  # the terminal is closed; Windows has no such signal
            number = getattr(signal, ending, None)
            # What was deaf to it at the start, as nohup makes it, stays so.
            if number and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        app(args=_with_command(given), prog_name="drum2midi")
    except SystemExit as stop:
        if stop.code == 128 + signal.SIGINT and os.name == "posix":
            _die_of_interrupt()
        raise
    except InputError as error:
        _fail(str(error))
    except OSError as error:  # the terminal or a pipe is gone, the disk is full
        _fail(f"{error.filename or 'output'}: {error.strerror}")


def _die_of_interrupt() -> None:
    """End as what Control-C ends does: else a shell's loop over songs goes on with the next."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def _fail(reason: str) -> NoReturn:
    """One line, whatever is in a file's name."""
    typer.echo(f"drum2midi: {' '.join(reason.split())}".encode(errors="replace"), err=True)
    sys.exit(1)


def _with_command(arguments: list[str]) -> list[str]:
    """The main command goes without saying: ``drum2midi song.wav``."""
    if arguments and (arguments[0] in _COMMANDS or arguments[0] == "--version"):
        return arguments
    return [_MAIN, *(arguments or ["--help"])]


if __name__ == "__main__":
    main()
