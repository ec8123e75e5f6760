"""Slices: a recording's hits, each cut to a fixed length, to be labelled one by one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drum2midi.drums import BY_NAME, DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.workshop.lines import Line, read_array, read_json

FORMAT: Final = "drum2midi-slices"
VERSION: Final = 1
INDEX: Final = "slices.json"
"""The name of the JSON in a folder of slices."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A drum that the model suggests for a hit.

    Attributes
    ----------
    drum : Drum
    activation : float
        0 to 1.
    velocity : int
        1 to 127.
    """

    drum: Drum
    activation: float
    velocity: int


@dataclass(frozen=True)
class Slice:
    """One hit, cut out.

    Attributes
    ----------
    clip : Path
    onset : float
        Seconds from the start of the song.
    predictions : tuple of Prediction
        What the model suggests; nobody has confirmed it.
    activations : tuple of float
        The model's activation of each of `DRUMS` at the onset, 0 to 1.
    """

    clip: Path
    onset: float
    predictions: tuple[Prediction, ...]
    activations: tuple[float, ...]


@dataclass(frozen=True)
class Slices:
    """The hits of a song.

    Attributes
    ----------
    audio : Path
        The song.
    length, preroll : float
        Seconds of a clip, and how many of them lie before the onset.
    slices : tuple of Slice
        By onset.
    seconds : float, optional
        How long the song was; unknown of what was sliced before that was written down.
    """

    audio: Path
    length: float
    preroll: float
    slices: tuple[Slice, ...]
    seconds: float | None = None


def read_slices(folder: str | Path) -> Slices:
    """Read a folder that `slice_song` wrote.

    Raises
    ------
    InputError
        If it is none, or a clip or the song is not there.
    """
    index = Path(folder) / INDEX
    document, fields = read_json(index)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{index}, line 1: not slices of drum2midi")
    if document.get("version") != VERSION:
        raise InputError(f"{index}, line 1: made by another version of drum2midi")
    try:
        audio = _present(fields["audio"], document["audio"])
        slices = []
        for line in read_array(fields["slices"]):
            try:
                slices.append(_slice_of(line))
            except (KeyError, TypeError, ValueError) as error:
                if isinstance(error, InputError):
                    raise
                raise line.error(f"not a slice ({error})") from None
        length, preroll = float(document["length"]), float(document["preroll"])
        seconds = float(document["seconds"]) if "seconds" in document else None
    except (KeyError, TypeError) as error:
        raise InputError(f"{index}, line 1: not slices of drum2midi ({error})") from None
    if not slices:
        raise InputError(f"{index}: has no slices in it")
    ordered = tuple(sorted(slices, key=lambda one: one.onset))
    return Slices(audio, length, preroll, ordered, seconds)


def slices_index(slices: Slices, folder: Path) -> str:
    """The JSON of a folder of slices; paths in it are relative to the folder."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "audio": Path(os.path.relpath(slices.audio.resolve(), folder.resolve())).as_posix(),
        "length": slices.length,
        "preroll": slices.preroll,
    }
    if slices.seconds is not None:
        head["seconds"] = slices.seconds
    rows = (
        {
            "clip": one.clip.relative_to(folder).as_posix(),
            "onset": one.onset,
            "predictions": [
                {
                    "drum": guess.drum.name,
                    "activation": guess.activation,
                    "velocity": guess.velocity,
                }
                for guess in one.predictions
            ],
            "activations": {
                drum.name: level for drum, level in zip(DRUMS, one.activations, strict=True)
            },
        }
        for one in slices.slices
    )
    opening = json.dumps(head, ensure_ascii=False)[:-1]
    body = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f'{opening}, "slices": [\n{body}\n]}}\n'


def _slice_of(line: Line) -> Slice:
    fields: dict[str, Any] = line.value
    return Slice(
        _present(line, fields["clip"]),
        float(fields["onset"]),
        tuple(
            Prediction(BY_NAME[one["drum"]], float(one["activation"]), int(one["velocity"]))
            for one in fields["predictions"]
        ),
        tuple(float(fields["activations"][drum.name]) for drum in DRUMS),
    )


def _present(line: Line, name: str) -> Path:
    path = Path(os.path.normpath(line.path.parent / name))
    if not path.is_file():
        raise line.error(f"audio {name} is not there")
    return path
