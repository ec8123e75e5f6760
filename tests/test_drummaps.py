"""Drum maps by name and from files, and what a ``.mid`` makes of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import mido
import pytest
from scores import CASES, read_score

from drum2midi.drummaps import DRUM_MAPS, GM, find_drum_map
from drum2midi.drums import (
    BY_MIDI,
    CLOSED_HAT,
    DRUMS,
    HIGH_TOM,
    KICK,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE_BELL,
    SNARE,
)
from drum2midi.errors import InputError
from drum2midi.midi import to_mido
from drum2midi.writers import WriteOptions


def test_a_drum_that_was_copied_is_the_same_object() -> None:
    for drum in DRUMS:
        assert pickle.loads(pickle.dumps(drum)) is drum
        assert copy.deepcopy(drum) is drum
    louder = dataclasses.replace(DRUMS[0], midi=35)
    assert pickle.loads(pickle.dumps(louder)) == louder != DRUMS[0]


def test_known_maps() -> None:
    assert find_drum_map("gm") == {drum: drum.midi for drum in DRUMS}
    roland = find_drum_map("roland-td")
    assert (roland[HIGH_TOM], roland[MID_TOM]) == (48, 45)
    for drum_map in DRUM_MAPS.values():
        assert len(set(drum_map.values())) == len(DRUMS)
        assert {BY_MIDI[note] for note in drum_map.values()} == set(DRUMS)


def test_a_map_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('# mine\n[notes]\nkick = 24\nclosed_hi-hat = 60\n"Ride Bell" = 0\n')
    drum_map = find_drum_map(str(path))
    assert drum_map == {**GM, KICK: 24, CLOSED_HAT: 60, RIDE_BELL: 0}
    assert WriteOptions(drum_map=str(path)).drum_map == str(path)
    path.write_text("\ufeff[notes]\nkick = 24\n", encoding="utf-8")
    assert find_drum_map(str(path))[KICK] == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[notes]\nkick = 36\nsnair = 38\n", r"line 3: snair is none of kick, snare"),
        ("[names]\nkick = 'Bass'\n[notes]\nkick = 200", r"line 4: kick = 200 is not a MIDI note"),
        ("[notes]\n\nkick = 128", r"line 3: kick = 128 is not a MIDI note from 0 to 127"),
        ("[notes]\n'ride bell' = 'high'", r"line 2: ride bell = 'high' is not a MIDI note"),
        ("[notes]\nkick = true", r"line 2: kick = True is not a MIDI note"),
        ("[notes]\nkick 36\n", r"is not TOML: .*line 2"),
        ("kick = 36\n", r"has no \[notes\]"),
        ("notes = 3\n", r"has no \[notes\]"),
        ("", r"has no \[notes\]"),
        ("\xff", "is not a text file in UTF-8"),
    ],
)
def test_a_bad_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as caught:
        WriteOptions(drum_map=str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_no_such_map(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is none of gm, roland-td, nor a"):
        find_drum_map("ezdrummer")
    with pytest.raises(InputError, match="no such file"):
        find_drum_map(str(tmp_path / "none.toml"))


def keys_of(file: mido.MidiFile) -> list[int]:
    return [message.note for message in file if message.type == "note_on"]


def test_the_file_has_the_maps_notes() -> None:
    song = CASES["every drum"].read()
    roland = find_drum_map("roland-td")
    keys = keys_of(to_mido(song, drum_map=roland))
    assert sorted(keys) == sorted(roland[note.drum] for note in song.notes)


def test_drums_that_share_a_note_do_not_overlap() -> None:
    song = read_score("hh xxxx xxxx xxxx xxxx\noh x-x- x-x- x-x- x-x-")
    file = to_mido(song, drum_map={**GM, OPEN_HAT: 42})
    held = set()
    for message in file.tracks[1]:
        if message.type == "note_on":
            assert message.note not in held
            held.add(message.note)
        elif message.type == "note_off":
            held.remove(message.note)
    assert len(keys_of(file)) == 16  # two at once are one note


def test_openness_of_the_hat_as_controller_4() -> None:
    song = read_score("hh xx-- x--- ---- ----\noh --x- ---- ---- ----\nph ---- ---- x--- ----")
    assert not any(m.type == "control_change" for m in to_mido(song))
    now, events = 0, []
    for message in to_mido(song, hat_cc4=True).tracks[1]:
        now += message.time
        if message.type == "control_change":
            assert (message.channel, message.control) == (9, 4)
            events.append((now, "foot", message.value))
        elif message.type == "note_on":
            events.append((now, "hit", message.note))
    hats = [(0, CLOSED_HAT), (120, CLOSED_HAT), (240, OPEN_HAT), (480, CLOSED_HAT)]
    assert [event for event in events if event[1] == "foot"] == [
        (0, "foot", 127), (240, "foot", 0), (480, "foot", 127),
    ]  # fmt: skip
    assert [event for event in events if event[1] == "hit"] == [
        *((tick, "hit", drum.midi) for tick, drum in hats), (960, "hit", PEDAL_HAT.midi),
    ]  # fmt: skip
    assert events.index((240, "foot", 0)) < events.index((240, "hit", OPEN_HAT.midi))


def test_each_stroke_of_a_hat_comes_after_its_own_foot() -> None:
    """A foot's chick on the tick of an open hat is heard with the pedal down."""
    song = read_score("oh x--- ---- ---- ----\nph x--- ---- ---- ----")
    events = [
        (message.type, message.note if message.type == "note_on" else message.value)
        for message in to_mido(song, hat_cc4=True).tracks[1]
        if message.type in ("note_on", "control_change")
    ]
    assert events == [
        ("control_change", 127), ("note_on", PEDAL_HAT.midi),
        ("control_change", 0), ("note_on", OPEN_HAT.midi),
    ]  # fmt: skip


def test_markers_at_sections() -> None:
    verse = "---- x--- ---- x---|%|%|%|%|%|%|%"
    chorus = "x-x- xxxx x-x- xxxx|%|%|%|%|%|%|%"
    song = read_score(f"sd {verse}|{chorus}\nhh {chorus}|{verse}")
    tick, markers = 0, []
    for message in to_mido(song).tracks[0]:
        tick += message.time
        if message.type == "marker":
            markers.append((tick, message.text))
    assert markers == [(0, "A"), (8 * 4 * 480, "B")]
    assert SNARE.midi in keys_of(to_mido(song))
