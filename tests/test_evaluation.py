from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from drum2midi.drums import KICK, SNARE
from drum2midi.errors import InputError
from drum2midi.evaluation import CONFUSION_LABELS, Score, evaluate
from drum2midi.midi import write_midi
from drum2midi.references import of_hits, open_midi, read_performance
from drum2midi.transcription import Hit, Metre, Transcription


def text(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_midi_file_against_itself(two_bars: Transcription, tmp_path: Path) -> None:
    write_midi(two_bars, tmp_path / "a.mid")
    performance = read_performance(tmp_path / "a.mid")
    assert performance.metre == Metre(4, 4)
    assert performance.beats is not None
    assert performance.downbeats is not None
    # The lead-in of a second is two quarters; the bars begin at 1 s.
    np.testing.assert_allclose(performance.beats[:4], [0.0, 0.5, 1.0, 1.5], atol=1e-12)
    np.testing.assert_allclose(performance.downbeats, [0.0, 1.0, 3.0, 5.0], atol=1e-12)
    result = evaluate(performance, performance)
    assert result.micro == result.micro + Score(0, 0, 0) == Score(24, 24, 24)
    assert (result.beats, result.downbeats) == (1.0, 1.0)
    assert (result.metre, result.placement) == (True, 1.0)
    assert result.velocity == pytest.approx(1.0, abs=1e-12)
    assert result.confusion.trace() == result.confusion.sum() == 24


def test_hits_in_any_order_are_the_same_performance() -> None:
    hits = [Hit(0.25 * i, (KICK, SNARE)[i % 2], 60 + i) for i in range(16)]
    by_drum = sorted(hits, key=lambda hit: hit.drum.midi)
    result = evaluate(of_hits(hits), of_hits(by_drum))
    assert (result.micro.f, result.velocity) == (1.0, pytest.approx(1.0))


def test_exact_figures(tmp_path: Path) -> None:
    reference = text(
        tmp_path / "ref.txt", "# a comment", "0.5 KD 100", "1.0\tSD\t50", "1.0,42", "1.5 snare 90",
        "2.0 TT", "3.0 CY",
    )  # fmt: skip
    estimate = text(
        tmp_path / "est.txt", "0.54 kick 90", "1.06 SD 40", "1.01 closed hi-hat 60", "1.5 38 70",
        "2.01 CY", "4.0 HH",
    )  # fmt: skip
    result = evaluate(read_performance(reference), read_performance(estimate))
    assert result.strokes == {
        "KD": Score(1, 1, 1), "SD": Score(1, 2, 2), "TT": Score(0, 1, 0),
        "HH": Score(1, 1, 2), "CY": Score(0, 1, 1),
    }  # fmt: skip
    assert result.micro == Score(3, 6, 6)
    assert result.micro.f == pytest.approx(0.5, abs=1e-12)
    assert result.strokes["SD"].recall == 0.5
    assert result.onsets == Score(4, 5, 6)
    labels = {name: i for i, name in enumerate(CONFUSION_LABELS)}
    assert result.confusion[labels["TT"], labels["CY"]] == 1
    assert result.confusion[labels["none"], labels["HH"]] == 1
    assert result.confusion[labels["CY"], labels["none"]] == 1
    assert result.confusion[:-1].sum() == 6
    assert result.velocity is None
    assert result.beats is result.placement is result.metre is None
    wide = evaluate(read_performance(reference), read_performance(estimate), window=0.07)
    assert wide.micro == Score(4, 6, 6)


def test_place_in_the_bar_forgives_whole_bars_alone(
    two_bars: Transcription, tmp_path: Path
) -> None:
    write_midi(two_bars, tmp_path / "a.mid")
    reference = read_performance(tmp_path / "a.mid")
    assert reference.places is not None
    by_a_bar = replace(reference, places=reference.places + 4.0)
    by_a_beat = replace(reference, places=reference.places + 1.0)
    assert evaluate(reference, by_a_bar).placement == 1.0
    # Moved by a beat, the last one's strokes alone fall a whole bar away from where they were.
    assert evaluate(reference, by_a_beat).placement == 0.0


def test_beats_from_text(two_bars: Transcription, tmp_path: Path) -> None:
    write_midi(two_bars, tmp_path / "a.mid")
    beats = text(tmp_path / "a.beats", *(f"{1 + 0.5 * i} {i % 4 + 1}" for i in range(8)))
    reference = read_performance(tmp_path / "a.mid", beats=beats)
    assert reference.downbeats is not None
    assert reference.downbeats.tolist() == [1.0, 3.0]
    result = evaluate(reference, read_performance(tmp_path / "a.mid"))
    assert result.beats is not None
    # The estimate also has the lead-in's beat at 0.5 s and the end's at 5 s.
    assert result.beats == pytest.approx(2 * 8 / (8 + 10), abs=1e-12)


def test_beats_of_a_recording_of_nine_hours(tmp_path: Path) -> None:
    strokes = text(tmp_path / "a.txt", "1.0 KD", "32000.0 SD")
    true = text(tmp_path / "a.beats", "1 1", "2 2", "32000 1")
    found = text(tmp_path / "b.beats", "1.06 1", "2.08 2", "32000 1")
    result = evaluate(read_performance(strokes, beats=true), read_performance(strokes, beats=found))
    assert result.beats == pytest.approx(2 / 3, abs=1e-12)


def test_only_channel_10_is_drums_if_anything_is_on_it(tmp_path: Path) -> None:
    drums, bass = mido.MidiTrack(), mido.MidiTrack()
    for _ in range(8):
        drums.append(mido.Message("note_on", channel=9, note=36, velocity=90, time=240))
        bass.append(mido.Message("note_on", channel=1, note=38, velocity=90, time=200))
    mido.MidiFile(tracks=[drums, bass]).save(tmp_path / "band.mid")
    assert read_performance(tmp_path / "band.mid").classes == ("KD",) * 8
    mido.MidiFile(tracks=[bass]).save(tmp_path / "other.mid")
    assert read_performance(tmp_path / "other.mid").classes == ("SD",) * 8


def test_percussion_outside_the_kit_is_told_and_makes_no_kit_of_a_bass(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drums, bass = mido.MidiTrack(), mido.MidiTrack()
    for note in (56, 75, 56):  # cowbell, claves
        drums.append(mido.Message("note_on", channel=9, note=note, velocity=90, time=240))
        bass.append(mido.Message("note_on", channel=1, note=36, velocity=90, time=200))
    path = tmp_path / "band.mid"
    mido.MidiFile(tracks=[drums, bass]).save(path)
    assert read_performance(path).classes == ()
    assert caplog.messages == [f"{path}: 3 strokes on no drum of the kit, left out: notes 56, 75"]


def test_what_is_no_file_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a MIDI file"):
        open_midi(tmp_path)
    os.mkfifo(tmp_path / "pipe.mid")
    with pytest.raises(InputError, match=r"pipe\.mid: is not a file"):
        open_midi(tmp_path / "pipe.mid")


HEADER = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"not a MIDI file \(it ends early\)"),
        (HEADER + b"\x0a\0\xff\x59\2\x60\1\0\xff\x2f\0", "not a MIDI file"),  # a key
        (HEADER + b"\x08\0\xff\x58\0\0\xff\x2f\0", "not a MIDI file"),  # a metre cut short
        (HEADER + b"\x0c\0\xff\x58\4\0\2\x18\x08\0\xff\x2f\0", "a metre of no beats"),
        (HEADER + b"\x0c\0\xff\x58\4\4\x28\x18\x08\0\xff\x2f\0", "shorter than a 64th"),
        (b"MThd\0\0\0\6\0\3\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0", "of type 3"),
        (b"MThd\0\0\0\6\0\2\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0", "several songs"),
    ],
)
def test_odd_midi_files(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "odd.mid").write_bytes(content)
    with pytest.raises(InputError, match=rf"odd\.mid: .*{reason}"):
        read_performance(tmp_path / "odd.mid")


def test_errors_name_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mid: no such file"):
        read_performance(tmp_path / "none.mid")
    with pytest.raises(InputError, match=r"bad\.mid: not a MIDI file"):
        read_performance(text(tmp_path / "bad.mid", "words"))
    with pytest.raises(InputError, match=r"bad\.txt, line 2: not 'seconds drum"):
        read_performance(text(tmp_path / "bad.txt", "1.0 KD", "2.0 banjo"))
    with pytest.raises(InputError, match=r"bad\.txt, line 1: not 'seconds drum"):
        read_performance(text(tmp_path / "bad.txt", "soon KD"))
    good = text(tmp_path / "good.txt", "1.0 KD")
    with pytest.raises(InputError, match=r"x\.beats, line 1: not 'seconds number-in-bar'"):
        read_performance(good, beats=text(tmp_path / "x.beats", "one"))
    with pytest.raises(InputError, match=r"nan\.txt, line 1: not 'seconds drum"):
        read_performance(text(tmp_path / "nan.txt", "nan KD"))
    with pytest.raises(InputError, match=r"y\.beats, line 1: not 'seconds number-in-bar'"):
        read_performance(good, beats=text(tmp_path / "y.beats", "nan 1"))
    with pytest.raises(InputError, match=r"z\.beats: its beats do not go forward"):
        read_performance(good, beats=text(tmp_path / "z.beats", "2 1", "1 2"))
    with pytest.raises(InputError, match=r"long\.txt, line 1: not 'seconds drum"):
        read_performance(text(tmp_path / "long.txt", "1.0 " + 5000 * "1"))
    nothing = read_performance(text(tmp_path / "empty.txt"))
    with pytest.raises(InputError, match="the reference has no stroke"):
        evaluate(nothing, nothing)
    with pytest.raises(InputError, match="window 0 s is not positive"):
        evaluate(read_performance(good), nothing, window=0)
    (tmp_path / "raw.txt").write_bytes(bytes(range(128, 255)))
    with pytest.raises(InputError, match=r"neither a \.mid nor text"):
        read_performance(tmp_path / "raw.txt")


def test_the_command(two_bars: Transcription, tmp_path: Path) -> None:
    write_midi(two_bars, tmp_path / "a.mid")
    command = [sys.executable, "-m", "drum2midi", "evaluate", "a.mid", "a.mid", "--json", "a.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "placement: 1.000" in done.stdout
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["strokes"]["micro"]["f"] == 1.0
    assert figures["metre right"] is True
    failed = subprocess.run(
        [*command[:4], "none.mid", "a.mid"], cwd=tmp_path, capture_output=True, text=True
    )
    assert failed.returncode == 1
    assert failed.stderr == "drum2midi: none.mid: no such file\n"
