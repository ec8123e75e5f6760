"""The .mid and the sheet of a song, read back by other programs, hold the same strokes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mido
import pretty_midi
import pytest
from scores import CASES
from sheet_reader import Sheet

from drum2midi.transcription import Transcription

NAMES = ["every drum", "fill", "drag", "sextuplets", "metres in turn", "pickup", "ghosts", "12/8"]


@pytest.fixture(params=NAMES)
def song(request: pytest.FixtureRequest) -> Transcription:
    return CASES[request.param].read()


def test_mido_pretty_midi_and_music21_agree(song: Transcription, tmp_path: Path) -> None:
    song.save(tmp_path / "a.mid")
    song.save(tmp_path / "a.musicxml")
    wanted = Counter((note.drum.midi, note.velocity) for note in song.notes)
    file = mido.MidiFile(tmp_path / "a.mid")
    assert Counter((m.note, m.velocity) for m in file if m.type == "note_on") == wanted
    (drums,) = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid")).instruments
    assert drums.is_drum
    assert Counter((note.pitch, note.velocity) for note in drums.notes) == wanted
    keys = Counter(note.drum.midi for note in song.notes)
    known = Counter(None if key in (51, 53) else key for key in keys.elements())  # no ride there
    assert Counter(keys_in_music21(tmp_path / "a.mid")) == known
    assert Counter(key for _, _, key, _ in Sheet(tmp_path / "a.musicxml").strokes()) == keys


def keys_in_music21(path: Path) -> list[int | None]:
    """The percussion notes that music21 reads from a ``.mid``; None for one it does not know."""
    from music21 import converter, instrument

    score = converter.parse(path)
    keys = []
    for element in score.recurse().notes:
        for head in getattr(element, "notes", [element]):
            struck = head.storedInstrument or head.getInstrument()
            assert isinstance(struck, instrument.UnpitchedPercussion)
            keys.append(struck.percMapPitch)
    return keys


def test_both_timings_hold_the_same(song: Transcription, tmp_path: Path) -> None:
    keys = []
    for timing in ("grid", "performed"):
        song.save(tmp_path / f"{timing}.mid", timing=timing)
        file = mido.MidiFile(tmp_path / f"{timing}.mid")
        keys.append(Counter(m.note for m in file if m.type == "note_on"))
    assert keys[0] == keys[1]
