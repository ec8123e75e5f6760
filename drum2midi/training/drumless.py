"""Drumless: what is left of real music where nobody drums, to accompany rendered kits.

    python -m drum2midi.training.drumless OUT FOLDER...

FluidSynth plays what its soundfonts have; a distorted guitar, an orchestra and a synthesiser as
they are recorded sound different, and what a kit must be told from is those. Every recording
below the folders is cut into clips; those in which the model that ships hears not a stroke are
kept, as ``OUT/NAME-NN.ogg``. Where it is known that nobody drums (a guitar's own track),
``--all`` keeps them all: what is falsely heard there is what there is to learn.
``drum2midi.training.device.cargo --drumless OUT`` packs them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import soundfile
import typer

from drum2midi.audio import read_audio
from drum2midi.errors import InputError
from drum2midi.features import in_silence, log_mel
from drum2midi.files import replacing
from drum2midi.heeding import heed_recording
from drum2midi.model import load_model, without_silence
from drum2midi.onsets import pick_hits
from drum2midi.training.device.cargo import CLIP_SECONDS, RATE
from drum2midi.training.heard import list_recordings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.model import Model

    Audio = NDArray[np.float32]

_MOST: Final = 6  # clips of one recording
_QUIET: Final = 0.1  # of the recording's loudest clip; so soft a clip is none


def drumless_clips(audio: Audio, model: Model | None) -> Iterator[Audio]:
    """Clips of a recording in which nobody drums.

    Parameters
    ----------
    audio : float32, shape (n,)
        Mono at `RATE`.
    model : Model or None
        What must not hear anything in them; None takes all.

    Yields
    ------
    float32, shape (n,)
        `CLIP_SECONDS` long, from all over the recording, of peak 1.
    """
    length = int(CLIP_SECONDS * RATE)
    starts = np.arange(0, len(audio) - length + 1, length)
    level = np.array([np.sqrt(np.mean(audio[start : start + length] ** 2)) for start in starts])
    starts = starts[level > _QUIET * level.max(initial=0.0)]
    if model is not None and len(starts):
        struck = _struck(audio, model)
        heard = np.searchsorted(struck, (starts + length) / RATE) - np.searchsorted(
            struck, starts / RATE
        )
        starts = starts[heard == 0]
    if not len(starts):
        return
    for start in starts[np.unique(np.linspace(0, len(starts) - 1, _MOST).round().astype(int))]:
        clip = audio[start : start + length]
        yield clip / np.abs(clip).max()


def _struck(audio: Audio, model: Model) -> NDArray[np.float64]:
    """Seconds at which anything is struck, ascending."""
    settings, picking = model.features, model.picking
    features = log_mel(in_silence([audio], settings), settings)
    heeded = heed_recording(model.activations(features), features, picking)
    return np.array([hit.onset for hit in pick_hits(without_silence(heeded), picking)])


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...")],
    everything: Annotated[bool, typer.Option("--all", help="Nobody drums in any.")] = False,
) -> None:
    """Cut clips without drums from all recordings below some folders."""
    try:
        model = None if everything else load_model()
        recordings = list_recordings(folders)
        out.mkdir(parents=True, exist_ok=True)
        count = 0
        with typer.progressbar(recordings, label="listening", file=sys.stderr) as heard:
            for path, name in heard:
                try:
                    audio = read_audio(path, sample_rate=RATE).samples
                except InputError as error:
                    typer.echo(f"drum2midi: {error}", err=True)
                    continue
                for number, clip in enumerate(drumless_clips(audio, model), 1):
                    with replacing(out / f"{name}-{number}.ogg") as target:
                        soundfile.write(target, clip, RATE, format="OGG", subtype="VORBIS")
                    count += 1
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} clips of {len(recordings)} recordings")


if __name__ == "__main__":
    typer.run(_main)
