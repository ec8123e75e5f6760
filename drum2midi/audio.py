"""Audio: any recording, as mono float32 samples at one rate.

wav, flac, ogg, opus, mp3, aiff and whatever else libsndfile reads; m4a, AAC and webm
with the extra ``drum2midi[m4a]``. A recording is read in blocks and never needs
to be in memory as a whole.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile
import soxr

from drum2midi.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A source yields its sample rate first, then float32 blocks (frames, channels).
_Source = Generator["int | NDArray[np.float32]", None, None]

_LOG: Final = logging.getLogger(__name__)
_BLOCK_SECONDS: Final = 10.0
_SALVAGE_SECONDS: Final = 0.1
_LONG_BLOCK: Final = 8192  # samples; shorter ones do not tell how channels are wired
_CANCELLED: Final = 0.003  # of the channels' power, at least, is in their mean
_LOUDEST: Final = 1e10  # what is more is no sample but damage; 32-bit integers as floats are less
_AV_SUFFIXES: Final = frozenset(
    {".3gp", ".aac", ".ac3", ".avi", ".flv", ".m4a", ".m4b", ".mka", ".mkv", ".mov", ".mp4",
     ".tta", ".webm", ".wma", ".wv"}
)  # fmt: skip

_TOLD_WITHIN: Final = 64  # bytes from an MP3's start in which its length is told, if it is,
_LENGTH_MARKS: Final = (b"Xing", b"Info", b"VBRI")  # behind one of these


@dataclass(frozen=True, eq=False)
class Audio:
    """Mono samples, float32, shape (n,), at `sample_rate` hertz."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.sample_rate


def read_audio(
    path: str | Path, *, sample_rate: int, start: float = 0.0, end: float | None = None
) -> Audio:
    """Read a recording as a whole.

    Parameters
    ----------
    path : path
    sample_rate : int
        Hertz wanted; the audio is resampled if it has another rate.
    start, end : float
        Seconds to read from and up to; `end` None means to the end.

    Raises
    ------
    InputError
        If the file cannot be read as audio; see `stream_audio`.
    """
    blocks = list(stream_audio(path, sample_rate=sample_rate, start=start, end=end))
    return Audio(np.concatenate(blocks or [np.zeros(0, np.float32)]), sample_rate)


def stream_audio(
    path: str | Path, *, sample_rate: int, start: float = 0.0, end: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Blocks of a recording, mono, float32, at `sample_rate`.

    Samples that are not numbers become silence. If a file breaks off in the
    middle, what came before is used; of FLAC and AAC, which tell, a warning is logged.

    Raises
    ------
    InputError
        If the file is missing, a folder, empty, not audio, or ends before `start`.
    """
    path = Path(path)
    check_passage(path, start, end)
    return _mono_stream(path, sample_rate, start, end)


def stream_channels(
    path: str | Path, *, start: float = 0.0, end: float | None = None
) -> tuple[int, Iterator[NDArray[np.float32]]]:
    """Sample rate of a recording in hertz, and its blocks as they are, shape (frames, channels).

    Raises
    ------
    InputError
        As `stream_audio`.
    """
    path = Path(path)
    check_passage(path, start, end)
    source = _source(path)
    rate = int(next(source))
    return rate, _closing(source, _passage(_sound(source, path), path, rate, start, end))


def resampled(
    blocks: Iterator[NDArray[np.float32]], rate: int, wanted: int, *, channels: int = 1
) -> Iterator[NDArray[np.float32]]:
    """Blocks at another rate, in time with the old ones: shape (n,), or (n, channels)."""
    if rate == wanted:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, wanted, channels, dtype="float32")
    last = np.zeros(0, np.float32)
    for block in blocks:
        last = block[:0]
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(last, last=True)


def _mono_stream(
    path: Path, sample_rate: int, start: float, end: float | None
) -> Iterator[NDArray[np.float32]]:
    with closing(_source(path)) as source:
        rate = int(next(source))
        passage = _passage(_sound(source, path), path, rate, start, end)
        yield from resampled(map(_mono, passage), rate, sample_rate)


def duration(path: Path) -> float:
    """How long a recording is, by its header if that tells, else by reading all of it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    check_readable(path)
    if path.suffix.lower() not in _AV_SUFFIXES and _start_of_untold_mp3(path) is None:
        with suppress(soundfile.LibsndfileError, TypeError):  # reading it tells what is wrong
            return float(soundfile.info(os.fsencode(path)).duration)
    with closing(_source(path)) as source:
        rate = int(next(source))
        return sum(map(len, _sound(source, path))) / rate


def check_passage(path: Path, start: float, end: float | None) -> None:
    """Raise `InputError` if there is no file at `path`, or no passage from `start` to `end`."""
    check_readable(path)
    stop = 0.0 if end is None else end
    if not (np.isfinite(start) and np.isfinite(stop)):
        raise InputError(f"{path}: cannot read from {start} s to {end} s: not a passage")
    if start < 0 or (end is not None and end <= start):
        raise InputError(f"{path}: cannot read from {start} s to {end} s: the end comes first")


def _source(path: Path) -> _Source:
    is_av = path.suffix.lower() in _AV_SUFFIXES
    return _av_blocks(path) if is_av else _any_blocks(path)


def _any_blocks(path: Path) -> _Source:
    """What libsndfile reads; of a file that it cannot begin, what FFmpeg reads if that is there.

    Such is an .m4a under another name, and FLAC in an .oga.
    """
    source = _soundfile_blocks(path)
    try:
        head = list(islice(source, 2))  # the rate and a block
    except InputError as error:
        if find_spec("av") is None:
            raise
        source = _av_blocks(path)
        try:
            head = list(islice(source, 2))
        except InputError:
            raise error from None
    with closing(source):
        yield from head
        yield from source


def _closing(
    source: _Source, blocks: Iterator[NDArray[np.float32]]
) -> Iterator[NDArray[np.float32]]:
    with closing(source):
        yield from blocks


def _mono(block: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, or the first where a wrongly wired one takes it away."""
    mean = np.asarray(block.mean(axis=1, dtype=np.float64), np.float32)
    if len(block) >= _LONG_BLOCK and np.mean(mean**2) < _CANCELLED * np.mean(block**2):
        return np.ascontiguousarray(block[:, 0])
    return mean


def check_readable(path: Path) -> None:
    """Raise `InputError` if there is no file of some length at `path`."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{path}: is a folder, not a recording")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{path}: is not a file; write what it gives to one first")
    if status.st_size == 0:
        raise InputError(f"{path}: is empty")


def _soundfile_blocks(path: Path) -> _Source:
    """Rate and blocks of a file; where it is damaged, small ones up to the damage, then the error.

    It is opened anew for those: a decoder that is lost does not always find back.
    """
    rate, at = 0, 0
    try:
        for seconds in (_BLOCK_SECONDS, _SALVAGE_SECONDS):
            try:
                with _opened(path) as file:
                    if not rate:
                        rate = file.samplerate
                        yield rate
                    for block in _after(at, _blocks(file, seconds)):
                        at += len(block)
                        yield block
                    return
            except soundfile.LibsndfileError:
                if not rate or seconds == _SALVAGE_SECONDS:
                    raise
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: not audio that can be read ({_reason(error)})") from None
    except TypeError:  # soundfile goes by the suffix alone
        raise InputError(
            f"{path}: samples without a header, which do not say their rate; make it a .wav"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """A file, open.

    Of an MP3 that does not say how long it is libsndfile takes every frame to be as long as the
    first, and stops where the end then is; what comes through a pipe it reads to the end.
    """
    start = _start_of_untold_mp3(path)
    if start is None or os.name != "posix":
        with soundfile.SoundFile(os.fsencode(path)) as file:
            yield file
        return
    reading, writing = os.pipe()
    feeder = Thread(target=_feed, args=(path, start, writing), daemon=True)
    feeder.start()
    try:
        with soundfile.SoundFile(reading, closefd=False) as file:
            yield file
    finally:
        os.close(reading)
        feeder.join()


def _feed(path: Path, start: int, writing: int) -> None:
    """Write a file's bytes from `start` on into a pipe, until nobody reads on."""
    with suppress(OSError), os.fdopen(writing, "wb") as pipe, path.open("rb") as file:
        file.seek(start)
        shutil.copyfileobj(file, pipe)


def _start_of_untold_mp3(path: Path) -> int | None:
    """Where the first frame of an MP3 is in which nothing tells its length; None of other files."""
    with path.open("rb") as file:
        head = file.read(10)
        start = 0
        if head[:3] == b"ID3" and len(head) == 10:
            start = 10 + sum(byte << 7 * (3 - place) for place, byte in enumerate(head[6:]))
        file.seek(start)
        frame = file.read(_TOLD_WITHIN)
    is_mp3 = len(frame) > 1 and frame[0] == 0xFF and frame[1] & 0xE6 == 0xE2
    return start if is_mp3 and not any(mark in frame for mark in _LENGTH_MARKS) else None


def _blocks(file: soundfile.SoundFile, seconds: float) -> Iterator[NDArray[np.float32]]:
    size = max(1, int(seconds * file.samplerate))
    while len(block := file.read(size, dtype="float32", always_2d=True)):
        yield block


def _after(frames: int, blocks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Blocks without their first frames."""
    for block in blocks:
        if frames < len(block):
            yield block[frames:]
        frames = max(0, frames - len(block))


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).strip().rstrip(".")


def _av_blocks(path: Path) -> _Source:
    try:
        import av
    except ImportError:
        raise InputError(
            f"{path}: {path.suffix} needs the extra: pip install 'drum2midi[m4a]'"
        ) from None
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: has no audio in it")
            rate = container.streams.audio[0].rate
            yield rate
            resampler, before = av.AudioResampler(format="fltp", rate=rate), rate
            for frame in container.decode(audio=0):
                if frame.sample_rate != before:  # files put one behind the other
                    resampler = av.AudioResampler(format="fltp", rate=rate)
                    before = frame.sample_rate
                for part in resampler.resample(frame):
                    yield np.asarray(part.to_ndarray().T, np.float32)
    except av.FFmpegError as error:
        raise InputError(f"{path}: not audio that can be read ({error.strerror})") from None


def _sound(source: _Source, path: Path) -> Iterator[NDArray[np.float32]]:
    frames, warned = 0, False
    try:
        for block in source:
            sound = np.asarray(block, np.float32)
            finite = np.abs(sound) < _LOUDEST
            if not finite.all():
                sound = np.where(finite, sound, np.float32(0.0))
                if not warned:
                    _LOG.warning(
                        "%s: has samples that are no numbers or beyond all loudness; "
                        "taken as silence",
                        path,
                    )
                warned = True
            frames += len(sound)
            yield sound
    except InputError as error:
        if frames == 0:
            raise
        _LOG.warning("%s; using what came before", error)
    if frames == 0:
        raise InputError(f"{path}: has no samples in it")


def _passage(
    blocks: Iterator[NDArray[np.float32]], path: Path, rate: int, start: float, end: float | None
) -> Iterator[NDArray[np.float32]]:
    first = round(start * rate)
    last = None if end is None else round(end * rate)
    at, given = 0, 0
    for block in blocks:
        part = block[max(0, first - at) : None if last is None else max(0, last - at)]
        at += len(block)
        if len(part):
            given += len(part)
            yield part
        if last is not None and at >= last:
            break
    if given == 0:
        if last is not None and at >= last:
            raise InputError(f"{path}: nothing is left between {start:g} and {end:g} s")
        raise InputError(f"{path}: is only {at / rate:.1f} s long, the passage begins later")
