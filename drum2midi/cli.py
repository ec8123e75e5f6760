"""The command line.

Nothing heavy is imported before it is needed: ``drum2midi --help`` answers at once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from drum2midi.errors import InputError, check_extra

if TYPE_CHECKING:
    from drum2midi.transcription import Transcription

_MAIN: Final = "transcribe"
_SURE: Final = 0.5
"""Confidence of a grid below which the user is told."""

_LOG: Final = logging.getLogger("drum2midi")


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


@app.command(
    _MAIN,
    epilog="Other commands: drum2midi evaluate --help (score a transcription), "
    "drum2midi train --help (train the model again).",
)
def _transcribe(
    song: Annotated[
        Path,
        typer.Argument(
            metavar="SONG", help="Recording: wav, flac, ogg, opus, mp3; a drum stem or a full mix."
        ),
    ],
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="What to write; the suffix says how: .mid, .musicxml, .mxl, .pdf, .svg (sheet), "
            ".wav (the strokes played), .png (a picture over time), .csv, .json. "
            "May be given several times. [default: SONG.mid and SONG.musicxml]",
        ),
    ] = None,
    tempo: Annotated[
        float | None,
        typer.Option(
            help="Beats a minute, if you know: quarters; in 6/8 and 12/8 dotted ones, "
            "in 5/8 and 7/8 eighths.",
            min=30,
            max=300,
            metavar="BPM",
        ),
    ] = None,
    metre: Annotated[
        str | None, typer.Option(help="Time signature, if you know: 4/4, 3/4, 6/8 …", metavar="N/D")
    ] = None,
    steady: Annotated[
        bool, typer.Option("--steady", help="One tempo throughout: a loop, a click, a machine.")
    ] = False,
    timing: Annotated[
        str,
        typer.Option(
            metavar="grid|performed",
            help="In the .mid: strokes on the grid, or each where it was played.",
        ),
    ] = "grid",
    drum_map: Annotated[
        str,
        typer.Option(
            metavar="gm|roland-td|FILE.toml",
            help="Notes of the .mid; a file has [notes] with lines such as kick = 36.",
        ),
    ] = "gm",
    hat_cc4: Annotated[
        bool, typer.Option("--hat-cc4", help="In the .mid: hi-hat openness as controller 4 too.")
    ] = False,
    paper: Annotated[
        str, typer.Option(metavar="a4|letter", help="Size of the pages of a .pdf or .svg.")
    ] = "a4",
    repeats: Annotated[
        bool,
        typer.Option(
            "--repeats/--no-repeats",
            help="In the sheet: passages that look the same once, between repeat barlines.",
        ),
    ] = False,
    mix: Annotated[
        bool, typer.Option("--mix", help="In the .wav: play the strokes over the song.")
    ] = False,
    click: Annotated[
        bool, typer.Option("--click", help="In the .wav: a click on every beat.")
    ] = False,
    start: Annotated[
        float, typer.Option(help="Listen from this second; times count from there.", min=0.0)
    ] = 0.0,
    end: Annotated[float | None, typer.Option(help="Listen up to this second.", min=0.0)] = None,
    sensitivity: Annotated[
        float,
        typer.Option(help="0 hears only what is certain, 1 hears ghosts.", min=0.0, max=1.0),
    ] = 0.5,
    title: Annotated[
        str | None, typer.Option(help="Title of the sheet. [default: the song's tag or file name]")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Another model file than the one that ships.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is done.")] = False,
) -> None:
    """Listen to SONG and write its drums as MIDI and as a drum sheet.

    drum2midi song.wav writes song.mid for a DAW and song.musicxml for MuseScore, beside the song.
    """
    _set_up_logging(quiet=quiet, verbose=verbose)
    from drum2midi.writers import WriteOptions, check_output, save

    targets = output or [song.with_suffix(".mid"), song.with_suffix(".musicxml")]
    options = WriteOptions(
        timing=timing,
        drum_map=drum_map,
        hat_cc4=hat_cc4,
        paper=paper,
        repeats=repeats,
        recording=song,
        start=start,
        mix=mix,
        click=click,
    )
    for target in targets:
        check_output(target, options)
    from drum2midi.pipeline import transcribe

    with _progress(quiet=quiet) as progress:
        result = transcribe(
            song,
            start=start,
            end=end,
            tempo=tempo,
            metre=metre,
            steady=steady,
            sensitivity=sensitivity,
            title=title,
            model=model,
            progress=progress,
        )
    for target in targets:
        save(result, target, options)
        _LOG.info("wrote %s", target)
    if result.grid.confidence < _SURE:
        _LOG.warning(
            "%s: not sure of the beats (%.0f %%); --tempo and --metre say what you know",
            song,
            100.0 * result.grid.confidence,
        )
    if not quiet:
        typer.echo(summary(result))


@app.command("train")
def _train(
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
    """Train the model again, from one-shots and grooves (needs drum2midi[train])."""
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


@app.command("evaluate")
def _evaluate(
    reference: Annotated[
        Path,
        typer.Argument(metavar="REF", help="What is right: .mid, or text 'seconds drum' a line."),
    ],
    estimate: Annotated[Path, typer.Argument(metavar="EST", help="What to score: likewise.")],
    beats: Annotated[
        Path | None, typer.Option(help="Text 'seconds number-in-bar' a line: beats of REF.")
    ] = None,
    window: Annotated[float, typer.Option(help="Seconds within which strokes match.")] = 0.05,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")
    ] = None,
) -> None:
    """Score a transcription: strokes, beats, metre, places in the bar, velocities.

    Needs drum2midi[evaluate].
    """
    check_extra("evaluate", "mir_eval")
    from drum2midi.evaluation import evaluate
    from drum2midi.references import read_performance
    from drum2midi.report import print_table, write_report

    result = evaluate(
        read_performance(reference, beats=beats), read_performance(estimate), window=window
    )
    print_table(result)
    if json_file is not None:
        write_report(result, json_file)


def summary(result: Transcription) -> str:
    """One line: strokes by drum, tempo, metre, bars."""
    from drum2midi.transcription import count_by_drum

    strokes = ", ".join(f"{count} {drum}" for drum, count in count_by_drum(result.hits).items())
    grid = result.grid
    bars = f"{len(grid.bars)} bar{'s' if len(grid.bars) != 1 else ''}"
    return f"{result.title}: {strokes}; {grid.tempo:.1f} bpm, {grid.metre}, {bars}"


def _set_up_logging(*, quiet: bool, verbose: bool) -> None:
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="drum2midi: %(message)s")
    _LOG.setLevel(level)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[float], None] | None]:
    """A progress line on a terminal, gone when done; None where nobody looks."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("listening", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: errors that a user can mend are one line on stderr and status 1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=_with_command(given), prog_name="drum2midi")
    except InputError as error:
        _fail(str(error))
    except OSError as error:  # the terminal or a pipe is gone, the disk is full
        _fail(f"{error.filename or 'output'}: {error.strerror}")


def _fail(reason: str) -> NoReturn:
    """One line, whatever is in a file's name."""
    typer.echo(f"drum2midi: {' '.join(reason.split())}".encode(errors="replace"), err=True)
    sys.exit(1)


def _with_command(arguments: list[str]) -> list[str]:
    """The main command goes without saying: ``drum2midi song.wav``."""
    commands = {command.name for command in app.registered_commands}
    if arguments and (arguments[0] in commands or arguments[0] == "--version"):
        return arguments
    return [_MAIN, *(arguments or ["--help"])]


if __name__ == "__main__":
    main()
