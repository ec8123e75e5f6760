"""Material: recordings with labels, wherever they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from drum2midi.errors import InputError
from drum2midi.workshop.sounds import Sound

PAST_THE_END: Final = 0.1
"""Seconds after the end of its audio at which a stroke may still be said to be."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One labelled stroke.

    Attributes
    ----------
    onset : float
        Seconds from the start of the audio.
    sound : tuple of Drum
        The drums that the label leaves open; one if it tells exactly. Where they are of several
        classes there may be none of them, too.
    velocity : int, optional
        1 to 127; None where the label does not tell.
    line : int, optional
        Where it stands in the file of labels.
    """

    onset: float
    sound: Sound
    velocity: int | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Recording:
    """Audio and the strokes in it.

    Attributes
    ----------
    name : str
        Unique among the recordings of one source.
    audio : Path
    strokes : tuple of Stroke
        By onset.
    song : str
        Recordings of one song (clips cut from it, a performance played on several kits)
        share it, and are never divided between splits.
    labels : Path
        The file that holds the labels, for messages.
    source, licence : str
        Where it comes from and what may be done with it; empty if unknown.
    split : str, optional
        ``"train"``, ``"validation"`` or ``"test"`` where its publisher says so.
    empty : bool
        Whether somebody says that nothing is struck in it.
    """

    name: str
    audio: Path
    strokes: tuple[Stroke, ...]
    song: str
    labels: Path
    source: str = ""
    licence: str = ""
    split: str | None = None
    empty: bool = False


@dataclass(frozen=True)
class Item:
    """Audio and what is struck in it, to score a model on."""

    audio: Path
    strokes: tuple[Stroke, ...]


def check_heard(seconds: float, audio: Path, strokes: Sequence[Stroke]) -> None:
    """Raise `InputError` if audio, once read, turns out to end before its strokes do.

    What a file says of its length is not what can be read of one that breaks off.
    """
    last = max((stroke.onset for stroke in strokes), default=0.0)
    if last > seconds + PAST_THE_END:
        raise InputError(f"{audio}: can be read up to {seconds:.3f} s; a stroke is at {last:.3f} s")


def items_of(folder: Path, split: str | None) -> tuple[tuple[Item, ...], str]:
    """What a folder holds to score on, and its scheme of classes.

    Parameters
    ----------
    folder : Path
        A data set; or any source that one can be built from.
    split : str or None
        Of a data set, ``"test"`` if None; ``"all"`` takes every recording as it was before
        augmentation.

    Raises
    ------
    InputError
        If the split is empty or unknown, or the folder holds nothing labelled.
    """
    from drum2midi.workshop.dataset import is_dataset, read_dataset
    from drum2midi.workshop.readers import read_sources
    from drum2midi.workshop.splits import SPLITS

    if not is_dataset(folder):
        if split not in (None, "all"):
            raise InputError(f"{folder}: not a data set, which alone has a {split} split")
        return tuple(Item(one.audio, one.strokes) for one in read_sources([folder])), "drums"
    split = split or "test"
    if split not in (*SPLITS, "all"):
        raise InputError(f"split {split!r} is not one of {', '.join(SPLITS)}, all")
    dataset = read_dataset(folder)
    entries = dataset.entries if split == "all" else dataset.of(split)
    items = tuple(Item(one.audio, one.strokes) for one in entries if not one.variant)
    if not items:
        raise InputError(f"{folder}: nothing in its {split} split; --split names another")
    return items, dataset.classes
