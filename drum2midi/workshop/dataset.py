"""Data sets: labelled audio on disk, in splits, with hashes.

Layout of a data set::

    manifest.json       what is in it, a line for each recording, with SHA-256 sums
    audio/00001.flac    mono, 44.1 kHz, 16 bits
    labels/00001.txt    "seconds drum [velocity]", a line for each stroke

`drum2midi.workshop.building` makes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.errors import InputError
from drum2midi.files import sha256_of
from drum2midi.workshop.lines import Line, read_array, read_json
from drum2midi.workshop.material import Stroke
from drum2midi.workshop.sounds import SCHEMES, class_of, classes_of, meaning
from drum2midi.workshop.splits import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = "drum2midi-dataset"
VERSION: Final = 1
RATE: Final = 44100
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One recording of a data set.

    Attributes
    ----------
    audio, labels : Path
    split : str
    song : int
        Recordings with the same song are in the same split.
    variant : int
        0 as it was, else the number of an augmented variant.
    strokes : tuple of Stroke
        By onset.
    seconds : float
    """

    audio: Path
    labels: Path
    split: str
    song: int
    variant: int
    strokes: tuple[Stroke, ...]
    seconds: float


@dataclass(frozen=True)
class Dataset:
    """A data set on disk.

    Attributes
    ----------
    folder : Path
    classes : str
        Scheme by which it was stratified.
    entries : tuple of Entry
    digest : str
        SHA-256 of the manifest: the same for the same data.
    """

    folder: Path
    classes: str
    entries: tuple[Entry, ...]
    digest: str

    def of(self, split: str) -> tuple[Entry, ...]:
        """The recordings of one split."""
        return tuple(entry for entry in self.entries if entry.split == split)


def class_counts(strokes: Sequence[Stroke], scheme: str) -> NDArray[np.int64]:
    """Strokes of every class of a scheme; those that a label leaves open count nowhere."""
    names = classes_of(scheme)
    counts = np.zeros(len(names), np.int64)
    for stroke in strokes:
        name = class_of(stroke.sound, scheme)
        if name is not None:
            counts[names.index(name)] += 1
    return counts


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a data set."""
    return (folder / MANIFEST).is_file()


def read_dataset(folder: Path) -> Dataset:
    """Read a data set and check that nothing in it has changed.

    Raises
    ------
    InputError
        Naming file and line: no data set, audio or labels that are missing or have changed,
        labels that cannot be understood.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: not a data set: no {MANIFEST} in it (drum2midi dataset build)")
    document, fields = read_json(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{path}, line 1: not the manifest of a data set")
    if "version" not in fields:
        raise InputError(f'{path}, line 1: has no "version"')
    if document["version"] != VERSION:
        raise fields["version"].error("made by another version of drum2midi")
    if "entries" not in fields or document.get("classes") not in SCHEMES:
        raise InputError(f"{path}, line 1: no entries or no classes in it")
    entries = tuple(_read_entry(folder, line) for line in read_array(fields["entries"]))
    if not entries:
        raise fields["entries"].error("a data set of nothing")
    return Dataset(folder, document["classes"], entries, sha256_of(path))


def _read_entry(folder: Path, line: Line) -> Entry:
    row = line.value
    try:
        audio, labels = folder / row["audio"], folder / row["labels"]
        for path, digest in ((audio, row["audio_sha256"]), (labels, row["labels_sha256"])):
            if not path.is_file():
                raise line.error(f"{path.relative_to(folder)} is not there")
            if sha256_of(path) != digest:
                raise line.error(f"{path.relative_to(folder)} has changed since it was built")
        if row["split"] not in SPLITS:
            raise line.error(f"split {row['split']!r} is not one of {', '.join(SPLITS)}")
        strokes = tuple(_read_strokes(labels))
        return Entry(
            audio, labels, row["split"], int(row["song"]), int(row["variant"]), strokes,
            float(row["seconds"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise line.error(f"not a recording of a data set ({error})") from None


def _read_strokes(path: Path) -> Iterator[Stroke]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        first, _, rest = line.strip().partition(" ")
        name, _, last = rest.rpartition(" ")
        velocity = int(last) if name and last.isascii() and last.isdigit() else None
        sound = meaning(rest if velocity is None else name)
        try:
            onset = float(first)
        except ValueError:
            onset = -1.0
        if sound is None or onset < 0:
            raise InputError(f"{path}, line {number}: not 'seconds drum [velocity]': {line!r}")
        yield Stroke(onset, sound, velocity)
