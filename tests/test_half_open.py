"""Hi-hats that are neither open nor closed, where someone says so: the model does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scores import read_score
from sheet_reader import Sheet, check_form, strokes_of

from drum2midi.drums import OPEN_HAT
from drum2midi.midi import to_mido
from drum2midi.sheet import write_sheet
from drum2midi.transcription import Transcription

SCORE = """
hh . | --x- x-x- x-x- x-x- | .
oh x-x- x-x- x-x- x-x- | x--- ---- ---- ---- | %
bd x--- | % | %
"""


def song(*openness: float | None) -> Transcription:
    """Bars of open hi-hats, each as open as it is said to be."""
    score = read_score(SCORE)
    notes = [replace(n, openness=openness[n.bar]) if n.drum == OPEN_HAT else n for n in score.notes]
    return replace(score, notes=tuple(notes))


@pytest.mark.parametrize(
    ("openness", "words"),
    [
        ((None, None, None), []),
        ((1.0, 0.8, None), []),
        ((0.5, 0.5, 0.3), [(0, "half-open")]),
        ((None, 0.5, 0.5), [(1, "half-open")]),
        ((0.5, None, 1.0), [(0, "half-open"), (1, "open")]),
        ((0.5, 1.0, 0.5), [(0, "half-open"), (1, "open"), (2, "half-open")]),
    ],
)
def test_words_say_how_open(
    openness: tuple[float | None, ...], words: list[tuple[int, str]], tmp_path: Path
) -> None:
    transcription = song(*openness)
    write_sheet(transcription, tmp_path / "a.musicxml")
    sheet = Sheet(tmp_path / "a.musicxml")
    said = [(i, word.text) for i, bar in enumerate(sheet.measures) for word in bar.iter("words")]
    assert said == words
    assert sheet.strokes() == strokes_of(transcription)
    check_form(sheet, transcription)


def test_controller_4_tells_it_too() -> None:
    messages = to_mido(song(0.5, None, 0.25), hat_cc4=True).tracks[1]
    values = [m.value for m in messages if m.type == "control_change"]
    assert values == [64, 0, 127, 95]
