from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drum2midi.drums import CLOSED_HAT, DRUMS, KICK, RIDE, SNARE
from drum2midi.errors import InputError
from drum2midi.midi import map_tempo, to_mido, write_midi
from drum2midi.transcription import Bar, Grid, Metre, Note, Swing, Transcription


def notes_of(file: mido.MidiFile) -> list[tuple[int, int, int]]:
    """(tick, key, velocity) of the drum track."""
    tick, out = 0, []
    for message in file.tracks[1]:
        tick += message.time
        if message.type == "note_on":
            out.append((tick, message.note, message.velocity))
    return out


def seconds_of(file: mido.MidiFile) -> list[float]:
    now, out = 0.0, []
    for message in file:
        now += message.time
        if message.type == "note_on":
            out.append(now)
    return out


FOUR = Metre(4, 4)


def grid_of(beats: list[float], metre: Metre = FOUR, end: float | None = None) -> Grid:
    size = metre.numerator
    bars = tuple(Bar(metre, tuple(beats[i : i + size])) for i in range(0, len(beats), size))
    return Grid(bars, end if end is not None else beats[-1] + (beats[-1] - beats[-2]))


def test_exact_ticks(two_bars: Transcription) -> None:
    file = to_mido(two_bars)
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (1, 480, 2)
    # The second of silence is a lead-in of two quarters at the song's own tempo.
    kicks = [tick for tick, key, _ in notes_of(file) if key == KICK.midi]
    snares = [tick for tick, key, _ in notes_of(file) if key == SNARE.midi]
    hats = [tick for tick, key, _ in notes_of(file) if key == CLOSED_HAT.midi]
    assert kicks == [960 + i * 960 for i in range(4)]
    assert snares == [1440 + i * 960 for i in range(4)]
    assert hats == [960 + i * 240 for i in range(16)]
    assert seconds_of(file)[0] == pytest.approx(1.0, abs=1e-6)


def test_conductor(two_bars: Transcription) -> None:
    events = [(m.type, m.time) for m in to_mido(two_bars).tracks[0]]
    assert events == [
        ("track_name", 0), ("text", 0), ("time_signature", 0), ("set_tempo", 0),
        ("time_signature", 960), ("end_of_track", 8 * 480),
    ]  # fmt: skip
    tempo = next(m for m in to_mido(two_bars).tracks[0] if m.type == "set_tempo")
    assert tempo.tempo == 500_000


def test_performed_keeps_every_stroke_where_it_was_played(two_bars: Transcription) -> None:
    file = to_mido(two_bars, timing="performed")
    played = sorted(note.onset for note in two_bars.notes)
    assert seconds_of(file) == pytest.approx(played, abs=60 / 120 / 480)


def test_tempo_map_follows_the_beats() -> None:
    beats = np.cumsum([0.5, 0.4, 0.45, 0.5, 0.55, 0.6, 0.52, 0.48]).tolist()
    grid = grid_of(beats)
    notes = tuple(Note(i // 4, Fraction(i % 4), SNARE, 90, beats[i]) for i in range(8))
    file = to_mido(Transcription((), grid, notes, 5.0))
    assert seconds_of(file) == pytest.approx(beats, abs=3e-4)


def test_rounding_never_adds_up() -> None:
    beats = (0.3 + np.arange(4000) * 60 / 137.7).tolist()
    notes = tuple(Note(i // 4, Fraction(i % 4), KICK, 90, t) for i, t in enumerate(beats))
    file = to_mido(Transcription((), grid_of(beats), notes, beats[-1] + 1))
    assert np.abs(np.array(seconds_of(file)) - beats).max() < 5e-4
    # A new tempo where the rounded one would have drifted by a fifth of a millisecond, not more.
    assert sum(m.type == "set_tempo" for m in file.tracks[0]) < 60


def test_one_tempo_holds_where_the_first_beat_is_cut_by_a_hair() -> None:
    """It must not be too fast and too slow by turns, as if each beat had to be caught up with."""
    period = 60 / 127.59
    beats = [0.0, *(period * np.arange(1, 16) - 0.00015)]
    tempi = map_tempo(grid_of(beats, end=16 * period - 0.00015)).tempi
    assert [tick for tick, _ in tempi] == [0]
    assert tempi[0][1] == pytest.approx(1e6 * period, abs=1e6 * 0.00015 / 16 + 0.5)


def test_a_tempo_lasts_as_long_as_it_puts_every_beat_in_its_place() -> None:
    """Ramps are cut into the fewest tempi that do, never a new one for every beat."""
    steps = np.linspace(0.5, 0.501, 200)
    beats = np.concatenate(([0.0], np.cumsum(steps)))
    tempi = map_tempo(grid_of(beats[:-1].tolist(), end=beats[-1])).tempi
    played, now, tempo, at = [], 0.0, 0, dict(tempi)
    for beat in range(len(steps)):
        played.append(now)
        tempo = at.get(480 * beat, tempo)
        now += tempo * 1e-6
    assert np.abs(np.array([*played, now]) - beats).max() <= 0.0002 + 1e-9
    assert len(tempi) < 20


@pytest.mark.parametrize("start", [0.0, 0.001, 0.02, 0.1, 0.3, 1.0, 7.3, 61.0])
def test_lead_in_lasts_as_long_as_the_silence(start: float) -> None:
    beats = (start + np.arange(8) * 0.5).tolist()
    notes = (Note(0, Fraction(0), KICK, 90, start), Note(1, Fraction(0), KICK, 80, start + 2))
    file = to_mido(Transcription((), grid_of(beats), notes, start + 5))
    assert seconds_of(file)[0] == pytest.approx(start, abs=0.0035)
    tempi = [60e6 / m.tempo for m in file.tracks[0] if m.type == "set_tempo"]
    assert all(29.9 <= tempo <= 300.1 for tempo in tempi)


@pytest.mark.parametrize(
    ("metre", "clocks"),
    [("4/4", 24), ("6/8", 36), ("12/8", 36), ("7/8", 12), ("2/2", 48), ("12/16", 18), ("3/16", 6)],
)
def test_a_metronome_clicks_where_a_player_taps(metre: str, clocks: int) -> None:
    written = Metre.parse(metre)
    bar = Bar(written, tuple(0.25 * i for i in range(written.numerator)))
    song = Transcription((), Grid((bar,), 0.25 * written.numerator), (), 8.0)
    (said,) = [m for m in to_mido(song).tracks[0] if m.type == "time_signature"]
    assert (said.numerator, said.denominator) == (written.numerator, written.denominator)
    assert said.clocks_per_click == clocks


@pytest.mark.parametrize(("start", "first_bar"), [(0.02, 0.0), (0.029, 0.0), (0.04, 0.04)])
def test_a_moment_of_silence_is_the_first_beats(start: float, first_bar: float) -> None:
    """Bars keep their numbers: the first begins at tick 0, and all later ones where they were."""
    beats = np.cumsum([start, 0.5, 0.52, 0.49, 0.5, 0.51, 0.5, 0.5]).tolist()
    notes = tuple(Note(i // 4, Fraction(i % 4), KICK, 90, t) for i, t in enumerate(beats))
    song = Transcription((), grid_of(beats), notes, 5.0)
    onsets = seconds_of(to_mido(song))
    assert onsets == pytest.approx([first_bar, *beats[1:]], abs=1e-3)
    assert seconds_of(to_mido(song, timing="performed")) == pytest.approx(beats, abs=1e-3)
    metres = [m for m in to_mido(song).tracks[0] if m.type == "time_signature"]
    assert (len(metres) == 1) == (first_bar == 0.0)


def test_as_it_was_played_is_where_it_was_played_beside_one_tempo_too() -> None:
    """A loop that begins milliseconds late, too few to be led in, has one tempo all the same."""
    beats = (0.0088 + 0.5 * np.arange(8)).tolist()
    notes = tuple(Note(i // 4, Fraction(i % 4), KICK, 90, t) for i, t in enumerate(beats))
    song = Transcription((), grid_of(beats), notes, 4.5)
    performed = to_mido(song, timing="performed")
    assert seconds_of(performed) == pytest.approx([note.onset for note in notes], abs=6e-4)
    assert seconds_of(to_mido(song)) == pytest.approx(np.arange(8) * 0.5, abs=1e-6)
    for file in (performed, to_mido(song)):
        assert [m.tempo for m in file.tracks[0] if m.type == "set_tempo"] == [500_000]


def test_lead_in_of_the_fastest_tempo() -> None:
    # As many quarters as come nearest would have to be played faster than 300 bpm.
    start, step = 0.99999, 0.2011
    beats = (start + np.arange(4) * step).tolist()
    notes = (Note(0, Fraction(0), KICK, 90, start),)
    file = to_mido(Transcription((), grid_of(beats), notes, start + 1))
    assert seconds_of(file)[0] == pytest.approx(start, abs=0.0035)


@pytest.mark.parametrize("start", [0.4, 1.15, 2.0, 4.0, 8.03])
@pytest.mark.parametrize("bpm", [18.0, 340.0, 700.0])
def test_lead_in_of_songs_beyond_the_usual_tempi(bpm: float, start: float) -> None:
    beats = (start + np.arange(8) * 60 / bpm).tolist()
    notes = (Note(0, Fraction(0), KICK, 90, start),)
    file = to_mido(Transcription((), grid_of(beats), notes, start + 1))
    assert seconds_of(file)[0] == pytest.approx(start, abs=0.001)


@pytest.mark.parametrize(("start", "early"), [(0.3, 0.25), (0.15, 0.02), (0.21, 0.15), (7.3, 7.1)])
def test_performed_strokes_before_the_first_beat(start: float, early: float) -> None:
    """The lead-in has a tempo of its own."""
    beats = (start + np.arange(8) * 0.5).tolist()
    notes = (
        Note(0, Fraction(0), SNARE, 40, early, grace=True),
        Note(0, Fraction(0), SNARE, 90, start),
    )
    song = Transcription((), grid_of(beats), notes, start + 5)
    played = seconds_of(to_mido(song, timing="performed"))
    assert played == pytest.approx([early, start], abs=0.0015)
    assert seconds_of(to_mido(song)) == pytest.approx([early, start], abs=0.0015)


def test_a_first_bar_that_began_before_the_recording_is_clipped() -> None:
    beats = (-0.2 + np.arange(8) * 0.5).tolist()
    notes = (Note(0, Fraction(1), KICK, 90, 0.3),)
    file = to_mido(Transcription((), grid_of(beats), notes, 4))
    assert seconds_of(file) == pytest.approx([0.3], abs=1e-3)


def test_pickup_and_metre_change() -> None:
    bars = (
        Bar(Metre(3, 4), (0.0,)),
        Bar(Metre(3, 4), (0.5, 1.0, 1.5)),
        Bar(Metre(6, 8), (2.0, 2.25, 2.5, 2.75, 3.0, 3.25)),
    )
    tempo_map = map_tempo(Grid(bars, 3.5))
    assert tempo_map.metres == ((0, Metre(1, 4)), (480, Metre(3, 4)), (1920, Metre(6, 8)))
    assert tempo_map.start == 0
    assert tempo_map.tempi == ((0, 500_000),)


@pytest.mark.parametrize(
    ("swing", "ticks"),
    [
        (Swing(), [0, 120, 240, 360, 480, 720]),
        (Swing(2 / 3), [0, 120, 240, 360, 480, 800]),  # sixteenths, even, and then eighths
        (Swing(0.6, Fraction(1, 4)), [0, 144, 240, 384, 480, 720]),
    ],
)
def test_swing_moves_the_notes_that_swing(
    two_bars: Transcription, swing: Swing, ticks: list[int]
) -> None:
    places = [Fraction(i, 4) for i in (0, 1, 2, 3, 4, 6)]
    notes = tuple(Note(1, place, CLOSED_HAT, 80, 3.0 + place / 2) for place in places)
    song = replace(two_bars, notes=notes, swing=swing)
    placed = [tick for tick, _, _ in notes_of(to_mido(song))]
    assert [tick - placed[0] for tick in placed] == ticks


def test_triplets_and_rolls_stay_even_where_sixteenths_swing(two_bars: Transcription) -> None:
    triplets = [Note(1, Fraction(i, 3), SNARE, 80, 3.0 + i / 6) for i in range(3)]
    roll = [Note(1, 1 + Fraction(i, 8), SNARE, 80, 3.5 + i / 16, roll=True) for i in range(4)]
    song = replace(two_bars, notes=(*triplets, *roll), swing=Swing(0.6, Fraction(1, 4)))
    placed = [tick for tick, _, _ in notes_of(to_mido(song))]
    assert [tick - placed[0] for tick in placed] == [0, 160, 320, 480, 540, 600, 660]


def test_sextuplets_stay_even_where_eighths_swing(two_bars: Transcription) -> None:
    sextuplet = [Note(1, Fraction(i, 6), SNARE, 80, 3.0 + i / 12) for i in range(6)]
    eighths = [Note(1, 1 + Fraction(i, 2), SNARE, 80, 3.5 + i / 3) for i in range(2)]
    song = replace(two_bars, notes=(*sextuplet, *eighths), swing=Swing(2 / 3))
    placed = [tick for tick, _, _ in notes_of(to_mido(song))]
    assert [tick - placed[0] for tick in placed] == [0, 80, 160, 240, 320, 400, 480, 800]


def test_grace_strokes_come_before_their_main_stroke(two_bars: Transcription) -> None:
    graced = replace(two_bars, notes=(
        Note(0, Fraction(0), SNARE, 40, 0.97, grace=True),
        Note(0, Fraction(0), SNARE, 100, 1.0),
        Note(0, Fraction(1), SNARE, 30, 1.499, grace=True),
        Note(0, Fraction(1), SNARE, 100, 1.5),
    ))  # fmt: skip
    ticks = [tick for tick, *_ in notes_of(to_mido(graced))]
    assert ticks == [960 - 30, 960, 1440 - 30, 1440]


@pytest.mark.parametrize("late", [-0.035, -0.02, 0.0, 0.02, 0.035])
def test_a_drag_is_as_wide_as_it_was_played_however_late_its_main_stroke(
    two_bars: Transcription, late: float
) -> None:
    drag = replace(two_bars, notes=(
        Note(1, Fraction(0), SNARE, 40, 2.93 + late, grace=True),
        Note(1, Fraction(0), SNARE, 45, 2.965 + late, grace=True),
        Note(1, Fraction(0), SNARE, 100, 3.0 + late),
    ))  # fmt: skip
    first, second, main = (tick for tick, *_ in notes_of(to_mido(drag)))
    assert main == 960 + 1920
    assert main - first == pytest.approx(67.2, abs=1)  # 960 ticks a second
    assert main - second == pytest.approx(33.6, abs=1)


def test_grace_strokes_have_room_after_the_stroke_before(two_bars: Transcription) -> None:
    crowded = replace(two_bars, notes=(
        Note(0, Fraction(7, 8), SNARE, 90, 1.4375),
        Note(0, Fraction(1), SNARE, 40, 1.445, grace=True),
        Note(0, Fraction(1), SNARE, 45, 1.47, grace=True),
        Note(0, Fraction(1), SNARE, 100, 1.5),
    ))  # fmt: skip
    before, first, second, main = (tick for tick, *_ in notes_of(to_mido(crowded)))
    assert (before, main) == (960 + 420, 960 + 480)
    assert first == main - 30  # half-way
    assert second == main - 30 * 30 // 53  # narrower by as much


def test_a_drum_never_overlaps_itself() -> None:
    notes = tuple(Note(0, Fraction(i, 12), SNARE, 90, i / 24) for i in range(12))
    pretty = write_and_read(Transcription((), grid_of([0, 0.5, 1, 1.5]), notes, 2))
    played = sorted(pretty.instruments[0].notes, key=lambda note: note.start)
    assert len(played) == 12
    for one, other in itertools.pairwise(played):
        assert one.start < one.end <= other.start


def test_two_drums_on_one_key_at_once_are_one_note(two_bars: Transcription) -> None:
    notes = to_mido(two_bars, drum_map=dict.fromkeys(DRUMS, 36))
    struck = notes_of(notes)
    places = {(note.bar, note.position) for note in two_bars.notes}
    assert len(struck) == len(places) < len(two_bars.notes)
    assert {velocity for *_, velocity in struck} == {70, 100, 110}


def write_and_read(transcription: Transcription) -> pretty_midi.PrettyMIDI:
    from io import BytesIO

    data = BytesIO()
    to_mido(transcription).save(file=data)
    data.seek(0)
    return pretty_midi.PrettyMIDI(data)


@st.composite
def transcriptions(draw: st.DrawFn) -> Transcription:
    metre = draw(st.sampled_from([Metre(4, 4), Metre(3, 4), Metre(7, 8), Metre(6, 8)]))
    count = draw(st.integers(1, 4)) * metre.numerator
    gaps = draw(st.lists(st.floats(0.2, 1.2), min_size=count + 1, max_size=count + 1))
    times = (draw(st.floats(0, 3)) + np.cumsum(gaps) * float(metre.beat)).tolist()
    grid = grid_of(times[:-1], metre, times[-1])
    places = draw(
        st.sets(
            st.tuples(
                st.integers(0, len(grid.bars) - 1),
                st.integers(0, int(metre.length * 24) - 1),
                st.sampled_from(DRUMS),
            ),
            min_size=1,
            max_size=40,
        )
    )
    notes = [
        Note(bar, Fraction(step, 24), drum, draw(st.integers(1, 127)),
             float(grid.seconds(float(grid.bar_quarters[bar] + Fraction(step, 24)))))
        for bar, step, drum in sorted(places, key=lambda p: (p[0], p[1], p[2].midi))
    ]  # fmt: skip
    return Transcription((), grid, tuple(notes), times[-1])


@settings(max_examples=150, deadline=None)
@given(transcriptions())
def test_readers_find_every_stroke_at_its_second(transcription: Transcription) -> None:
    expected = sorted((note.onset, note.drum.midi) for note in transcription.notes)
    pretty = write_and_read(transcription)
    found = sorted((note.start, note.pitch) for note in pretty.instruments[0].notes)
    assert len(found) == len(expected)
    found.sort(key=lambda stroke: stroke[::-1])
    expected.sort(key=lambda stroke: stroke[::-1])
    for (seconds, key), (written, expected_key) in zip(found, expected, strict=True):
        assert key == expected_key
        assert abs(seconds - written) < 0.004


def test_title_is_plain_ascii(two_bars: Transcription) -> None:
    file = to_mido(replace(two_bars, title="Café 東京"))
    assert file.tracks[0][0].name == "Cafe"
    assert to_mido(replace(two_bars, title="東京")).tracks[0][0].name == "Drums"


def test_nothing_half_written(two_bars: Transcription, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        write_midi(two_bars, tmp_path / "none" / "a.mid")
    write_midi(two_bars, tmp_path / "a.mid")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]


def test_a_ride_swings_under_a_roll(two_bars: Transcription) -> None:
    ride = [Note(1, Fraction(i, 2), RIDE, 80, 3.0) for i in range(4)]
    roll = [Note(1, Fraction(i, 8), SNARE, 60, 3.0, roll=True) for i in range(16)]
    song = replace(two_bars, notes=(*ride, *roll), swing=Swing(2 / 3))
    placed = [tick for tick, note, _ in notes_of(to_mido(song)) if note == RIDE.midi]
    assert [tick - placed[0] for tick in placed] == [0, 320, 480, 800]


def test_a_timing_that_there_is_not(two_bars: Transcription) -> None:
    with pytest.raises(InputError, match="timing 'swung': choose grid or performed"):
        to_mido(two_bars, timing="swung")  # type: ignore[arg-type]


def test_velocities_are_those_of_midi(two_bars: Transcription) -> None:
    for velocity in (0, 128):
        with pytest.raises(ValueError, match=f"velocity {velocity} is not between 1 and 127"):
            replace(two_bars.notes[0], velocity=velocity)
        with pytest.raises(ValueError, match=f"velocity {velocity} is not between 1 and 127"):
            replace(two_bars.hits[0], velocity=velocity)
