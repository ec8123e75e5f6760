"""``drum2midi SONG``: the main command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from drum2midi.commands import console
from drum2midi.commands.recording import Recording, recording

if TYPE_CHECKING:
    from drum2midi.transcription import Transcription
    from drum2midi.writers import WriteOptions

_SUFFIX: Final = re.compile(r"\.(?=.*[A-Za-z])[A-Za-z0-9]+")
_DEFAULTS: Final = (".mid", ".musicxml")
_SOUNDS: Final = (".wav",)
_MIDI: Final = (".mid", ".midi")
_PAGES: Final = (".pdf", ".svg")
_SHEETS: Final = (".musicxml", ".mxl", ".xml", *_PAGES)
_SURE: Final = 0.5
"""Confidence of a grid below which the user is told."""


def transcribe_command(
    song: Annotated[
        str,
        typer.Argument(
            metavar="SONG",
            help="One recording: wav, flac, ogg, opus, mp3; a drum stem or a full mix. "
            "Or a link, http:// or https://, to one or to a page with one.",
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
            help="Beats a minute, if you know: quarters in 4/4, halves in 2/2, eighths in 7/8; "
            "in 6/8, 9/8, 12/8 and 15/8 dotted quarters.",
            min=30,
            max=300,
            metavar="BPM",
        ),
    ] = None,
    metre: Annotated[
        str | None, typer.Option(help="Time signature, if you know: 4/4, 3/4, 6/8 …", metavar="N/D")
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            help="Shortest note values, if you know: 8, 16, 32; for triplets 8t, 16t; or 16,8t.",
            metavar="VALUES",
        ),
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
    rolls: Annotated[
        str,
        typer.Option(
            metavar="auto|written|tremolo",
            help="In the sheet: rolls stroke by stroke or as tremolos. By itself it writes "
            "tremolos on pages, and in MusicXML every stroke of the .mid.",
        ),
    ] = "auto",
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
    separate: Annotated[
        str,
        typer.Option(
            metavar="never|auto|always",
            help="Take the drums out of the mix first, with Demucs (drum2midi[separate]): about "
            "twice the song's length on one core, and the model hears mixes too. auto does it "
            "unless the recording is a drum stem or Demucs cannot be had.",
        ),
    ] = "never",
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Weights of Demucs on disk. [default: HTDemucs, fetched once from its repository]",
        ),
    ] = None,
    max_download: Annotated[
        float, typer.Option(help="Megabytes that a link may bring.", min=0.0, metavar="MB")
    ] = 200.0,
    max_wait: Annotated[
        float, typer.Option(help="Seconds that a link may take.", min=0.0, metavar="SECONDS")
    ] = 600.0,
    allow_private: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="An address or network, 10.0.0.0/8, that a link may lead to though it is not "
            "public. May be given several times.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what is done.")] = False,
) -> None:
    """Listen to SONG and write its drums as MIDI and as a drum sheet.

    drum2midi song.wav writes song.mid for a DAW and song.musicxml for MuseScore, beside the song;
    of a link they are named after its title, in this folder. Without -o nothing is written over
    that drum2midi did not write.
    """
    console.set_up_logging(quiet=quiet, verbose=verbose)
    from drum2midi.audio import check_readable
    from drum2midi.errors import InputError
    from drum2midi.files import MARKS, check_ours
    from drum2midi.writers import WriteOptions, check_output, save

    options = WriteOptions(
        timing=timing,
        drum_map=drum_map,
        hat_cc4=hat_cc4,
        paper=paper,
        repeats=repeats,
        rolls=rolls,
        recording=Path(song),
        start=start,
        mix=mix,
        click=click,
    )
    for target in output or []:
        check_output(target, options)
    _check_of_use(output or [Path(f"a{suffix}") for suffix in _DEFAULTS], options)
    if weights is not None and separate == "never":
        raise InputError("--weights goes with --separate")
    with recording(
        song, megabytes=max_download, seconds=max_wait, allowed=allow_private or (), quiet=quiet
    ) as source:
        check_readable(source.path)
        targets = output or [_named(source.beside, suffix) for suffix in _DEFAULTS]
        if not output:
            for target in targets:
                check_ours(target, MARKS[target.suffix])
        options = replace(options, recording=source.path)
        for target in targets:
            check_output(target, options)
        from drum2midi.pipeline import transcribe

        with console.progress("listening", quiet=quiet) as progress:
            result = transcribe(
                source.path,
                start=start,
                end=end,
                tempo=tempo,
                metre=metre,
                grid=grid,
                steady=steady,
                sensitivity=sensitivity,
                title=title or _title(source),
                model=model,
                separate=separate,
                weights=weights,
                progress=progress,
            )
        for target in targets:
            save(result, target, options)
            console.LOG.info("wrote %s", target)
        if result.grid.confidence < _SURE:
            console.LOG.warning(
                "%s: not sure of the beats (%.0f %%); --tempo and --metre say what you know",
                song,
                100.0 * result.grid.confidence,
            )
        if not quiet:
            console.say(summary(result))


def _named(path: Path, suffix: str) -> Path:
    """A path with another suffix; the 2 of ``Take 1.2`` is none."""
    if _SUFFIX.fullmatch(path.suffix):
        return path.with_suffix(suffix)
    return path.with_name(path.name + suffix)


def _check_of_use(targets: Sequence[Path], options: WriteOptions) -> None:
    """Raise `InputError` about an option that would do nothing, since no such file is written."""
    from drum2midi.errors import InputError

    written = {target.suffix.lower() for target in targets}
    for option, given, suffixes in (
        ("--mix", options.mix, _SOUNDS),
        ("--click", options.click, _SOUNDS),
        ("--timing performed", options.timing != "grid", _MIDI),
        ("--drum-map", options.drum_map != "gm", _MIDI),
        ("--hat-cc4", options.hat_cc4, _MIDI),
        ("--paper", options.paper != "a4", _PAGES),
        ("--repeats", options.repeats, _SHEETS),
        ("--rolls", options.rolls != "auto", _SHEETS),
    ):
        if given and written.isdisjoint(suffixes):
            raise InputError(f"{option} goes with a {suffixes[0]}: -o names one")


def _title(source: Recording) -> str | None:
    """What a page calls the recording, unless the recording itself says."""
    from drum2midi.tags import read_tags

    return None if source.title is None else read_tags(source.path).title or source.title


def summary(result: Transcription) -> str:
    """One line: strokes by drum, tempo, metre, bars."""
    from drum2midi.transcription import count_by_drum

    strokes = ", ".join(f"{count} {drum}" for drum, count in count_by_drum(result.hits).items())
    grid = result.grid
    bars = f"{len(grid.bars)} bar{'s' if len(grid.bars) != 1 else ''}"
    return f"{result.title}: {strokes}; {grid.tempo:.1f} bpm, {grid.metre}, {bars}"
