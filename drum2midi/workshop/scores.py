"""Strokes of MIDI files, and audio that lies beside them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from drum2midi.audio import duration
from drum2midi.errors import InputError
from drum2midi.references import read_strokes
from drum2midi.workshop.material import PAST_THE_END, Stroke

AUDIO: Final = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".m4a")


def is_audio(path: Path) -> bool:
    """Whether a file's name says that it is audio; a hidden one's never does."""
    return path.suffix.lower() in AUDIO and path.is_file() and not path.name.startswith(".")


def audio_beside(path: Path) -> Path | None:
    """The audio that has a file's name and folder, if there is any."""
    found = [path.with_suffix(suffix) for suffix in AUDIO]
    found += [path.with_suffix(suffix.upper()) for suffix in AUDIO]
    return next((audio for audio in found if audio.is_file()), None)


def read_midi_strokes(path: Path, audio: Path | None = None) -> tuple[Stroke, ...]:
    """The strokes of a ``.mid``.

    Parameters
    ----------
    path : Path
    audio : Path, optional
        What is played; strokes after its end are an error.

    Returns
    -------
    tuple of Stroke
        By onset: of channel 10, or of all channels if nothing is played on that one.

    Raises
    ------
    InputError
        If the file is no MIDI file, has no stroke, or goes on after the audio has ended.
    """
    strokes = tuple(
        Stroke(seconds, (drum,), velocity) for seconds, drum, velocity in read_strokes(path)
    )
    if not strokes:
        raise InputError(f"{path}: no stroke on any drum in it")
    if audio is not None:
        check_inside(strokes[-1].onset, audio, f"{path}")
    return strokes


def check_inside(onset: float, audio: Path, where: str) -> None:
    """Raise `InputError` if an onset is later than the end of the audio."""
    try:
        status = audio.stat()
        end = _end(audio, status.st_size, status.st_mtime_ns)
    except (InputError, OSError):
        return  # reading it tells
    if onset > end + PAST_THE_END:
        raise InputError(
            f"{where}: a stroke at {onset:.3f} s, but {audio.name} ends at {end:.3f} s"
        )


@lru_cache(maxsize=64)  # asked for every line of a file of strokes
def _end(audio: Path, _size: int, _changed: int) -> float:
    return duration(audio)
