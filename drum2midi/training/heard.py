"""Heard: music that nobody annotated, as pieces that the model itself has heard.

    python -m drum2midi.training.heard OUT FOLDER...

A network hears some seconds of what it is trained on. What ships hears more than its network does,
since it heeds the whole recording (`drum2midi.heeding`, `drum2midi.casting`): what that surely
hears in real music can teach the network, through filters, noise and other music on top of it.
What it half hears teaches nothing. Such teaching is D.-H. Lee's "Pseudo-Label" (ICML workshop
2013), with noise for the pupil alone as in Q. Xie et al., "Self-training with Noisy Student"
(CVPR 2020).

Writes an ``.npz`` into OUT for every recording with drums; ``drum2midi.training.device.fit --heard
OUT`` learns from them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer

from drum2midi.audio import stream_audio
from drum2midi.casting import cast_parts
from drum2midi.drums import CROSS_STICK, DRUMS, PEDAL_HAT
from drum2midi.errors import InputError
from drum2midi.features import in_silence, mel_power, normalise
from drum2midi.heeding import heed_recording
from drum2midi.model import load_model
from drum2midi.onsets import pick_hits
from drum2midi.training.pieces import SECONDS, Piece, decibels, load_piece, save_piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.features import FeatureSettings
    from drum2midi.model import Model
    from drum2midi.transcription import Hit

SUFFIXES: Final = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")

_SURELY: Final = 0.42
"""Sensitivity of what is surely heard: thresholds half a logit higher than usual."""

_PERHAPS: Final = 0.83
"""Sensitivity of what may be a stroke: thresholds two logits lower."""

_NEVER_SURE: Final = {CROSS_STICK, PEDAL_HAT, *(drum for drum in DRUMS if drum.scoring == "TT")}
"""Drums that are doubtful however surely they are heard: in songs basses pass for toms, clicks of
kicks for pedals and ticks for cross-sticks (see ``models/README.md``)."""

_NEVER_TAUGHT: Final = {drum for drum in DRUMS if drum.scoring == "SD"}
"""Drums that are surely heard where nobody plays them, too: learnt from such music, snares come
three times as often in music without drums."""

_SAME: Final = 0.05  # seconds between a stroke in one hearing and in the other
_LEAST_SURE: Final = 1.0  # strokes a second of a piece
_MOST_DOUBTFUL: Final = 0.5  # strokes to a sure one


def hear_music(path: Path, model: Model) -> Piece:
    """A recording as one long piece, whose strokes are those that are heard in it.

    Parameters
    ----------
    path : Path
    model : Model
        What hears them.

    Returns
    -------
    Piece
        Nothing accompanies it. Doubtful strokes have no share in its sound, so that they are
        neither asked for nor denied (see `drum2midi.training.examples`).

    Raises
    ------
    InputError
        If the recording cannot be read.
    """
    settings, picking = model.features, model.picking
    blocks = stream_audio(path, sample_rate=settings.sample_rate)
    power = mel_power(in_silence(blocks, settings), settings)
    features = normalise(power, settings)
    activations = model.activations(features)
    heeded = heed_recording(activations, features, picking)

    def hear(sensitivity: float) -> tuple[Hit, ...]:
        return cast_parts(pick_hits(heeded, picking, sensitivity=sensitivity), activations)

    return _piece(power, settings, hear(_SURELY), hear(_PERHAPS), picking.delay)


def _piece(
    power: NDArray[np.float32],
    settings: FeatureSettings,
    sure: Sequence[Hit],
    doubtful: Sequence[Hit],
    delay: float,
) -> Piece:
    sure = [hit for hit in sure if hit.drum not in _NEVER_SURE]
    known = {drum: np.array([h.onset for h in sure if h.drum is drum]) for drum in DRUMS}
    doubts = [h for h in doubtful if not (np.abs(known[h.drum] - h.onset) < _SAME).any()]
    shares = [*((hit, 1.0) for hit in sure), *((hit, 0.0) for hit in doubts)]
    shares.sort(key=lambda told: told[0].onset)
    strokes = [hit for hit, _ in shares]
    share = np.array([share for _, share in shares], np.float16)
    return Piece(
        drums=decibels(power),
        band=np.zeros((0, settings.bands), np.float16),
        # Where the network has its peaks, late as they may be.
        frames=np.array([(h.onset + delay) * settings.frame_rate for h in strokes], np.float32),
        drum=np.array([DRUMS.index(h.drum) for h in strokes], np.uint8),
        velocity=np.array([h.velocity for h in strokes], np.uint8),
        share=np.repeat(share[:, None], settings.bands, axis=1),
    )


def cut(music: Piece, settings: FeatureSettings) -> Iterator[Piece]:
    """Pieces of the usual length, those in which somebody surely drums.

    How hard, the network that heard it only guessed: that is not to be learnt, and unknown. Snares
    count as surely heard, but are neither asked for nor denied.
    """
    length = int(SECONDS * settings.frame_rate) + 1
    for first in range(0, len(music.drums) - length + 1, length):
        inside = (music.frames >= first) & (music.frames < first + length)
        sure = int((music.share[inside, 0] > 0).sum())
        doubtful = int(inside.sum()) - sure
        if sure >= _LEAST_SURE * SECONDS and doubtful <= _MOST_DOUBTFUL * sure:
            yield Piece(
                drums=music.drums[first : first + length],
                band=music.band,
                frames=music.frames[inside] - np.float32(first),
                drum=music.drum[inside],
                velocity=np.zeros_like(music.velocity[inside]),
                share=np.where(_untaught(music.drum[inside])[:, None], 0, music.share[inside]),
            )


def _untaught(drum: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which strokes are of drums that heard music does not teach."""
    return np.isin(drum, [DRUMS.index(drum) for drum in _NEVER_TAUGHT])


def read_pieces(folder: Path, settings: FeatureSettings) -> list[Piece]:
    """All pieces of all music in a folder.

    Raises
    ------
    InputError
        If there are none, a file is damaged, or features are not those of `settings`.
    """
    pieces: list[Piece] = []
    for path in sorted(folder.glob("*.npz")):
        music = load_piece(path)
        if (bands := music.drums.shape[1]) != settings.bands:
            raise InputError(f"{path}: has {bands} bands, not {settings.bands}")
        pieces += cut(music, settings)
    if not pieces:
        raise InputError(f"{folder}: no music that was heard (see drum2midi.training.heard)")
    return pieces


def list_recordings(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """All recordings below some folders, and a name for each that no other has.

    Raises
    ------
    InputError
        If there are none, or two would have one name.
    """
    recordings = [
        (path, "-".join((folder.name, *path.relative_to(folder).parts)))
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not recordings:
        raise InputError(f"{', '.join(map(str, folders))}: no recordings")
    named: dict[str, Path] = {}
    for path, name in recordings:
        if name in named:
            raise InputError(f"{path}: has the name of {named[name]}, {name}; give folders above")
        named[name] = path
    return recordings


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...")],
    model: Annotated[Path | None, typer.Option(help="What hears, if not what ships.")] = None,
) -> None:
    """Hear all recordings below some folders; those that were heard before are kept."""
    try:
        listener = load_model(model)
        recordings = [(path, out / f"{name}.npz") for path, name in list_recordings(folders)]
        out.mkdir(parents=True, exist_ok=True)
        with typer.progressbar(recordings, label="listening", file=sys.stderr) as heard:
            for path, target in heard:
                try:
                    piece = None if target.exists() else hear_music(path, listener)
                except InputError as error:
                    typer.echo(f"drum2midi: {error}", err=True)
                    continue
                if piece is not None and any(True for _ in cut(piece, listener.features)):
                    save_piece(piece, target)
        count = sum(target.exists() for _, target in recordings)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {count} of {len(recordings)} recordings")


if __name__ == "__main__":
    typer.run(_main)
