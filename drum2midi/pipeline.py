"""The pipeline: a recording goes in, a transcription comes out.

    file -> audio -> features -> activations -> heeding
         -> hits -> casting -> dynamics -> grid -> notes -> files
    file -> audio -> harmony ------------------^

Each arrow is one public function of the module of that name, and can be called alone. The grid is
told of two hearings, of which the second, with more doubtful hits in it, is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drum2midi import harmony
from drum2midi.audio import check_passage, read_audio, stream_audio
from drum2midi.beats import track_beats
from drum2midi.casting import cast_parts
from drum2midi.classifier import load_models
from drum2midi.dynamics import weigh
from drum2midi.errors import InputError
from drum2midi.features import QUIET_FRAMES, in_silence, log_mel
from drum2midi.heeding import heed_recording
from drum2midi.onsets import pick_hits
from drum2midi.quantise import check_divides, parse_values, quantise
from drum2midi.separation import Passage, passage_to_hear
from drum2midi.tags import plain, read_tags
from drum2midi.transcription import Hit, Metre, Transcription

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from drum2midi.classifier import Classifier
    from drum2midi.model import Model

_SEPARATING: Final = 0.9
"""Share of the work that separation is, where the drums are separated first."""

_AROUND: Final = 1.0
"""Seconds listened to around a passage: what is cut off hard sounds like a stroke, and a snare
that is struck softly tells from what surrounds it."""

_EARLY: Final = 0.01
"""Seconds by which a stroke with which a passage begins may seem to come before it."""

_CUT_OFF: Final = 0.04
"""Seconds before the end of the audio in which no stroke is heard, but the click of a cut, or what
was early for the bar that a loop leaves out."""


DOUBT: Final = 0.15
"""By how much more sensitive the second hearing is that the grid is ranked by too."""


class _Counted:
    """Blocks of audio, counted as they pass: a loop's exact length tells its tempo."""

    def __init__(self, blocks: Iterable[NDArray[np.float32]]) -> None:
        self.samples = 0
        self._blocks = blocks

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for block in self._blocks:
            self.samples += len(block)
            yield block


def transcribe(
    path: str | Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    tempo: float | None = None,
    metre: Metre | str | None = None,
    grid: str | None = None,
    steady: bool = False,
    sensitivity: float = 0.5,
    title: str | None = None,
    model: str | Path | None = None,
    separate: str = "never",
    weights: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Transcription:
    """Write down the drums of a recording.

    Parameters
    ----------
    path : path
        A drum stem or a full mix: wav, flac, ogg, opus, mp3; m4a, wma
        and videos with ``drum2midi[m4a]``.
    start, end : float
        Seconds between which to listen; times in the result count from `start`.
    tempo : float, optional
        Beats a minute, if known: of the metre's denominator (quarters in 4/4, eighths in 7/8),
        but dotted quarters in 6/8, 9/8, 12/8 and 15/8.
    metre : Metre or str, optional
        If known: ``"3/4"``.
    grid : str, optional
        The shortest note values, if known: ``"16"``, ``"8t"`` for triplets, ``"16,8t"``.
    steady : bool
        One tempo throughout, as of a drum machine or a click.
    sensitivity : float
        0 hears only what is certain, 1 hears ghosts.
    title : str, optional
        Of the sheet; the recording's tag if not given, or else the file's name.
    model : path, optional
        Another model file than the one that ships; one that only names hits (made with
        ``drum2midi train --backbone``) names what the one that ships has found.
    separate : str
        ``"always"`` listens to the drum stem that Demucs makes of the recording, ``"auto"`` does
        where it can and the recording is none already; ``"never"`` listens to it as it is.
    weights : path, optional
        Folder with weights of Demucs; otherwise they come from its own repository.
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
    check_passage(path, start, end)
    if isinstance(metre, str):
        metre = Metre.parse(metre)
    divisions = None if grid is None else parse_values(grid)
    if divisions is not None and metre is not None:
        check_divides(divisions, metre)
    listener, namer = load_models(None if model is None else Path(model))
    passage = Passage(path, start, end)
    around = passage.widened(_AROUND)
    heard = passage_to_hear(
        around,
        separate,
        weights=None if weights is None else Path(weights),
        progress=progress and (lambda share: progress(_SEPARATING * share)),
    )
    before = 0.0 if heard.path == path else _SEPARATING
    hits, doubted, seconds = _hear_strokes(
        heard,
        listener,
        namer,
        sensitivity=sensitivity,
        progress=progress and (lambda share: progress(before + (1.0 - before) * share)),
    )
    hits, duration = _inside(passage, hits, seconds, start - around.start)
    if not hits:
        raise InputError(f"{path}: no drum stroke to be heard")
    doubted, _ = _inside(passage, doubted, seconds, start - around.start)
    # Of the recording as it is, even where the drums were separated from the band.
    band = stream_audio(path, sample_rate=harmony.SAMPLE_RATE, start=start, end=end)
    bars = track_beats(
        hits,
        duration=duration,
        doubted=doubted,
        harmony=harmony.hear_harmony(band),
        tempo=tempo,
        metre=metre,
        steady=steady,
    )
    notes, swing = quantise(hits, bars, divisions=divisions)
    tags = read_tags(path)
    return Transcription(
        hits,
        bars,
        notes,
        duration,
        title=plain(title or tags.title or path.stem),
        composer=tags.artist,
        swing=swing,
    )


def _hear_strokes(
    passage: Passage,
    listener: Model,
    namer: Classifier | None,
    *,
    sensitivity: float,
    progress: Callable[[float], None] | None,
) -> tuple[tuple[Hit, ...], tuple[Hit, ...], float]:
    """The strokes of a passage, counted from its start, and how many seconds were listened to.

    Also, unless they are named by something else, the strokes of a second hearing: doubtful ones
    are among them.
    """
    rate = listener.features.sample_rate
    audio = _Counted(
        stream_audio(passage.path, sample_rate=rate, start=passage.start, end=passage.end)
    )
    features = log_mel(in_silence(audio, listener.features), listener.features)
    activations = listener.activations(features, progress=progress)
    heeded = heed_recording(activations, features, listener.picking)

    def hear(how_sensitively: float) -> tuple[Hit, ...]:
        hits = pick_hits(heeded, listener.picking, sensitivity=how_sensitively)
        hits = cast_parts(hits, activations)
        if listener.dynamics is not None:
            hits = weigh(hits, features, listener.features, listener.dynamics)
        # Only now: at the edge of the activations a peak could not be told to less than a frame.
        quiet = QUIET_FRAMES / listener.features.frame_rate
        return tuple(replace(hit, onset=max(0.0, hit.onset - quiet)) for hit in hits)

    hits = hear(sensitivity)
    if namer is None:
        return hits, hear(min(sensitivity + DOUBT, 1.0)), audio.samples / rate
    samples = read_audio(
        passage.path, sample_rate=rate, start=passage.start, end=passage.end
    ).samples
    return namer.name(hits, samples, sensitivity=sensitivity), (), audio.samples / rate


def _inside(
    passage: Passage, hits: Sequence[Hit], seconds: float, before: float
) -> tuple[tuple[Hit, ...], float]:
    """The strokes of a passage, counted from its start, and its length.

    `seconds` were listened to, from `before` the passage on.
    """
    length = seconds - before
    if length <= 0:
        whole = passage.start + length
        raise InputError(f"{passage.path}: is only {whole:.1f} s long, the passage begins later")
    if passage.end is not None:
        length = min(length, passage.end - passage.start)
    moved = [replace(hit, onset=hit.onset - before) for hit in hits] if before else hits
    # What may seem to come before the end is the first stroke of what follows.
    ends = seconds - before - _CUT_OFF
    if passage.end is not None:
        ends = min(ends, length - _EARLY)
    inside = [hit for hit in moved if -_EARLY <= hit.onset < ends]
    return tuple(replace(hit, onset=max(0.0, hit.onset)) for hit in inside), length
