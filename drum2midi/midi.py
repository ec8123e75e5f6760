"""MIDI: a transcription as a Standard MIDI File that lines up with its recording in a DAW.

Format 1: a conductor track with the tempo map, the metres and a marker for each section,
and one drum track on channel 10 with General MIDI's notes or those of another map.
Silence before the first bar is a short lead-in whose tempo makes it last as long as the
silence; a moment of it is the first beat's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from drum2midi.drummaps import GM, DrumMap
from drum2midi.drums import CHANNEL, CLOSED_HAT, OPEN_HAT, PEDAL_HAT, Drum
from drum2midi.errors import InputError
from drum2midi.files import MARKS, replacing
from drum2midi.form import section_letters
from drum2midi.transcription import Bar, Grid, Metre, Note, Transcription

if TYPE_CHECKING:
    import mido
    from numpy.typing import NDArray

Timing = Literal["grid", "performed"]

TICKS: Final = 480
"""Ticks of a quarter note."""

_CLOCKS: Final = 24  # MIDI clocks of a quarter note
_FOOT: Final = 4  # the controller that drum modules send for the hi-hat's pedal
_HAT_POSITIONS: Final = {OPEN_HAT: 0, CLOSED_HAT: 127, PEDAL_HAT: 127}
_NOTE_TICKS: Final = TICKS // 4
_TOGETHER: Final = TICKS // 48  # so near, strokes of two drums are one chord
_GRACE_TICKS: Final = TICKS // 16
_SLOWEST, _FASTEST = 30.0, 300.0  # quarters a minute of a lead-in, or a little more than
_BEYOND: Final = 1.25  # the song's own tempo where that is slower or faster
_SLOWEST_TEMPO: Final = (1 << 24) - 1  # microseconds a quarter, in three bytes
_MOMENT: Final = 0.03
"""Seconds of silence before the first bar that are no lead-in, but the first beat's."""

# Seconds; a beat that ends this close to where the tempo before would put it needs no new one.
_TEMPO_TOLERANCE: Final = 0.0002


@dataclass(frozen=True)
class TempoMap:
    """Where ticks lie in time.

    Attributes
    ----------
    tempi : tuple of (tick, microseconds a quarter)
        In order, the first at tick 0.
    metres : tuple of (tick, Metre)
        In order, the first at tick 0.
    start : int
        Tick of the grid's first beat, after the lead-in.
    """

    tempi: tuple[tuple[int, int], ...]
    metres: tuple[tuple[int, Metre], ...]
    start: int


def write_midi(
    transcription: Transcription,
    path: str | Path,
    *,
    timing: Timing = "grid",
    drum_map: DrumMap = GM,
    hat_cc4: bool = False,
) -> None:
    """Write a ``.mid``.

    Parameters
    ----------
    transcription : Transcription
    path : path
    timing : {"grid", "performed"}
        Strokes on the grid, or where they were played, over the same tempo map.
    drum_map : DrumMap
        The note of each drum; General MIDI's if not given.
    hat_cc4 : bool
        Whether to say with controller 4, too, how open the hi-hat is: 0 open, 127 closed.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    file = to_mido(transcription, timing=timing, drum_map=drum_map, hat_cc4=hat_cc4)
    with replacing(Path(path)) as target:
        file.save(target)


def to_mido(
    transcription: Transcription,
    *,
    timing: Timing = "grid",
    drum_map: DrumMap = GM,
    hat_cc4: bool = False,
) -> mido.MidiFile:
    """The transcription as a `mido.MidiFile`; see `write_midi`."""
    import mido

    transcription = replace(transcription, grid=_from_the_start(transcription.grid))
    tempo_map = map_tempo(transcription.grid)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    conductor = [
        (0, mido.MetaMessage("track_name", name=_ascii(transcription.title))),
        (0, mido.MetaMessage("text", text=MARKS[".mid"])),
    ]
    conductor += [
        (
            tick,
            mido.MetaMessage(
                "time_signature",
                numerator=metre.numerator,
                denominator=metre.denominator,
                # A metronome clicks where a player taps: on dotted quarters in 6/8.
                clocks_per_click=int(_CLOCKS * metre.pulse),
            ),
        )
        for tick, metre in tempo_map.metres
    ]
    conductor += [(tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in tempo_map.tempi]
    for bar, letter in section_letters(transcription).items():
        tick = tempo_map.start + _ticks(transcription.grid.bar_quarters[bar])
        conductor.append((tick, mido.MetaMessage("marker", text=letter)))
    drums = [(0, mido.MetaMessage("track_name", name="Drums"))]
    placed = _placed(transcription, tempo_map.start, timing, drum_map)
    positions = _hat_positions([note for _, _, note in placed])
    for (tick, length, note), position in zip(placed, positions, strict=True):
        key, velocity = drum_map[note.drum], note.velocity
        if hat_cc4 and position is not None:
            drums.append((tick, _hat_foot(position)))
        drums.append((tick, mido.Message("note_on", channel=CHANNEL, note=key, velocity=velocity)))
        drums.append((tick + length, mido.Message("note_off", channel=CHANNEL, note=key)))
    last_bar = tempo_map.start + _ticks(transcription.grid.bar_quarters[-1])
    for events in (conductor, drums):
        file.tracks.append(_track(events, end=last_bar))
    return file


def _from_the_start(grid: Grid) -> Grid:
    """A grid that begins with the recording, if it nearly does.

    A bar of a sixty-fourth before the first would put every bar's number out. Not where the tempo
    never moves: it must not move for that.
    """
    times = grid.beat_times
    steady = len(times) < 3 or float(np.ptp(np.diff(times))) < _TEMPO_TOLERANCE
    if steady or not 0.0 < times[0] <= _MOMENT:
        return grid
    first = grid.bars[0]
    moved = replace(first, beats=(0.0, *first.beats[1:]))
    return replace(grid, bars=(moved, *grid.bars[1:]))


def map_tempo(grid: Grid) -> TempoMap:
    """Tempi and metres that make every beat of a grid fall on its second."""
    times = _from_zero(grid.beat_times)
    quarter = float(np.median(np.diff(times) / np.diff(grid.beat_quarters)))
    lead_in = _lead_in(float(times[0]), quarter)
    metres: list[tuple[int, Metre]] = []
    tick = 0
    for metre in lead_in:
        metres.append((tick, metre))
        tick += _ticks(metre.length)
    start = tick
    for bar in grid.bars:
        metres.append((tick, _written_metre(bar)))
        tick += _ticks(bar.length)
    beat_ticks = start + np.round(grid.beat_quarters * TICKS).astype(int)
    ticks, seconds = beat_ticks.tolist(), times.tolist()
    if lead_in:
        ticks, seconds = [0, *ticks], [0.0, *seconds]
    return TempoMap(_tempi(ticks, seconds), _changes(metres), start)


def _from_zero(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beat times that begin with the recording: a first bar may have begun before it."""
    return np.maximum(times, 0.001 * np.arange(len(times), dtype=np.float64))


def _lead_in(seconds: float, quarter: float) -> list[Metre]:
    """Bars that fill the silence before the first one: the least even value, else 4/4s.

    None if even a 64th at the fastest tempo would be too long: below 13 ms.
    """
    slowest = min(_SLOWEST, 60.0 / quarter / _BEYOND)
    fastest = max(_FASTEST, 60.0 / quarter * _BEYOND)
    for denominator in (4, 8, 16, 32, 64):
        length = 4.0 / denominator
        nearest = round(seconds / (quarter * length))
        for count in (max(nearest, 1), nearest - 1, nearest + 1):
            tempo = 60.0 * count * length / seconds if seconds > 0 else np.inf
            if count > 0 and slowest <= tempo <= fastest:
                if count <= 4:
                    return [Metre(count, denominator)]
                rest = [Metre(count % 4, denominator)] if count % 4 else []
                return rest + [Metre(4, denominator)] * (count // 4)
    return []


def _written_metre(bar: Bar) -> Metre:
    """The metre of a bar as long as it is; a pickup's differs from the one that it leads into."""
    return Metre(len(bar.beats), bar.metre.denominator)


def _changes(metres: Sequence[tuple[int, Metre]]) -> tuple[tuple[int, Metre], ...]:
    return tuple(
        (tick, metre)
        for i, (tick, metre) in enumerate(metres)
        if i == 0 or metres[i - 1][1] != metre
    )


def _tempi(ticks: Sequence[int], seconds: Sequence[float]) -> tuple[tuple[int, int], ...]:
    """Tempo events, as few as put every beat where it is, and whose rounding never adds up.

    Each begins where the last one really ends and holds for as long as one tempo can: what a
    beat allows narrows what the next may (the swinging door of Bristol, 1990).
    """
    events: list[tuple[int, int]] = []
    at, i = seconds[0] if ticks[0] == 0 else 0.0, 0
    while i < len(ticks) - 1:
        tempo, held = _longest_tempo(at, ticks, seconds, i)
        if tempo > _SLOWEST_TEMPO:
            raise InputError(f"a beat of {tempo * 1e-6:.1f} s is longer than a MIDI file can say")
        if not events or tempo != events[-1][1]:
            events.append((ticks[i], tempo))
        at += tempo * 1e-6 * (ticks[i + held] - ticks[i]) / TICKS
        i += held
    return tuple(events)


def _longest_tempo(
    at: float, ticks: Sequence[int], seconds: Sequence[float], first: int
) -> tuple[int, int]:
    """Microseconds a quarter that hold for the most beats from the first on, at `at`; how many."""
    low, high = 0.0, np.inf
    tempo = held = 0
    for beat in range(first + 1, len(ticks)):
        lasted = seconds[beat] - at
        micros = 1e6 * TICKS / (ticks[beat] - ticks[first])
        low = max(low, (lasted - _TEMPO_TOLERANCE) * micros)
        high = min(high, (lasted + _TEMPO_TOLERANCE) * micros)
        nearest = max(1, round(min(max(lasted * micros, low), high)))
        if held and not low <= nearest <= high:
            break
        tempo, held = nearest, held + 1
    return tempo, held


def _placed(
    transcription: Transcription, start: int, timing: Timing, drum_map: DrumMap
) -> list[tuple[int, int, Note]]:
    """(tick, length, note) of every stroke; no key overlaps itself."""
    if timing not in get_args(Timing):
        raise InputError(f"timing {timing!r}: choose {' or '.join(get_args(Timing))}")
    grid = transcription.grid
    if timing == "performed":
        # Where nothing leads in, the file begins with the first beat, a moment into the recording.
        late = 0 if start else -_ticks(float(grid.quarters(0.0)))
        ticks = [tick + late for tick in _played_ticks(transcription.notes, grid, start)]
    else:
        ticks = _grid_ticks(transcription, start)
    by_key: dict[int, list[tuple[int, Note]]] = {}
    for tick, note in sorted(
        zip(ticks, transcription.notes, strict=True),
        key=lambda placed: (placed[0], placed[1].onset),
    ):
        by_key.setdefault(drum_map[note.drum], []).append((tick, note))
    placed = [stroke for strokes in by_key.values() for stroke in _apart(strokes)]
    return sorted(placed, key=lambda stroke: (stroke[0], stroke[2].drum.midi))


def _hat_positions(notes: Iterable[Note]) -> list[int | None]:
    """Where the hi-hat's pedal is at each stroke; None where it stays, or was never used."""
    before, moves = None, list[int | None]()
    for note in notes:
        position = _HAT_POSITIONS.get(note.drum)
        if position is not None and note.openness is not None:
            position = round(127 * (1 - note.openness))
        moves.append(position if position != before else None)
        before = before if position is None else position
    return moves


def _hat_foot(position: int) -> mido.Message:
    import mido

    return mido.Message("control_change", channel=CHANNEL, control=_FOOT, value=position)


def _apart(strokes: Sequence[tuple[int, Note]]) -> Iterable[tuple[int, int, Note]]:
    """Strokes of one key, each ended before the next and none at the same tick."""
    strokes = _louder(strokes)
    ticks: list[int] = []
    for tick, _ in strokes:
        ticks.append(max(tick, ticks[-1] + 2) if ticks else tick)
    for i, (_, note) in enumerate(strokes):
        room = ticks[i + 1] - ticks[i] - 1 if i + 1 < len(ticks) else _NOTE_TICKS
        yield ticks[i], min(_NOTE_TICKS, room), note


def _louder(strokes: Sequence[tuple[int, Note]]) -> list[tuple[int, Note]]:
    """Of several drums on one key that are struck together only the loudest: else it is a flam."""
    kept: list[tuple[int, Note]] = []
    for tick, note in strokes:
        if kept and note.drum != kept[-1][1].drum and tick - kept[-1][0] <= _TOGETHER:
            if note.velocity > kept[-1][1].velocity:
                kept[-1] = (kept[-1][0], note)
        else:
            kept.append((tick, note))
    return kept


def _played_ticks(notes: Sequence[Note], grid: Grid, start: int) -> list[int]:
    """Ticks at which strokes were played; the lead-in has a tempo of its own."""
    onsets = np.array([note.onset for note in notes], np.float64)
    first = float(grid.beat_times[0])
    ticks = start + TICKS * grid.quarters(onsets)
    if start:
        ticks = np.where(onsets < first, start * onsets / first, ticks)
    return [max(0, round(tick)) for tick in ticks.tolist()]


def _grid_ticks(transcription: Transcription, start: int) -> list[int]:
    """Ticks of all notes' places, of grace strokes just before them."""
    grid, notes = transcription.grid, transcription.notes
    # A quarter with other notes than those that swing is even however the rest swings, and so is a
    # roll, which leaves what sounds with it as it is.
    value = transcription.swing.value
    other = {
        (note.bar, int(note.position)) for note in notes if not note.roll and note.position % value
    }
    ticks: list[int] = []
    leads: dict[int, int] = {}
    all_played = _played_ticks(notes, grid, start)
    mains = {
        (note.bar, note.position, note.drum): played
        for note, played in zip(notes, all_played, strict=True)
        if not note.grace
    }
    for note, played in zip(notes, all_played, strict=True):
        even = note.roll or (note.bar, int(note.position)) in other
        position = float(note.position)
        position = position if even else float(transcription.swing.played(position))
        tick = start + _ticks(grid.bar_quarters[note.bar]) + _ticks(position)
        if note.grace:
            # As long before the main stroke as it was played, but clearly before.
            main = mains.get((note.bar, note.position, note.drum), tick)
            leads[len(ticks)] = max(main - played, _GRACE_TICKS)
        ticks.append(max(0, tick))
    for index, lead in _within_room(leads, ticks, notes).items():
        ticks[index] = max(0, ticks[index] - lead)
    return ticks


def _within_room(
    leads: Mapping[int, int], ticks: Sequence[int], notes: Sequence[Note]
) -> dict[int, int]:
    """Ticks by which grace strokes lead, less where the drum's stroke before is near."""
    placed: dict[Drum, set[int]] = {}
    longest: dict[tuple[Drum, int], int] = {}
    for index, (tick, note) in enumerate(zip(ticks, notes, strict=True)):
        if index in leads:
            key = note.drum, tick
            longest[key] = max(longest.get(key, 0), leads[index])
        else:
            placed.setdefault(note.drum, set()).add(tick)
    out = {}
    for index, lead in leads.items():
        drum, tick = notes[index].drum, ticks[index]
        before = max((other for other in placed.get(drum, ()) if other < tick), default=None)
        most = longest[drum, tick]
        room = most if before is None else min(most, (tick - before) // 2)
        out[index] = lead * room // most
    return out


def _ticks(quarters: Fraction | float) -> int:
    return round(float(quarters) * TICKS)


def _track(events: Iterable[tuple[int, mido.Message]], *, end: int) -> mido.MidiTrack:
    """Events in order, those that end a note before those that begin one at the same tick."""
    import mido

    track, now = mido.MidiTrack(), 0
    ordered = sorted(events, key=lambda event: (event[0], _ORDER.get(event[1].type, 0)))
    for tick, message in ordered:
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - now)))
    return track


_ORDER: Final = {
    "time_signature": 1, "set_tempo": 2, "marker": 3,
    "note_off": 4, "control_change": 5, "note_on": 5,  # each stroke after its own foot
}  # fmt: skip


def _ascii(text: str) -> str:
    """Text that every reader of MIDI files shows alike; accents are dropped."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain.strip() or "Drums"
