"""Building: labelled material becomes a data set, split, balanced and augmented.

The same sources, options and seed give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import soundfile

from drum2midi.audio import read_audio
from drum2midi.errors import InputError
from drum2midi.files import check_named, check_new_folder, replacing_folder, sha256_of
from drum2midi.workshop.augment import augment
from drum2midi.workshop.dataset import (
    FORMAT,
    MANIFEST,
    RATE,
    VERSION,
    Dataset,
    class_counts,
    read_dataset,
)
from drum2midi.workshop.material import Recording, Stroke, check_heard
from drum2midi.workshop.readers import read_sources
from drum2midi.workshop.sounds import ANYTHING, class_of, classes_of, name_of
from drum2midi.workshop.splits import SPLITS, copies, split_songs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildSettings:
    """How a data set is made of its sources.

    Attributes
    ----------
    shares : tuple of float
        Of train, validation and test.
    classes : str
        By which classes to stratify and balance: ``"drums"``, ``"six"`` or ``"five"``.
    balance : bool
        Repeat recordings of rare classes in the train split.
    augmented : int
        Augmented variants of every recording of the train split, beside the original.
    seed : int
    """

    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    classes: str = "drums"
    balance: bool = False
    augmented: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        classes_of(self.classes)
        good = len(self.shares) == 3 and all(share >= 0 for share in self.shares)
        if not good or not math.isfinite(sum(self.shares)) or not self.shares[0] > 0:
            raise InputError(
                f"split {','.join(map(str, self.shares))}: three shares, of train (not 0), "
                "validation and test"
            )
        if self.augmented < 0:
            raise InputError(f"{self.augmented} augmented variants cannot be made")


def build_dataset(
    sources: Sequence[Path],
    folder: Path,
    *,
    settings: BuildSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> Dataset:
    """Build a data set from labelled material.

    Parameters
    ----------
    sources : sequence of Path
        See `drum2midi.workshop.readers`.
    folder : Path
        New, or empty; appears when the data set is complete, or not at all.
    settings : BuildSettings, optional
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Raises
    ------
    InputError
        If material is corrupt, inconsistent or missing, if a class has one example only
        or if there are too few songs to share out.
    """
    settings = settings or BuildSettings()
    check_new_folder(folder)
    recordings = _gather(sources)
    _check_classes(recordings, settings)
    splits = _assign(recordings, settings)
    _warn_of_gaps(recordings, splits, settings)
    plan = _plan(recordings, splits, settings)
    songs = {song: number for number, song in enumerate(dict.fromkeys(r.song for r in recordings))}
    try:
        with replacing_folder(folder) as building:
            for name in ("audio", "labels"):
                (building / name).mkdir()
            rows = []
            for number, (recording, split, variant) in enumerate(plan, 1):
                row = _write_entry(building, number, recording, variant, settings)
                rows.append({"split": split, "song": songs[recording.song], **row})
                if progress:
                    progress(number / len(plan))
            _write_manifest(building / MANIFEST, rows, sources, settings)
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot write {folder}: {error.error_string}") from None
    return read_dataset(folder)


def _gather(sources: Sequence[Path]) -> list[Recording]:
    """Everything that the sources hold, each audio once; copies of one are of one song."""
    out = read_sources(sources)
    for recording in out:
        if not (recording.empty or _is_labelled(recording)):
            raise InputError(f"{recording.labels}: no labelled stroke of {recording.audio}")
        check_named(recording.audio)
    if not any(map(_is_labelled, out)):
        raise InputError(f"{', '.join(map(str, sources))}: no labelled stroke")
    return _with_copies_together(out)


def _is_labelled(recording: Recording) -> bool:
    return any(stroke.sound != ANYTHING for stroke in recording.strokes)


def _with_copies_together(recordings: Sequence[Recording]) -> list[Recording]:
    """Recordings of which byte-for-byte copies are there too are of one song, so of one split.

    Songs that share a copy with a third one are of one song as well. A song with a published split
    keeps its name, and the others take it.
    """
    sizes = Counter(recording.audio.stat().st_size for recording in recordings)
    published = {recording.song for recording in recordings if recording.split is not None}
    first: dict[str, str] = {}
    joined: dict[str, str] = {}

    def song_of(name: str) -> str:
        while name in joined:
            name = joined[name]
        return name

    for recording in recordings:
        if sizes[recording.audio.stat().st_size] > 1:
            own = song_of(recording.song)
            other = song_of(first.setdefault(sha256_of(recording.audio), own))
            if own in published:
                own, other = other, own
            if own != other and own not in published:
                joined[own] = other
    return [replace(r, song=song_of(r.song)) for r in recordings]


def _check_classes(recordings: Sequence[Recording], settings: BuildSettings) -> None:
    """A class with one example cannot be learnt and judged."""
    found: dict[str, list[tuple[Recording, Stroke]]] = {}
    for recording in recordings:
        for stroke in recording.strokes:
            name = class_of(stroke.sound, settings.classes)
            if name is not None:
                found.setdefault(name, []).append((recording, stroke))
    for name, examples in found.items():
        if len(examples) == 1:
            recording, stroke = examples[0]
            line = "" if stroke.line is None else f", line {stroke.line}"
            raise InputError(
                f"{recording.labels}{line}: the only example of the class {name} "
                f"(in {recording.audio.name}); label another, or take this one out"
            )


def _assign(recordings: Sequence[Recording], settings: BuildSettings) -> dict[str, str]:
    """The split of every song: its publisher's, or ours."""
    published = {r.song: r.split for r in recordings if r.split is not None}
    free: dict[str, NDArray[np.int64]] = {}
    for recording in recordings:
        if recording.song not in published:
            counts = class_counts(recording.strokes, settings.classes)
            free[recording.song] = free.get(recording.song, 0) + counts
    if published and len(free) < sum(share > 0 for share in settings.shares):
        return {**published, **dict.fromkeys(free, SPLITS[0])}
    # Songs are dealt by number: the folder in which they happen to lie decides nothing.
    order = list(dict.fromkeys(r.song for r in recordings if r.song in free))
    numbered = {f"{i:06d}": free[song] for i, song in enumerate(order)}
    dealt = split_songs(numbered, settings.shares, seed=settings.seed) if free else {}
    return {**published, **{song: dealt[f"{i:06d}"] for i, song in enumerate(order)}}


def _warn_of_gaps(
    recordings: Sequence[Recording], splits: Mapping[str, str], settings: BuildSettings
) -> None:
    names = classes_of(settings.classes)
    have = {split: np.zeros(len(names), np.int64) for split in SPLITS}
    for recording in recordings:
        have[splits[recording.song]] += class_counts(recording.strokes, settings.classes)
    total = np.sum(list(have.values()), axis=0)
    for split in SPLITS:
        lacking = [
            name for i, name in enumerate(names)
            if have[split].any() and total[i] and not have[split][i]
        ]  # fmt: skip
        if lacking:
            _LOG.warning("too few songs have %s: none in %s", ", ".join(lacking), split)


_Plan = Sequence[tuple[Recording, str, int]]


def _plan(
    recordings: Sequence[Recording], splits: Mapping[str, str], settings: BuildSettings
) -> _Plan:
    """Every recording with its split; those of the train split also as variants."""
    train = [r for r in recordings if splits[r.song] == "train"]
    times = np.ones(len(train), np.int64)
    if settings.balance and train:
        counts = np.array([class_counts(r.strokes, settings.classes) for r in train])
        times = copies(counts)
    plan: list[tuple[Recording, str, int]] = []
    for recording, count in zip(train, times.tolist(), strict=True):
        versions = count * (1 + settings.augmented)
        plan += [(recording, "train", variant) for variant in range(versions)]
    for split in SPLITS[1:]:
        plan += [(r, split, 0) for r in recordings if splits[r.song] == split]
    return plan


def _write_entry(
    folder: Path,
    number: int,
    recording: Recording,
    variant: int,
    settings: BuildSettings,
) -> dict[str, Any]:
    samples = read_audio(recording.audio, sample_rate=RATE).samples
    strokes: Sequence[Stroke] = recording.strokes
    check_heard(len(samples) / RATE, recording.audio, strokes)
    loudest = float(np.abs(samples).max(initial=0.0))
    if loudest > 1.0:
        samples = samples / np.float32(loudest)
    if variant and settings.augmented:
        seed = int.from_bytes(
            hashlib.sha256(f"{settings.seed}:{number}:{variant}".encode()).digest()[:4], "big"
        )
        samples, strokes = augment(samples, strokes, rate=RATE, seed=seed)
    audio, labels = folder / "audio" / f"{number:05d}.flac", folder / "labels" / f"{number:05d}.txt"
    soundfile.write(audio, samples, RATE, subtype="PCM_16")
    labels.write_text(_label_text(strokes), encoding="utf-8", newline="\n")
    return {
        "audio": audio.relative_to(folder).as_posix(),
        "labels": labels.relative_to(folder).as_posix(),
        "variant": variant,
        "seconds": round(len(samples) / RATE, 6),
        "name": recording.name,
        "source": recording.source,
        "licence": recording.licence,
        "original_sha256": sha256_of(recording.audio),
        "audio_sha256": sha256_of(audio),
        "labels_sha256": sha256_of(labels),
    }


def _label_text(strokes: Sequence[Stroke]) -> str:
    lines = []
    for stroke in strokes:
        velocity = "" if stroke.velocity is None else f" {stroke.velocity}"
        lines.append(f"{stroke.onset:.6f} {name_of(stroke.sound)}{velocity}\n")
    return "".join(lines)


def _write_manifest(
    path: Path, rows: Sequence[Mapping[str, Any]], sources: Sequence[Path], settings: BuildSettings
) -> None:
    head = {
        "format": FORMAT,
        "version": VERSION,
        "sources": [source.resolve().name for source in sources],
        "shares": list(settings.shares),
        "classes": settings.classes,
        "balance": settings.balance,
        "augmented": settings.augmented,
        "seed": settings.seed,
    }
    opening = json.dumps(head, ensure_ascii=False)[:-1]
    body = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    path.write_text(f'{opening}, "entries": [\n{body}\n]}}\n', encoding="utf-8", newline="\n")
