"""Labels: what a person says was struck when, in files that can be checked line by line.

Two formats are read and written. Ours is richer::

    {"format": "drum2midi-labels", "version": 1, "audio": "song.flac", "labels": [
      {"time": 1.234, "drums": ["kick"], "velocity": 96, "who": "anna", "when": "2026-…Z"}
    ]}

The other is a plain list of annotations of clips: ``[["clips/0001.wav", "kick"], …]``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from drum2midi.audio import duration
from drum2midi.drums import (
    BY_NAME,
    CLOSED_HAT,
    CRASH,
    DRUMS,
    KICK,
    MID_TOM,
    RIDE,
    SNARE,
    Drum,
    ScoringClass,
)
from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.workshop.lines import Line, read_array, read_json

FORMAT: Final = "drum2midi-labels"
VERSION: Final = 1

ARTICLE_CLASSES: Final[dict[str, Drum]] = {
    "crash": CRASH,
    "hi-hat": CLOSED_HAT,
    "kick": KICK,
    "ride": RIDE,
    "snare": SNARE,
    "toms": MID_TOM,
}
"""The six classes of single hits, each with the drum of ours that stands for it."""

_FRAME: Final = 0.01  # seconds by which an onset at the very end may come out late
_LONGEST: Final = 1e9  # seconds; what is more is no time but damage
_SPELLINGS: Final = {
    "hihat": CLOSED_HAT,
    "hi_hat": CLOSED_HAT,
    "hi hat": CLOSED_HAT,
    "tom": MID_TOM,
}
_SIX: Final[dict[ScoringClass, str]] = {"KD": "kick", "SD": "snare", "TT": "toms", "HH": "hi-hat"}


@dataclass(frozen=True, slots=True)
class Label:
    """What one person says was struck at one onset.

    Attributes
    ----------
    onset : float
        Seconds from the start of the audio.
    drums : tuple of Drum
        In the order of `DRUMS`; empty where nothing of the kit was struck.
    velocity : int, optional
        1 to 127, if anyone said how hard.
    who : str
        Who said so; "" if unknown.
    when : str
        ISO 8601, UTC: ``"2026-11-22T12:00:00Z"``; "" if unknown.
    """

    onset: float
    drums: tuple[Drum, ...]
    velocity: int | None = None
    who: str = ""
    when: str = ""


@dataclass(frozen=True)
class Labels:
    """The labels of one recording, by onset."""

    audio: Path
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class Clip:
    """A file that holds one hit, and what was struck in it."""

    path: Path
    drums: tuple[Drum, ...]


def read_labels(path: str | Path) -> Labels:
    """Read labels in our own format.

    Parameters
    ----------
    path : path

    Returns
    -------
    Labels
        By onset, whatever the order in the file.

    Raises
    ------
    InputError
        Naming file and line: no JSON, another format, a label with something missing, of the wrong
        type or twice, an unknown drum, a time outside the audio, or audio that is not there.
    """
    path = Path(path)
    document, fields = read_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f'{path}, line 1: not labels of drum2midi ("format": "{FORMAT}")')
    for name in ("version", "audio", "labels"):
        if name not in fields:
            raise InputError(f'{path}, line 1: has no "{name}"')
    if document["version"] != VERSION:
        raise fields["version"].error("made by another version of drum2midi")
    audio = _audio(path, document["audio"], fields["audio"])
    try:
        end = duration(audio)
    except InputError as error:
        raise fields["audio"].error(str(error)) from None
    seen: dict[float, Line] = {}
    labels = []
    for line in read_array(fields["labels"]):
        label = label_of(line.value, line.error)
        if label.onset > end + _FRAME:
            raise line.error(f"time {label.onset} is beyond the {end:.3f} s of {audio.name}")
        if label.onset in seen:
            raise line.error(f"time {label.onset} is on line {seen[label.onset].number} already")
        seen[label.onset] = line
        labels.append(label)
    return Labels(audio, tuple(sorted(labels, key=lambda label: label.onset)))


def write_labels(labels: Labels, path: str | Path) -> None:
    """Write labels in our own format, whole or not at all, each on a line of its own.

    Parameters
    ----------
    labels : Labels
    path : path
        The audio is named relative to its folder.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = Path(path)
    _write(labels_text(labels, path.parent), path)


def labels_text(labels: Labels, folder: Path) -> str:
    """What `write_labels` writes to a file in a folder."""
    head = {"format": FORMAT, "version": VERSION, "audio": _relative(labels.audio, folder)}
    ordered = sorted(labels.labels, key=lambda label: label.onset)
    opening = json.dumps(head, ensure_ascii=False)[:-1] + ', "labels": ['
    return _lines(opening, map(label_fields, ordered), "]}")


def read_article(path: str | Path) -> tuple[Clip, ...]:
    """Read a list of ``[clip, label]`` annotations.

    A label is the name of a drum, or a list of names; the names are those of our table and
    those of the six classes crash, hi-hat, kick, ride, snare, toms (`ARTICLE_CLASSES`).

    Returns
    -------
    tuple of Clip
        In the file's order; paths are taken from the file's folder.

    Raises
    ------
    InputError
        Naming file and line: no such list, an unknown drum, a clip that is not there or is
        annotated twice.
    """
    path = Path(path)
    document, fields = read_json(path)
    if not isinstance(document, list):
        raise InputError(f"{path}, line 1: not a list of [clip, label]")
    seen: dict[Path, Line] = {}
    clips = []
    for line in read_array(fields[""]):
        if not isinstance(line.value, list) or len(line.value) != 2:
            raise line.error("not a pair [clip, label]")
        name, label = line.value
        clip = _audio(path, name, line)
        if clip in seen:
            raise line.error(f"{name} is on line {seen[clip].number} already")
        seen[clip] = line
        names = [label] if isinstance(label, str) else label
        clips.append(Clip(clip, _drums(names, line.error, {**ARTICLE_CLASSES, **_SPELLINGS})))
    return tuple(clips)


def write_article(clips: Sequence[Clip], path: str | Path, *, six: bool = False) -> None:
    """Write a list of ``[clip, label]`` annotations, whole or not at all.

    Parameters
    ----------
    clips : sequence of Clip
    path : path
        Clips are named relative to its folder.
    six : bool
        Write the six classes (crash, hi-hat, kick, ride, snare, toms) instead of our drums.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = Path(path)
    _write(article_text(clips, path.parent, six=six), path)


def article_text(clips: Sequence[Clip], folder: Path, *, six: bool = False) -> str:
    """What `write_article` writes to a file in a folder."""
    rows = (_article_row(_relative(clip.path, folder), clip.drums, six=six) for clip in clips)
    return _lines("[", rows, "]")


def label_fields(label: Label) -> dict[str, Any]:
    """A label as it stands in the file."""
    return {
        "time": label.onset,
        "drums": [drum.name for drum in label.drums],
        "velocity": label.velocity,
        "who": label.who,
        "when": label.when,
    }


def label_of(fields: Any, error: Callable[[str], InputError]) -> Label:
    """Read one label's fields; `error` makes the error that says where they stand."""
    if not isinstance(fields, dict):
        raise error('not a label {"time": …, "drums": […]}')
    for name in ("time", "drums"):
        if name not in fields:
            raise error(f'a label without "{name}"')
    time, velocity = fields["time"], fields.get("velocity")
    if not _is_number(time):
        raise error(f"time {_shown(time)} is not a number of seconds")
    if time < 0:
        raise error(f"time {time} is negative")
    if velocity is not None and not (type(velocity) is int and 1 <= velocity <= 127):
        raise error(f"velocity {_shown(velocity)} is not a whole number from 1 to 127, or null")
    who, when = fields.get("who", ""), fields.get("when", "")
    if not (isinstance(who, str) and who.isprintable()):
        raise error(f"who {_shown(who)} is not a name")
    if not _is_moment(when):
        raise error(f"when {_shown(when)} is not a date and time such as 2026-11-22T12:00:00Z")
    return Label(float(time), _drums(fields["drums"], error), velocity, who, when)


def _drums(
    names: Any, error: Callable[[str], InputError], others: dict[str, Drum] | None = None
) -> tuple[Drum, ...]:
    if not isinstance(names, list):
        raise error(f"drums {_shown(names)} is not a list of names")
    known = {**(others or {}), **BY_NAME}
    drums = set()
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise error(f"unknown drum {_shown(name)}; the drums are {', '.join(BY_NAME)}")
        if known[name] in drums:
            raise error(f"{known[name]} is named twice")
        drums.add(known[name])
    return tuple(drum for drum in DRUMS if drum in drums)


def _audio(path: Path, name: Any, line: Line) -> Path:
    if not isinstance(name, str) or not name or "\0" in name:
        raise line.error(f"audio {_shown(name)} is not the name of a file")
    audio = Path(os.path.normpath(path.parent / name))
    if not audio.is_file():
        raise line.error(f"audio {name} is not there")
    return audio


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _LONGEST


def _is_moment(value: Any) -> bool:
    if value == "":
        return True
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _article_row(clip: str, drums: Sequence[Drum], *, six: bool = False) -> list[Any]:
    """One annotation: the label is a name if there is one drum, else a list of names."""
    names = list(dict.fromkeys(_six(drum) if six else drum.name for drum in drums))
    return [clip, names[0] if len(names) == 1 else names]


def _six(drum: Drum) -> str:
    return _SIX.get(drum.scoring) or ("crash" if drum == CRASH else "ride")


def _relative(file: Path, folder: Path) -> str:
    return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()


def _lines(opening: str, rows: Iterable[Any], closing: str) -> str:
    """A list in JSON with each row on a line of its own."""
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f"{opening}\n{lines}\n{closing}\n" if lines else f"{opening}{closing}\n"


def _write(text: str, path: Path) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
