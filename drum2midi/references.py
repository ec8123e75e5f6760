"""References: strokes and beats of a MIDI file or of annotations in text.

What `drum2midi.evaluation` compares is read here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from drum2midi.drums import BY_MIDI, BY_NAME, SCORING_CLASSES, Drum
from drum2midi.errors import InputError
from drum2midi.transcription import Hit, Metre

if TYPE_CHECKING:
    import mido
    from mido.messages import Message
    from numpy.typing import NDArray

_T = TypeVar("_T")

_LOG: Final = logging.getLogger(__name__)

_SAME_ONSET: Final = 0.001
_SHORTEST_BEAT: Final = 64  # of a whole note
_DRUM_CHANNEL: Final = 9  # channel 10, as people count
_NOTE_DIGITS: Final = 3


@dataclass(frozen=True, eq=False)
class Performance:
    """Strokes, and the grid under them if it is known.

    Attributes
    ----------
    seconds : float64, shape (n,)
        Ascending.
    classes : tuple of str
        Scoring class of each stroke.
    velocities : float64, shape (n,)
        1 to 127; NaN where unknown.
    beats, downbeats : float64 arrays, seconds; None if unknown
    metre : Metre, optional
    places : float64, shape (n,), optional
        Quarter notes of each stroke since the first bar of the main metre.
    """

    seconds: NDArray[np.float64]
    classes: tuple[str, ...]
    velocities: NDArray[np.float64]
    beats: NDArray[np.float64] | None = None
    downbeats: NDArray[np.float64] | None = None
    metre: Metre | None = None
    places: NDArray[np.float64] | None = None

    def of(self, name: str) -> NDArray[np.intp]:
        """Indices of one class's strokes, those written twice at one time once."""
        found = np.array([i for i, other in enumerate(self.classes) if other == name], np.intp)
        if len(found) < 2:
            return found
        fresh = np.diff(self.seconds[found]) > _SAME_ONSET
        return found[np.concatenate(([True], fresh))]


def of_hits(hits: Sequence[Hit]) -> Performance:
    """Hits that were heard, in any order, as something to compare; without a grid."""
    hits = sorted(hits, key=attrgetter("onset"))
    return Performance(
        np.array([hit.onset for hit in hits], np.float64),
        tuple(hit.drum.scoring for hit in hits),
        np.array([hit.velocity for hit in hits], np.float64),
    )


def read_performance(path: str | Path, *, beats: Path | None = None) -> Performance:
    """Read a ``.mid``, or a text file with a line "seconds drum [velocity]" for each stroke.

    Parameters
    ----------
    path : path
        In text, a drum is a scoring class, a name of the vocabulary or a General MIDI note;
        in a ``.mid``, strokes are on channel 10, or on all if nothing is played on that one.
    beats : Path, optional
        Text with "seconds number-in-bar", which then tells the beats.

    Raises
    ------
    InputError
        If a file is missing or a line cannot be understood; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    is_midi = path.suffix.lower() in (".mid", ".midi")
    performance = _read_midi(path) if is_midi else _read_text(path)
    if beats is None:
        return performance
    rows = np.array([_numbers(beats, i, line) for i, line in _lines(beats)]).reshape(-1, 2)
    if np.any(np.diff(rows[:, 0]) <= 0):
        raise InputError(f"{beats}: its beats do not go forward")
    return Performance(
        performance.seconds,
        performance.classes,
        performance.velocities,
        rows[:, 0],
        rows[rows[:, 1] == 1, 0],
    )


def open_midi(path: Path) -> mido.MidiFile:
    """Parse a MIDI file.

    Raises
    ------
    InputError
        If it is none, or what it says of metre or time makes no sense.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a MIDI file")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is not a file; write what it gives to one first")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return parse_midi(content, str(path))


def parse_midi(content: bytes, name: str) -> mido.MidiFile:
    """Parse what a MIDI file contains; errors are as of `open_midi`, and begin with `name`."""
    import mido
    from mido.midifiles.meta import KeySignatureError

    try:
        file = mido.MidiFile(file=BytesIO(content))
    except (OSError, EOFError, ValueError, LookupError, KeySignatureError) as error:
        raise InputError(f"{name}: not a MIDI file ({str(error) or 'it ends early'})") from None
    if file.type == 2:
        raise InputError(f"{name}: holds several songs, one on each track")
    if file.type not in (0, 1):
        raise InputError(f"{name}: not a MIDI file (of type {file.type})")
    if file.ticks_per_beat <= 0:
        raise InputError(f"{name}: its time is not counted in beats")
    metres = [m for track in file.tracks for m in track if m.type == "time_signature"]
    if any(metre.numerator < 1 for metre in metres):
        raise InputError(f"{name}: a metre of no beats in it")
    if any(metre.denominator > _SHORTEST_BEAT for metre in metres):
        raise InputError(f"{name}: a metre whose beats are shorter than a {_SHORTEST_BEAT}th")
    return file


def read_strokes(path: Path) -> list[tuple[float, Drum, int]]:
    """The strokes of a MIDI file: seconds, drum and velocity, by time.

    They are of channel 10, or of all channels if nothing at all is played on that one. Notes that
    are no drum of the kit are left out, with a warning.

    Raises
    ------
    InputError
        As of `open_midi`.
    """
    messages = list(open_midi(path))
    times = accumulate(message.time for message in messages)
    return _of_the_kit(zip(times, messages, strict=True), path)


def _of_the_kit(messages: Iterable[tuple[_T, Message]], path: Path) -> list[tuple[_T, Drum, int]]:
    """The strokes among messages at some times, in their order."""
    played = [
        (time, message)
        for time, message in messages
        if message.type == "note_on" and message.velocity
    ]
    drums = [(time, note) for time, note in played if note.channel == _DRUM_CHANNEL] or played
    others = Counter(note.note for _, note in drums if note.note not in BY_MIDI)
    if others:
        _LOG.warning(
            "%s: %d strokes on no drum of the kit, left out: notes %s",
            path,
            others.total(),
            ", ".join(map(str, sorted(others))),
        )
    return [
        (time, BY_MIDI[note.note], note.velocity) for time, note in drums if note.note in BY_MIDI
    ]


def _read_midi(path: Path) -> Performance:
    file = open_midi(path)
    tempi, metres, notes, end = _events(file, path)
    ticks = np.array([tick for tick, _, _ in notes], np.float64)
    order = np.argsort(ticks, kind="stable")
    beats, downbeats = _grid_ticks(metres, end, file.ticks_per_beat)
    main, start = _main_metre(metres, end)

    def seconds(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return _to_seconds(at, tempi, file.ticks_per_beat)

    return Performance(
        seconds(ticks[order]),
        tuple(notes[i][1].scoring for i in order),
        np.array([notes[i][2] for i in order], np.float64),
        seconds(beats),
        seconds(downbeats),
        main,
        (ticks[order] - start) / file.ticks_per_beat,
    )


_Tempi = Sequence[tuple[int, int]]
_Metres = Sequence[tuple[int, Metre]]


def _events(
    file: mido.MidiFile, path: Path
) -> tuple[_Tempi, _Metres, list[tuple[int, Drum, int]], int]:
    tempi, metres, end = [(0, 500_000)], [(0, Metre(4, 4))], 0
    messages: list[tuple[int, Message]] = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempi.append((tick, message.tempo))
            elif message.type == "time_signature":
                metres.append((tick, Metre(message.numerator, message.denominator)))
            else:
                messages.append((tick, message))
        end = max(end, tick)
    return _last_at_each(tempi), _last_at_each(metres), _of_the_kit(messages, path), end


def _last_at_each(events: Sequence[tuple[int, _T]]) -> list[tuple[int, _T]]:
    """In order of tick; of several at one tick the last."""
    return sorted(dict(sorted(events, key=lambda event: event[0])).items())


def _to_seconds(ticks: NDArray[np.float64], tempi: _Tempi, resolution: int) -> NDArray[np.float64]:
    at = np.array([tick for tick, _ in tempi], np.float64)
    rate = np.array([tempo * 1e-6 / resolution for _, tempo in tempi])
    start = np.concatenate(([0.0], np.cumsum(np.diff(at) * rate[:-1])))
    segment = np.searchsorted(at, ticks, side="right") - 1
    return np.asarray(start[segment] + (ticks - at[segment]) * rate[segment], np.float64)


def _grid_ticks(
    metres: _Metres, end: int, resolution: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    beats: list[float] = []
    downbeats: list[float] = []
    stops = [tick for tick, _ in metres[1:]] + [end + 1]
    for (tick, metre), stop in zip(metres, stops, strict=True):
        step = resolution * float(metre.beat)
        some = np.arange(tick, stop - 1e-6, step).tolist()
        beats += some
        downbeats += some[:: metre.numerator]
    return np.array(beats), np.array(downbeats)


def _main_metre(metres: _Metres, end: int) -> tuple[Metre, int]:
    """The metre that covers most, and where it first begins: lead-in and pickup left out."""
    cover: dict[Metre, int] = {}
    stops = [tick for tick, _ in metres[1:]] + [end]
    for (tick, metre), stop in zip(metres, stops, strict=True):
        cover[metre] = cover.get(metre, 0) + stop - tick
    main = max(cover, key=lambda metre: cover[metre])
    return main, next(tick for tick, metre in metres if metre == main)


def _read_text(path: Path) -> Performance:
    rows = []
    for number, line in _lines(path):
        parts = line.replace(",", " ").replace("\t", " ").split(maxsplit=1)
        label, _, last = parts[1].strip().rpartition(" ") if len(parts) == 2 else ("", "", "")
        velocity = float("nan")
        if label and last.isascii() and last.isdigit():
            velocity = float(last)
        elif len(parts) == 2:
            label = parts[1].strip()
        name = _class_of(label)
        try:
            rows.append((float(parts[0] if parts else ""), name, velocity))
        except ValueError:
            name = ""
        if not name or not np.isfinite(rows[-1][0]):
            raise InputError(f"{path}, line {number}: not 'seconds drum [velocity]': {line!r}")
    rows.sort(key=lambda row: row[0])
    return Performance(
        np.array([row[0] for row in rows]),
        tuple(row[1] for row in rows),
        np.array([row[2] for row in rows]),
    )


def _class_of(label: str) -> str:
    if label in SCORING_CLASSES:
        return label
    is_note = label.isascii() and label.isdigit() and len(label) <= _NOTE_DIGITS
    drum = BY_MIDI.get(int(label)) if is_note else BY_NAME.get(label)
    return drum.scoring if drum else ""


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: neither a .mid nor text") from None
    return [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _numbers(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        time, beat = (float(part) for part in line.split()[:2])
        if not np.isfinite(time):
            raise ValueError(line)
        return time, beat
    except ValueError:
        raise InputError(f"{path}, line {number}: not 'seconds number-in-bar': {line!r}") from None
