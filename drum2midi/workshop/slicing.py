"""Slicing: the hits of a recording are found and cut out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
import soundfile

from drum2midi.audio import read_audio, stream_audio
from drum2midi.drums import DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.features import in_silence, log_mel
from drum2midi.files import check_named, check_new_folder, replacing_folder
from drum2midi.heeding import heed_recording
from drum2midi.model import Activations, Model, load_model, without_silence
from drum2midi.onsets import pick_hits
from drum2midi.workshop.slices import INDEX, Prediction, Slice, Slices, read_slices, slices_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.transcription import Hit

Detector = Literal["model", "librosa"]

_NEAR: Final = 0.03
"""Seconds within which the model's stroke belongs to librosa's onset."""
_LIBROSA_RATE: Final = 22050
_LIBROSA_HOP: Final = 256
_LIBROSA_LATE: Final = 0.017
"""Seconds by which a peak of the flux at these settings comes after the stroke: the median over
four real drum stems; 9 of 10 lie within 15 ms of it."""


@dataclass(frozen=True)
class SliceSettings:
    """How to find the hits and to cut them.

    Attributes
    ----------
    onsets : "model" or "librosa"
        Who finds them: our model, or librosa's spectral flux.
    length, preroll : float
        Seconds of a clip, and how many of them lie before the onset.
    delta : float
        Of librosa: how far a peak must stand out, 0 to 1; less finds quieter strokes.
    sensitivity : float
        Of the model: 0 hears only what is certain, 1 hears ghosts.
    """

    onsets: Detector = "model"
    length: float = 0.25
    preroll: float = 0.01
    delta: float = 0.07
    sensitivity: float = 0.5

    def __post_init__(self) -> None:
        if self.onsets not in get_args(Detector):
            raise InputError(f"onsets {self.onsets!r}: choose {' or '.join(get_args(Detector))}")
        if not 0.02 <= self.length <= 10.0:
            raise InputError(f"length {self.length} is not between 0.02 and 10 seconds")
        if not 0.0 <= self.preroll < self.length:
            raise InputError(f"preroll {self.preroll} is not between 0 and the length of a clip")
        if not 0.0 <= self.delta <= 1.0:
            raise InputError(f"delta {self.delta} is not between 0 and 1")
        if not 0.0 <= self.sensitivity <= 1.0:
            raise InputError(f"sensitivity {self.sensitivity} is not between 0 and 1")


def slice_song(
    song: str | Path,
    folder: str | Path,
    *,
    settings: SliceSettings | None = None,
    model: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Slices:
    """Cut a song's hits into a new folder: wav clips and ``slices.json``.

    The same song and settings give the same bytes. The folder appears once it is
    complete, or not at all.

    Parameters
    ----------
    song : path
    folder : path
        New, or empty.
    settings : SliceSettings, optional
    model : path, optional
        Another model file than the one that ships.
    progress : callable, optional
        Told the share of the listening that is done, 0 to 1.

    Returns
    -------
    Slices

    Raises
    ------
    InputError
        If the song cannot be read, has no hits, or the folder has something in it.
    """
    song, folder = Path(song), Path(folder)
    settings = settings or SliceSettings()
    check_new_folder(folder)
    for named in (song, folder):
        check_named(named.absolute())
    listener = load_model(None if model is None else Path(model))
    rate = listener.features.sample_rate
    audio = in_silence(stream_audio(song, sample_rate=rate), listener.features)
    features = log_mel(audio, listener.features)
    activations = listener.activations(features, progress=progress)
    activations = without_silence(heed_recording(activations, features, listener.picking))
    hits = pick_hits(activations, listener.picking, sensitivity=settings.sensitivity)
    if settings.onsets == "model":
        onsets = sorted({round(hit.onset, 4) for hit in hits})
    else:
        onsets = _librosa_onsets(song, settings.delta)
    if not onsets:
        raise InputError(f"{song}: no hit to be heard")
    slices = _described(onsets, hits, activations, listener, folder)
    seconds = round(len(activations.classes) / activations.frame_rate, 2)
    result = Slices(song, settings.length, settings.preroll, slices, seconds)
    _write(result, folder, rate)
    return result


def open_slices(
    source: str | Path, *, progress: Callable[[float], None] | None = None
) -> tuple[Path, Slices]:
    """The slices in a folder, or those of a song, which is sliced beside itself at first.

    Parameters
    ----------
    source : path
        A folder that `slice_song` wrote, or a song; that of ``song.flac`` is ``song-slices``.
    progress : callable, optional
        As of `slice_song`.

    Returns
    -------
    Path, Slices
        The folder, and what is in it.

    Raises
    ------
    InputError
        If the folder is none of these or that of another song; see also `slice_song`.
    """
    source = Path(source)
    if source.is_dir():
        if not (source / INDEX).is_file():
            raise InputError(f"{source}: not a folder that drum2midi slice wrote")
        return source, read_slices(source)
    folder = source.with_name(f"{source.stem}-slices")
    if not (folder / INDEX).is_file():
        return folder, slice_song(source, folder, progress=progress)
    slices = read_slices(folder)
    if not (source.exists() and slices.audio.samefile(source)):
        raise InputError(f"{folder}: slices of {slices.audio}, not of {source}")
    return folder, slices


def cut(
    blocks: Iterable[NDArray[np.float32]], starts: Sequence[int], length: int
) -> Iterator[NDArray[np.float32]]:
    """Passages of audio that comes in blocks, padded with zeros where there is none.

    Parameters
    ----------
    blocks : iterable of float32 arrays
        Consecutive mono audio; no more of it is held than is needed.
    starts : sequence of int
        The first sample of each passage, ascending; may be negative.
    length : int
        Samples of each passage.

    Yields
    ------
    float32, shape (length,)
    """
    waiting = list(starts)
    at = min(0, waiting[0]) if waiting else 0  # of the first sample held
    held = np.zeros(-at, np.float32)
    for block in blocks:
        held = np.concatenate((held, block))
        while waiting and at + len(held) >= waiting[0] + length:
            first = waiting.pop(0) - at
            yield held[first : first + length]
        keep = max(0, (waiting[0] if waiting else at + len(held)) - at)
        held, at = held[keep:], at + min(keep, len(held))
    for start in waiting:
        rest = held[max(0, start - at) :]
        yield np.pad(rest, (0, length - len(rest)))


def _librosa_onsets(song: Path, delta: float) -> list[float]:
    """Peaks of the spectral flux."""
    import librosa

    audio = read_audio(song, sample_rate=_LIBROSA_RATE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of recordings shorter than a window
            found = librosa.onset.onset_detect(
                y=audio.samples, sr=_LIBROSA_RATE, hop_length=_LIBROSA_HOP, delta=delta,
                units="time",
            )  # fmt: skip
    except RuntimeError as error:
        raise InputError(
            f"librosa cannot start ({error}); NUMBA_CACHE_DIR names a folder it may write in"
        ) from None
    return [round(max(0.0, float(onset) - _LIBROSA_LATE), 4) for onset in found]


def _described(
    onsets: Sequence[float],
    hits: Sequence[Hit],
    activations: Activations,
    listener: Model,
    folder: Path,
) -> tuple[Slice, ...]:
    """Each onset with what the model hears there."""
    digits = max(4, len(str(len(onsets))))
    struck: dict[int, dict[Drum, Hit]] = {}
    for hit in hits:
        nearest = int(np.argmin(np.abs(np.array(onsets) - hit.onset)))
        if abs(onsets[nearest] - hit.onset) <= _NEAR:
            struck.setdefault(nearest, {})[hit.drum] = hit
    slices = []
    for index, onset in enumerate(onsets):
        centre = round((onset + listener.picking.delay) * activations.frame_rate)
        heard = activations.drums[max(0, centre - 2) : centre + 3]
        highest = heard.max(axis=0) if len(heard) else np.zeros(len(DRUMS))
        levels = tuple(round(float(level), 3) for level in highest)
        predictions = tuple(
            Prediction(drum, levels[place], struck[index][drum].velocity)
            for place, drum in enumerate(DRUMS)
            if drum in struck.get(index, {})
        )
        clip = folder / "clips" / f"{index + 1:0{digits}d}.wav"
        slices.append(Slice(clip, onset, predictions, levels))
    return tuple(slices)


def _write(slices: Slices, folder: Path, rate: int) -> None:
    try:
        with replacing_folder(folder) as building:
            (building / "clips").mkdir()
            starts = [round((one.onset - slices.preroll) * rate) for one in slices.slices]
            blocks = stream_audio(slices.audio, sample_rate=rate)
            clips = cut(blocks, starts, round(slices.length * rate))
            for one, samples in zip(slices.slices, clips, strict=True):
                # 16 bits: a wav of floats carries the time of day.
                soundfile.write(building / "clips" / one.clip.name, samples, rate, subtype="PCM_16")
            index = slices_index(slices, folder)
            (building / INDEX).write_text(index, encoding="utf-8", newline="\n")
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot write {folder}: {error.error_string}") from None
