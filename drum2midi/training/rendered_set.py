"""Rendered set: whole performances played on kits that no model has trained on.

    python -m drum2midi.training.rendered_set OUT --oneshots DIR --grooves DIR --impulses DIR \
        --kit NAME [--kit NAME ...]

Writes ``OUT/audio/NAME.flac`` and ``OUT/truth/NAME.json`` ({"bpm", "metre",
"start", "hits": [[seconds, note, velocity], ...]}) for every 'beat' performance
of the validation split, and for those of the training split in odd metres.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import soundfile
import typer

from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.training import oneshots, render
from drum2midi.training.grooves import GrooveFile, Stroke, list_grooves, read_groove
from drum2midi.training.pieces import read_impulses
from drum2midi.transcription import Metre

RATE: Final = 44100
LEAD_IN: Final = 0.5
"""Seconds of silence before the first bar."""

_TAIL: Final = 2.0
_WINDOW: Final = 1


def render_set(
    out: Path,
    files: Sequence[GrooveFile],
    library: oneshots.Library,
    impulses: Path,
    *,
    seed: int = 0,
    treatment: float = 1.0,
) -> int:
    """Render performances as they were played; return how many.

    Parameters
    ----------
    out : Path
        Folder for ``audio/`` and ``truth/``.
    files : sequence of GrooveFile
    library : Library
        One-shots of the kits to play on.
    impulses : Path
        Folder of room impulse responses.
    seed : int
        Decides kit, tuning, balance and room of each performance.
    treatment : float
        See `drum2midi.training.render.render`; 1 is what most training pieces have.
    """
    rooms = read_impulses(impulses)
    for name in ("audio", "truth"):
        (out / name).mkdir(parents=True, exist_ok=True)
    done = 0
    for index, file in enumerate(files):
        groove = read_groove(file)
        if groove is None:
            continue
        rng = np.random.default_rng((seed, index))
        strokes = [Stroke(s.onset + LEAD_IN, s.drum, s.velocity) for s in groove.strokes]
        performance = render.render(
            strokes,
            oneshots.draw_kit(library, rng, loyalty=1.0),
            rooms,
            rng,
            seconds=strokes[-1].onset + _TAIL,
            rate=RATE,
            window=_WINDOW,
            treatment=treatment,
        )
        audio = 0.8 * performance.audio / np.abs(performance.audio).max()
        with replacing(out / "audio" / f"{groove.name}.flac") as target:
            soundfile.write(target, audio, RATE)
        truth = {
            "bpm": groove.bpm,
            "metre": [groove.metre.numerator, groove.metre.denominator],
            "start": LEAD_IN + render.ATTACK,
            "hits": [[s.onset, s.drum.midi, s.velocity] for s in performance.strokes],
        }
        with replacing(out / "truth" / f"{groove.name}.json") as target:
            target.write_text(json.dumps(truth))
        done += 1
    return done


def chosen_grooves(folder: Path) -> list[GrooveFile]:
    """Every 'beat' of the validation split, and the odd-metre ones of the training split."""
    common = Metre(4, 4)
    return [
        *(file for file in list_grooves(folder, split="validation") if not file.is_fill),
        *(
            file
            for file in list_grooves(folder, split="train")
            if not file.is_fill and file.metre != common
        ),
    ]


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    oneshots_folder: Annotated[Path, typer.Option("--oneshots")],
    grooves: Annotated[Path, typer.Option()],
    impulses: Annotated[Path, typer.Option()],
    kit: Annotated[list[str], typer.Option(help="A kit to play on; repeatable.")],
    seed: Annotated[int, typer.Option()] = 0,
    treatment: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="0: drums as recorded, 1: treated as in training."),
    ] = 1.0,
) -> None:
    """Render performances on kits that no model has trained on, with their truth."""
    try:
        library = oneshots.load_library(oneshots_folder, only=kit, sample_rate=RATE)
        count = render_set(
            out, chosen_grooves(grooves), library, impulses, seed=seed, treatment=treatment
        )
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} performances")


if __name__ == "__main__":
    typer.run(_main)
