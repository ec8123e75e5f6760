"""The pipeline: a recording goes in, a transcription comes out.

    file -> audio -> features -> activations -> hits -> grid -> notes -> files

Each arrow is one public function of the module of that name, and can be called alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drum2midi.audio import check_readable, stream_audio
from drum2midi.beats import track_beats
from drum2midi.errors import InputError
from drum2midi.features import log_mel
from drum2midi.model import load_model
from drum2midi.onsets import pick_hits
from drum2midi.quantise import quantise
from drum2midi.tags import read_tags
from drum2midi.transcription import Metre, Transcription


def transcribe(
    path: str | Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    tempo: float | None = None,
    metre: Metre | str | None = None,
    steady: bool = False,
    sensitivity: float = 0.5,
    title: str | None = None,
    model: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcription:
    """Write down the drums of a recording.

    Parameters
    ----------
    path : path
        A drum stem or a full mix: wav, flac, ogg, opus, mp3; m4a with ``drum2midi[m4a]``.
    start, end : float
        Seconds between which to listen; times in the result count from `start`.
    tempo : float, optional
        Beats a minute, if known (dotted quarters in 6/8, 9/8 and 12/8).
    metre : Metre or str, optional
        If known: ``"3/4"``.
    steady : bool
        One tempo throughout, as of a drum machine or a click.
    sensitivity : float
        0 hears only what is certain, 1 hears ghosts.
    title : str, optional
        Of the sheet; the recording's tag if not given, or else the file's name.
    model : path, optional
        Another model file than the one that ships.
    progress : callable, optional
        Told the share of the listening that is done, 0 to 1.

    Returns
    -------
    Transcription

    Raises
    ------
    InputError
        If the recording cannot be read or nobody plays drums in it, or for an option out of range.
    """
    path = Path(path)
    check_readable(path)
    if isinstance(metre, str):
        metre = Metre.parse(metre)
    listener = load_model(None if model is None else Path(model))
    audio = stream_audio(path, sample_rate=listener.features.sample_rate, start=start, end=end)
    features = log_mel(audio, listener.features)
    activations = listener.activations(features, progress=progress)
    hits = pick_hits(activations, listener.picking, sensitivity=sensitivity)
    if not hits:
        raise InputError(f"{path}: no drum stroke to be heard")
    duration = len(features) / listener.features.frame_rate
    grid = track_beats(hits, duration=duration, tempo=tempo, metre=metre, steady=steady)
    notes, swing = quantise(hits, grid)
    tags = read_tags(path)
    return Transcription(
        hits,
        grid,
        notes,
        duration,
        # A name that is not UTF-8 is written as far as it can be.
        title=(title or tags.title or path.stem).encode(errors="replace").decode(),
        composer=tags.artist,
        swing=swing,
    )
