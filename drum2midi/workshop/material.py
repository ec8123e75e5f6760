"""Material: recordings with labels, wherever they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drum2midi.errors import InputError
from drum2midi.workshop.sounds import Sound


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


def items_of(folder: Path, split: str) -> tuple[tuple[Item, ...], str]:
    """What a folder holds to score on, and its scheme of classes.

    Parameters
    ----------
    folder : Path
        A data set; or any source that one can be built from.
    split : str
        Of a data set; ``"all"`` takes every recording as it was before augmentation.

    Raises
    ------
    InputError
        If the split is empty or unknown, or the folder holds nothing labelled.
    """
    from drum2midi.workshop.dataset import is_dataset, read_dataset
    from drum2midi.workshop.readers import read_source
    from drum2midi.workshop.splits import SPLITS

    if not is_dataset(folder):
        return tuple(Item(one.audio, one.strokes) for one in read_source(folder)), "drums"
    if split not in (*SPLITS, "all"):
        raise InputError(f"split {split!r} is not one of {', '.join(SPLITS)}, all")
    dataset = read_dataset(folder)
    entries = dataset.entries if split == "all" else dataset.of(split)
    items = tuple(Item(one.audio, one.strokes) for one in entries if not one.variant)
    if not items:
        raise InputError(f"{folder}: nothing in its {split} split; --split names another")
    return items, dataset.classes
