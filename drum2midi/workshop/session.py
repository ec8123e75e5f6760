"""A labelling session: what a labeller says is on the disk as soon as it is said."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from drum2midi.drums import DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.files import check_writable
from drum2midi.workshop.journal import Entry, Journal, journal_of
from drum2midi.workshop.labelling import DRUM_KEYS, LabellingState, Mark, Skipped
from drum2midi.workshop.labels import (
    Clip,
    Label,
    Labels,
    label_fields,
    label_of,
    read_labels,
    write_labels,
)
from drum2midi.workshop.slices import Slice, Slices

_SAME_ONSET: Final = 0.001
"""Seconds within which a label in the file is that of a slice."""
_COMPACT_EVERY: Final = 50
_LONGEST_NAME: Final = 200
"""Bytes; it is part of a file's name."""


class LabellingSession:
    """A labeller at work on a song, with the files that remember it.

    Every confirmed label is on the disk, in a journal beside the labels file, before the method
    that confirms it returns; the labels file is brought up to date every so often, and on closing.

    Parameters
    ----------
    slices : Slices
    path : Path
        The labels file; goes on where it stops if it is there.
    who : str
        The labeller.
    clock : callable
        Gives the time in UTC.

    Raises
    ------
    InputError
        If a file is damaged, cannot be written, is of another song, or is being labelled already.
    """

    def __init__(
        self,
        slices: Slices,
        path: str | Path,
        *,
        who: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not (who.strip() and who.isprintable() and len(who.encode()) <= _LONGEST_NAME):
            raise InputError(f"{who!r} is not a name for who labels")
        self.slices, self.path, self.who = slices, Path(path), who
        self._clock = clock
        self._appended = 0
        check_writable(self.path)
        self._journal = Journal(journal_of(self.path))
        try:
            self._stamp = _stamp(self.path)
            state, self._others = _read(slices, self.path)
            for entry in self._journal.entries:
                state = self._replayed(state, entry)
            self.state = state.at(len(state.slices) - 1).onwards()
            self._compact()
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def labels(self) -> Labels:
        """All labels so far, those of the file that belong to no slice included."""
        mine = (mark for mark in self.state.marks.values() if isinstance(mark, Label))
        ordered = sorted((*mine, *self._others), key=lambda label: label.onset)
        return Labels(self.slices.audio, tuple(ordered))

    @property
    def clips(self) -> tuple[Clip, ...]:
        """The labelled clips."""
        return tuple(
            Clip(self.state.slices[index].clip, mark.drums)
            for index, mark in sorted(self.state.marks.items(), key=lambda item: item[0])
            if isinstance(mark, Label)
        )

    def press(self, key: str) -> bool:
        """Do what a key means.

        Parameters
        ----------
        key : str
            One of `DRUM_KEYS`, or ``Enter`` (confirm), ``ArrowRight`` (skip), ``ArrowLeft`` (back),
            ``Escape`` (clear), ``u`` or ``Backspace`` (undo), ``+`` and ``-`` (velocity).

        Returns
        -------
        bool
            Whether the key means anything.
        """
        key = key.lower() if len(key) == 1 else key
        if key in DRUM_KEYS:
            self.toggle(DRUM_KEYS[key])
        elif key in self._actions:
            self._actions[key](self)
        else:
            return False
        return True

    def toggle(self, drum: Drum) -> None:
        """Tick a drum of the current slice, or take its tick away."""
        self.state = self.state.toggled(drum)

    def clear(self) -> None:
        """Take all ticks away."""
        self.state = self.state.cleared()

    def louder(self) -> None:
        """Say that the hit is harder."""
        self.state = self.state.harder(1)

    def softer(self) -> None:
        """Say that the hit is softer."""
        self.state = self.state.harder(-1)

    def confirm(self) -> None:
        """Label the current slice with what is ticked, and go on; nothing ticked, nothing there."""
        state = self.state
        ticked = tuple(drum for drum in DRUMS if drum in state.chosen)
        when = self._clock().astimezone(UTC).isoformat(timespec="seconds")
        label = Label(
            state.current.onset, ticked, state.velocity if ticked else None, self.who,
            when.replace("+00:00", "Z"),
        )  # fmt: skip
        self._note(label)

    def skip(self) -> None:
        """Pass the current slice over, and go on; what is noted of it stays."""
        if self.state.index in self.state.marks:
            self.state = self.state.at(self.state.index + 1)
        else:
            self._note(Skipped())

    def back(self) -> None:
        """Go to the slice before; what it has stays."""
        self.state = self.state.at(self.state.index - 1)

    def undo(self) -> None:
        """Take the latest label or skip back and go to its slice."""
        if self.state.history:
            after = self.state.undone()
            self._write(after.index, after.marks.get(after.index), undoes=True)
            self.state = after

    def close(self) -> None:
        """Bring the labels file up to date and let go of the journal."""
        try:
            self._compact()
        finally:
            self._journal.close()

    _actions: Final[Mapping[str, Callable[[LabellingSession], None]]] = {
        "Enter": confirm,
        "ArrowRight": skip,
        "ArrowLeft": back,
        "Escape": clear,
        "Backspace": undo,
        "u": undo,
        "+": louder,
        "-": softer,
    }

    def _note(self, mark: Mark) -> None:
        """On the disk first, then in the state, which goes on to the next slice."""
        self._write(self.state.index, mark)
        self.state = self.state.marked(self.state.index, mark).onwards()
        self._appended += 1
        if self._appended >= _COMPACT_EVERY:
            self._appended = 0  # if it fails, the next attempt is as many labels away
            self._compact()

    def _write(self, index: int, mark: Mark | None, *, undoes: bool = False) -> None:
        onset = self.state.slices[index].onset
        self._journal.append(_fields(onset, mark) | ({"undoes": True} if undoes else {}))

    def _replayed(self, state: LabellingState, entry: Entry) -> LabellingState:
        """What the state was after a line of the journal."""
        label = None
        if entry.fields.get("did") == "label":
            label = label_of(entry.fields, entry.error)
        index = _index(state.slices, entry.fields.get("time"))
        if index is None:  # sliced anew since
            self._others = _without(self._others, entry.fields.get("time"))
            self._others += () if label is None else (label,)
            return state
        if entry.fields.get("undoes"):
            state = replace(state, history=state.history[:-1])
        mark = label or (Skipped() if entry.fields.get("did") == "skip" else None)
        after = state.marked(index, mark)
        undoable = not (entry.fields.get("undoes") or entry.fields.get("before"))
        return after if undoable else replace(after, history=state.history)

    def _compact(self) -> None:
        """Labels into the labels file; of the journal only what is no label remains."""
        if self.path.exists() and _stamp(self.path) != self._stamp:
            raise InputError(
                f"cannot write {self.path}: something else has changed it; what was said since is "
                f"in {self._journal.path.name}, and drum2midi label, started anew, adds it"
            )
        labels = self.labels
        if labels.labels or self.path.exists():
            try:
                write_labels(labels, self.path)
            except InputError as error:
                kept = f"what was said is in {self._journal.path.name}"
                raise InputError(f"{error}; {kept}") from None
            self._stamp = _stamp(self.path)
        skips = (
            _fields(self.state.slices[index].onset, mark) | {"before": True}
            for index, mark in self.state.marks.items()
            if isinstance(mark, Skipped)
        )
        self._journal.rewrite(skips)
        self._appended = 0


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Tells a file from what it was before it was written anew."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_size, facts.st_mtime_ns


def labels_file(folder: Path, who: str) -> Path:
    """Where somebody's labels of a folder of slices are: ``labels-anna.json``.

    Raises
    ------
    InputError
        If somebody else's are there: ``anna k`` and ``anna-k`` would share a file.
    """
    name = "".join(letter if letter.isalnum() else "-" for letter in who) or "nobody"
    path = folder / f"labels-{name}.json"
    # A name that no file can have is refused where it is used.
    told = read_labels(path).labels if os.path.exists(path) else ()  # noqa: PTH110
    others = {label.who for label in told if label.who} - {who}
    if others:
        raise InputError(
            f"{path}: has labels of {', '.join(sorted(others))}, not of {who} alone; "
            "--labels names another file, or that one"
        )
    return path


def _fields(onset: float, mark: Mark | None) -> dict[str, Any]:
    if isinstance(mark, Label):
        return {"did": "label", **label_fields(mark)}
    return {"did": "open" if mark is None else "skip", "time": onset}


def _read(slices: Slices, path: Path) -> tuple[LabellingState, tuple[Label, ...]]:
    """The state that a labels file tells, and its labels that belong to no slice."""
    state = LabellingState(slices.slices)
    if not path.exists():
        return state, ()
    stored = read_labels(path)
    if not stored.audio.samefile(slices.audio):
        raise InputError(f"{path}: labels of {stored.audio}, not of {slices.audio}")
    marks, others = {}, []
    for label in stored.labels:
        index = _index(slices.slices, label.onset)
        if index is None or index in marks:
            others.append(label)
        else:
            marks[index] = label
    return replace(state, marks=marks), tuple(others)


def _index(slices: Iterable[Slice], onset: Any) -> int | None:
    """Which slice has that onset."""
    for index, one in enumerate(slices):
        if isinstance(onset, int | float) and abs(one.onset - onset) <= _SAME_ONSET:
            return index
    return None


def _without(labels: Iterable[Label], onset: Any) -> tuple[Label, ...]:
    return tuple(label for label in labels if label.onset != onset)
