"""Separation: the drums alone, taken out of a full mix by Demucs.

Demucs (Hybrid Transformer Demucs: Rouard, Massa and Défossez, "Hybrid Transformers for
Music Source Separation", ICASSP 2023) comes with ``drum2midi[separate]``; `torch` and
`demucs` are imported when a stem is made, and not where one is found in the cache.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soundfile

from drum2midi.audio import check_readable, resampled, stream_audio, stream_channels
from drum2midi.errors import InputError, check_extra
from drum2midi.files import check_writable, replacing, sha256_of
from drum2midi.stems import find_stem, store_stem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.demucs_model import Separator

MODES: Final = ("never", "auto", "always")
_SUFFIXES: Final = (".wav", ".flac")
_MODEL: Final = "htdemucs"
_ALGORITHM: Final = 1  # another number makes stems in the cache stale
_STEM_RANGE_DB: Final = 15.0
_MIDDLE: Final = (150.0, 3000.0)
_RIFF_BYTES: Final = 4_000_000_000

_LOG: Final = logging.getLogger(__name__)
_Blocks = Iterator["NDArray[np.float32]"]


class CannotSeparateError(InputError):
    """Demucs or its weights are not there."""


@dataclass(frozen=True)
class Passage:
    """What to listen to: seconds `start` to `end` of the file at `path`."""

    path: Path
    start: float = 0.0
    end: float | None = None

    def widened(self, seconds: float) -> Passage:
        """With so much more before and after it as there is."""
        end = None if self.end is None else self.end + seconds
        return Passage(self.path, max(0.0, self.start - seconds), end)


@dataclass(frozen=True)
class _Sound:
    """What one reading of a passage tells: `mean` and `std` are of its mono mix."""

    sample_rate: int
    channels: int
    frames: int
    mean: float
    std: float


def passage_to_hear(
    passage: Passage,
    mode: str,
    *,
    weights: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Passage:
    """The passage itself, or its drum stem.

    Parameters
    ----------
    passage : Passage
    mode : str
        ``"never"``: the passage itself. ``"always"``: its drum stem. ``"auto"``: its drum stem
        unless it is one (`is_drum_stem`), or else, where Demucs or its weights cannot be had,
        the passage itself and a warning in the log.
    weights, progress
        As for `separate`.

    Raises
    ------
    InputError
        For another mode, or as `separate`.
    """
    if mode not in MODES:
        raise InputError(f"--separate {mode}: none of {', '.join(MODES)}")
    if mode == "never" or (mode == "auto" and is_drum_stem(passage)):
        return passage
    try:
        return Passage(separate(passage, weights=weights, progress=progress))
    except CannotSeparateError as error:
        if mode == "always":
            raise
        _LOG.warning("%s: listening to the mix, since %s", passage.path, error)
        return passage


def is_drum_stem(passage: Passage) -> bool:
    """Whether nobody but a drummer plays: the middle of the spectrum falls quiet between strokes.

    Its level, from 150 to 3000 Hz, is more than 15 dB apart between its 25th and 95th
    percentile. Of the recordings of MDB Drums that this was chosen on, the seven stems have 19
    to 35 dB, eight of ten mixes 4 to 9 dB; a reggae mix full of rests is taken for a stem.
    """
    from drum2midi.features import FeatureSettings, mel_power

    settings = FeatureSettings(low=_MIDDLE[0], high=_MIDDLE[1], bands=32)
    blocks = stream_audio(
        passage.path, sample_rate=settings.sample_rate, start=passage.start, end=passage.end
    )
    level = 10.0 * np.log10(mel_power(blocks, settings).sum(axis=1) + 1e-9)
    quiet, loud = np.percentile(level, (25.0, 95.0))
    return bool(loud - quiet > _STEM_RANGE_DB)


def separate(
    passage: Passage,
    *,
    weights: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Take the drums out of a passage.

    The same passage of the same file, separated with the same weights, is found in the
    cache (`drum2midi.stems`) and not made again.

    Parameters
    ----------
    passage : Passage
    weights : Path, optional
        Folder with a model of Demucs: a ``.yaml`` and the ``.safetensors`` or ``.th`` files that
        it names, or one such file alone. Otherwise HTDemucs from its own repository.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    Path
        A float WAV in the cache, in time with the passage to the sample and as long, at its
        rate and level; stereo for stereo, otherwise mono.

    Raises
    ------
    CannotSeparateError
        If Demucs is not installed, or its weights cannot be had or used.
    InputError
        If the recording cannot be read.
    """
    check_readable(passage.path)
    _check_demucs()
    key = _key(passage, weights)
    found = find_stem(key)
    if found is not None:
        return found
    sound = _measure(passage)
    try:
        from drum2midi.demucs_model import load_separator
    except (ImportError, OSError) as error:  # a part of it is missing, or of another machine
        raise CannotSeparateError(f"Demucs cannot be used ({error})") from None
    try:
        separator = load_separator(_MODEL, weights)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
        raise CannotSeparateError(_why_no_weights(weights, error)) from None
    with store_stem(key) as temporary:
        _write(temporary, sound, _stem(passage, sound, separator), progress)
    stem = find_stem(key)
    if stem is None:
        raise InputError(f"{passage.path}: its drum stem is gone from the cache")
    return stem


def _check_demucs() -> None:
    try:
        check_extra("separate", "demucs", "torch", "platformdirs")
    except InputError as error:
        raise CannotSeparateError(str(error)) from None


def _why_no_weights(weights: Path | None, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if weights is not None:
        return f"{weights}: no weights of Demucs to be used ({reason})"
    return f"the weights of Demucs cannot be had ({reason}); --weights FOLDER takes them from disk"


def _key(passage: Passage, weights: Path | None) -> str:
    """Name of a stem: what the recording, the passage and the model are, in one hash."""
    model = f"{_MODEL} {version('demucs')}" if weights is None else _fingerprint(weights)
    facts = (_ALGORITHM, model, sha256_of(passage.path), passage.start, passage.end)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _fingerprint(weights: Path) -> str:
    try:
        files = sorted(f for f in weights.iterdir() if f.suffix in {".yaml", ".th", ".safetensors"})
        return repr([(file.name, sha256_of(file)) for file in files])
    except OSError as error:
        raise CannotSeparateError(
            f"{weights}: no folder of weights ({error.strerror or error})"
        ) from None


def _measure(passage: Passage) -> _Sound:
    """Read a passage once, for what must be known before it is separated."""
    rate, blocks = stream_channels(passage.path, start=passage.start, end=passage.end)
    channels, frames, total, square = 1, 0, 0.0, 0.0
    for block in blocks:
        channels = 2 if block.shape[1] == 2 else 1
        mono = block.mean(axis=1, dtype=np.float64)
        frames, total, square = frames + len(mono), total + mono.sum(), square + mono @ mono
    mean = float(total) / frames
    deviation = max(0.0, float(square) / frames - mean**2) ** 0.5
    return _Sound(rate, channels, frames, mean, deviation)


def _stem(passage: Passage, sound: _Sound, separator: Separator) -> _Blocks:
    """Blocks of the stem, at the rate and with the channels of the passage."""
    rate, blocks = stream_channels(passage.path, start=passage.start, end=passage.end)
    stereo = (_stereo(block) for block in blocks)
    frames = round(sound.frames * separator.sample_rate / rate)
    mix = exactly(resampled(stereo, rate, separator.sample_rate, channels=2), frames)
    level = sound.std + 1e-8  # as Demucs does: a model hears every song at one level
    drums = separator.drums(((block - sound.mean) / level for block in mix), frames)
    stem = (_channels(block * level + sound.mean, sound.channels) for block in drums)
    back = resampled(stem, separator.sample_rate, rate, channels=sound.channels)
    return exactly(back, sound.frames)


def _stereo(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if block.shape[1] == 2:
        return block
    return np.repeat(block.mean(axis=1, keepdims=True, dtype=np.float32), 2, axis=1)


def _channels(block: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    wanted = block if channels == 2 else block.mean(axis=1, keepdims=True)
    return np.ascontiguousarray(wanted, np.float32)


def exactly(blocks: _Blocks, frames: int) -> _Blocks:
    """The first `frames` frames; silence follows where there are fewer."""
    left, last = frames, None
    for block in blocks:
        last = block[:left]
        left -= len(last)
        yield last
    if left and last is not None:
        yield np.zeros((left, *last.shape[1:]), np.float32)


def _write(
    path: Path, sound: _Sound, blocks: _Blocks, progress: Callable[[float], None] | None
) -> None:
    big = sound.frames * sound.channels * 4 > _RIFF_BYTES
    options: dict[str, Any] = {"subtype": "FLOAT", "format": "RF64" if big else "WAV"}
    name, shape = os.fsencode(path), (sound.sample_rate, sound.channels)
    with _written(path), soundfile.SoundFile(name, "w", *shape, **options) as file:
        for block in blocks:
            file.write(block)
            if progress:
                progress(min(1.0, file.tell() / sound.frames))


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Where a disk is full, libsndfile raises an error of its own."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot write {path}: {error}") from None


def export_stem(stem: Path, target: Path) -> None:
    """Write a stem out of the cache to `target`: ``.wav`` as it is, ``.flac`` in 24 bits.

    Raises
    ------
    InputError
        For another suffix, or if it cannot be written.
    """
    check_stem_output(target)
    with replacing(target) as temporary:
        if target.suffix.lower() == ".wav":
            shutil.copyfile(stem, temporary)
            return
        with (
            _written(target),
            soundfile.SoundFile(os.fsencode(stem)) as source,
            soundfile.SoundFile(
                os.fsencode(temporary),
                "w",
                source.samplerate,
                source.channels,
                "PCM_24",
                format="FLAC",
            ) as file,
        ):
            for block in source.blocks(source.samplerate * 10, dtype="float32"):
                file.write(np.clip(block, -1.0, 1.0))


def check_stem_output(target: Path) -> None:
    """Raise `InputError` if no stem can be written to `target`; before the work."""
    if target.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{target}: a stem is written as {' or '.join(_SUFFIXES)}")
    check_writable(target)
