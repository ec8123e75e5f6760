"""Readers: labelled material of every kind that a data set can be built from.

========================  ==========================================================
source                    what it is
========================  ==========================================================
``LABELS.json``           labels of one recording, as ``drum2midi label`` writes them
``CLIPS.json``            a list of ``[clip, label]``, the article's
folder with index.csv     one-shots: columns file, piece, kit
folder of class folders   one-shots: ``kick/*.wav``, ``snare/*.wav`` …
folder of pairs           ``NAME.mid`` beside ``NAME.wav``
published data sets       see `drum2midi.workshop.layouts`
========================  ==========================================================
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from drum2midi.audio import read_audio
from drum2midi.errors import InputError
from drum2midi.files import MARKS, FileState, file_state, is_ours
from drum2midi.workshop.journal import warn_of_journal
from drum2midi.workshop.labels import FORMAT, Labels, read_article, read_labels
from drum2midi.workshop.layouts import read_layout
from drum2midi.workshop.lines import as_text, read_array, read_json
from drum2midi.workshop.material import Recording, Stroke
from drum2midi.workshop.scores import audio_beside, is_audio, read_midi_strokes
from drum2midi.workshop.slices import INDEX, Slices, read_slices
from drum2midi.workshop.sounds import ANYTHING, Sound, meaning

_LOG: Final = logging.getLogger(__name__)
_RATE: Final = 44100
_SAME_HIT: Final = 1e-3  # seconds between a label and its slice
_ATTACK_LEVEL: Final = 0.1
"""Share of its peak at which a clip's hit begins."""

# Pieces of an index that are no drums of the kit: their one-shots are left out.
_NO_DRUM: Final = frozenset(
    {"clap", "cowbell", "tambourine", "shaker", "conga", "bongo", "clave", "maraca", "triangle",
     "other", "percussion", "woodblock", "agogo", "cabasa", "guiro", "timbale", "whistle"}
)  # fmt: skip


def read_source(source: Path) -> tuple[Recording, ...]:
    """Read labelled material; what kind it is shows in the folder or file.

    Parameters
    ----------
    source : Path
        A file or folder; the module tells which.

    Returns
    -------
    tuple of Recording
        In an order that depends on names alone.

    Raises
    ------
    InputError
        If it is none of these kinds, or labels are corrupt, inconsistent or without audio;
        the message names the file and, where there are lines, the line.
    """
    if source.is_file() and source.suffix.lower() == ".json":
        return _read_json(source)
    if not source.is_dir():
        what = "no such file or folder" if not source.exists() else "not a .json, not a folder"
        raise InputError(f"{source}: {what}")
    layout = read_layout(source)
    if layout is not None:
        return layout
    if (source / "index.csv").is_file():
        return tuple(_read_index(source / "index.csv"))
    found = (*_read_pairs(source), *_read_label_files(source)) or _read_class_folders(source)
    if not found:
        raise InputError(
            f"{source}: no labelled audio: neither NAME.mid or labels beside audio, nor folders "
            "named after drums, nor an index.csv, nor a published data set's layout"
        )
    return tuple(found)


def read_sources(sources: Sequence[Path]) -> list[Recording]:
    """All recordings of several sources, each audio once.

    Raises
    ------
    InputError
        As `read_source`; or if two say what is struck in the same audio.
    """
    seen: dict[Path, Path] = {}
    out: list[Recording] = []
    for source in sources:
        for recording in read_source(source):
            audio = recording.audio.resolve()
            if audio in seen:
                raise InputError(
                    f"{recording.labels}: {recording.audio.name} has labels already, "
                    f"in {seen[audio]}"
                )
            seen[audio] = recording.labels
            out.append(recording)
    return out


def _read_json(path: Path) -> tuple[Recording, ...]:
    document, _ = read_json(path)
    if isinstance(document, list):
        return tuple(_article(path))
    return (_labelled(path, read_labels(path)),)


def _labelled(path: Path, labels: Labels) -> Recording:
    _, fields = read_json(path)
    lines = {line.value["time"]: line.number for line in read_array(fields["labels"])}
    warn_of_journal(path)
    said = [
        Stroke(label.onset, (drum,), label.velocity, lines[label.onset])
        for label in labels.labels
        for drum in label.drums
    ]
    strokes = sorted((*said, *_unsaid(path, labels)), key=lambda stroke: stroke.onset)
    return Recording(labels.audio.stem, labels.audio, tuple(strokes), _song(labels.audio), path)


def _unsaid(path: Path, labels: Labels) -> list[Stroke]:
    """Hits beside which these labels lie, but of which they say nothing, not even that it is none.

    Whoever has stopped in the middle has not said that the rest is silence.
    """
    if not (path.parent / INDEX).is_file():
        return []
    slices = _slices(path.parent)
    if not slices.audio.samefile(labels.audio):
        return []
    onsets = np.array([label.onset for label in labels.labels])
    left = [
        one.onset for one in slices.slices
        if not len(onsets) or np.abs(onsets - one.onset).min() > _SAME_HIT
    ]  # fmt: skip
    if left:
        _LOG.warning(
            "%s: says nothing of %d of %d hits; nothing is learnt of those",
            path, len(left), len(slices.slices),
        )  # fmt: skip
    return [Stroke(onset, ANYTHING) for onset in left]


def _song(audio: Path) -> str:
    return str(audio.resolve())


def _article(path: Path) -> Iterator[Recording]:
    """Clips of one hit; a coarse name (hi-hat, toms) stays as coarse as it was written."""
    clips = read_article(path)
    _, fields = read_json(path)
    for clip, line in zip(clips, read_array(fields[""]), strict=True):
        label = line.value[1]
        names: Sequence[str] = [label] if isinstance(label, str) else label
        sounds = [meaning(name) or () for name in names]
        if not all(sounds):
            raise line.error(f"unknown drum in {json.dumps(label)}")
        song, preroll = _origin(clip.path)
        yield _clip(clip.path, sounds, path, song=song, onset=preroll, line=line.number)


def _origin(clip: Path) -> tuple[str, float | None]:
    """The song that a clip was cut from by slice, and where its hit is; else itself."""
    folder = clip.parent.parent
    if (folder / INDEX).is_file():
        slices = _slices(folder)
        return _song(slices.audio), slices.preroll
    return _song(clip), None


def _slices(folder: Path) -> Slices:
    return _read_slices(folder, file_state(folder / INDEX))


@lru_cache(maxsize=8)
def _read_slices(folder: Path, _: FileState | None) -> Slices:
    return read_slices(folder)


def _clip(
    audio: Path,
    sounds: Sequence[Sound],
    labels: Path,
    *,
    song: str,
    source: str = "",
    licence: str = "",
    name: str = "",
    onset: float | None = None,
    line: int | None = None,
) -> Recording:
    onset = _attack(audio) if onset is None else onset
    strokes = tuple(Stroke(onset, sound, line=line) for sound in sounds)
    return Recording(
        name or audio.stem, audio, strokes, song, labels, source, licence, empty=not sounds
    )


def _attack(audio: Path) -> float:
    """Seconds at which a clip first reaches a tenth of its peak."""
    samples = np.abs(read_audio(audio, sample_rate=_RATE).samples)
    return float(np.argmax(samples >= _ATTACK_LEVEL * samples.max())) / _RATE


def _read_index(index: Path) -> Iterator[Recording]:
    with as_text(index), index.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        missing = {"file", "piece", "kit"} - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{index}, line 1: no column {', '.join(sorted(missing))}")
        rows = [(reader.line_num, row) for row in reader]
    several = len({row["kit"] for _, row in rows}) > 1
    for number, row in rows:
        where = f"{index}, line {number}"
        if None in row or None in row.values():
            raise InputError(f"{where}: not as many fields as the first line has")
        if row["piece"] in _NO_DRUM:
            continue
        sound = meaning(row["piece"])
        if sound is None:
            raise InputError(f"{where}: unknown drum {row['piece']!r}")
        audio = index.parent / row["file"]
        if not audio.is_file():
            raise InputError(f"{where}: audio {row['file']} is not there")
        song = f"{index.parent.resolve()}:{row['kit']}" if several else _song(audio)
        name = Path(row["file"]).with_suffix("").as_posix()
        yield _clip(
            audio, [sound], index, song=song, name=name, line=number,
            source=row.get("source") or row["kit"], licence=row.get("licence") or "",
        )  # fmt: skip


def _read_class_folders(folder: Path) -> list[Recording]:
    named = [
        (path, sound)
        for path in sorted(folder.iterdir())
        if path.is_dir() and (sound := meaning(path.name)) is not None
    ]
    known = {path for path, _ in named}
    others = [
        path.name for path in sorted(folder.iterdir())
        if path.is_dir() and path not in known and any(map(is_audio, path.rglob("*")))
    ]  # fmt: skip
    if named and others:
        _LOG.warning("%s: no names of drums, left out: %s", folder, ", ".join(others))
    out = []
    for path, sound in named:
        files = sorted(file for file in path.rglob("*") if is_audio(file))
        if not files:
            raise InputError(f"{path}: an empty class: no audio in this folder")
        out += [
            _clip(file, [sound], path, song=_song(file), name=f"{path.name}-{file.stem}")
            for file in files
        ]
    return out


def _read_pairs(folder: Path) -> list[Recording]:
    """Each ``NAME.mid`` beside ``NAME.wav`` (or another kind of audio)."""
    out = []
    for score in sorted(path for path in folder.rglob("*") if _is_midi(path)):
        audio = audio_beside(score)
        if audio is None:
            raise InputError(f"{score}: no audio of that name beside it")
        if is_ours(score, MARKS[".mid"]):
            _LOG.warning("%s: what drum2midi heard, taken for what was played", score)
        name = score.relative_to(folder).with_suffix("").as_posix()
        out.append(Recording(name, audio, read_midi_strokes(score, audio), _song(audio), score))
    return out


def _read_label_files(folder: Path) -> list[Recording]:
    """Labels in our own format that lie in a folder or below it, and lists of clips in it."""
    out = []
    for path in sorted(folder.rglob("*.json")):
        if path.name.startswith(".") or not (path.parent == folder or is_ours(path, FORMAT)):
            continue
        document, _ = read_json(path)
        if isinstance(document, list) and _are_clips(document):
            out += list(_article(path))
        elif isinstance(document, dict) and document.get("format") == FORMAT:
            out.append(_labelled(path, read_labels(path)))
    return out


def _are_clips(document: Sequence[object]) -> bool:
    """Whether a list is of clips and what they are, as the first of them tells."""
    return bool(document) and isinstance(document[0], list)


def _is_midi(path: Path) -> bool:
    """Whether a file's name says so; a hidden one's (``._song.mid``) never does."""
    return path.suffix.lower() in {".mid", ".midi"} and not path.name.startswith(".")
