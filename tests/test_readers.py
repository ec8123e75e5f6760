"""Readers of labelled material, on small folders made here in each layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    CROSS_STICK,
    FLOOR_TOM,
    HIGH_TOM,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    SNARE,
)
from drum2midi.errors import InputError
from drum2midi.pipeline import transcribe
from drum2midi.workshop.layouts import read_layout
from drum2midi.workshop.readers import read_source
from drum2midi.workshop.sounds import SIX, class_of, classes_of, meaning, members, name_of

HATS = (CLOSED_HAT, OPEN_HAT, PEDAL_HAT)


def write_audio(path: Path, seconds: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * place(thump(), [0.25], seconds), RATE)
    return path


def write_score(path: Path, strokes: Sequence[tuple[float, int]], *, channel: int = 9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    track, at = mido.MidiTrack(), 0
    for seconds, note in strokes:
        tick = round(seconds * 960)  # 480 a beat, 120 bpm
        track.append(
            mido.Message("note_on", channel=channel, note=note, velocity=100, time=tick - at)
        )
        at = tick
    mido.MidiFile(tracks=[track]).save(path)
    return path


def found(source: Path) -> dict[str, list[tuple[float, str]]]:
    return {
        recording.name: [(round(s.onset, 3), name_of(s.sound)) for s in recording.strokes]
        for recording in read_source(source)
    }


def test_names_mean_drums() -> None:
    assert meaning("snare") == (SNARE,)
    assert meaning("hihat_closed") == (CLOSED_HAT,)
    assert meaning("HH") == meaning("hi-hat") == HATS
    assert meaning("38") == (SNARE,)
    assert meaning("mid tom or floor tom") == (MID_TOM, FLOOR_TOM)
    assert meaning("banjo") is None
    assert meaning("snare or banjo") is None
    for sound in (HATS, (SNARE,), (HIGH_TOM, MID_TOM)):
        assert meaning(name_of(sound)) == sound


def test_classes() -> None:
    assert classes_of("six") == SIX
    assert class_of((RIDE,), "six") == "ride"
    assert class_of(HATS, "six") == "hi-hat"
    assert class_of(HATS, "drums") is None
    assert class_of((CRASH, RIDE), "six") is None
    assert class_of((CRASH, RIDE), "five") == "CY"
    assert members("toms", "six") == (HIGH_TOM, MID_TOM, FLOOR_TOM)
    with pytest.raises(InputError, match="classes 'seven': not one of drums, six, five"):
        classes_of("seven")


def test_labels_of_a_recording(tmp_path: Path) -> None:
    write_audio(tmp_path / "song.wav")
    labels = tmp_path / "labels.json"
    labels.write_text(
        '{"format": "drum2midi-labels", "version": 1, "audio": "song.wav", "labels": [\n'
        '  {"time": 0.25, "drums": ["kick", "crash"], "velocity": 90},\n'
        '  {"time": 1.0, "drums": []}\n]}\n'
    )
    (recording,) = read_source(labels)
    assert found(labels) == {"song": [(0.25, "kick"), (0.25, "crash")]}
    assert [(s.velocity, s.line) for s in recording.strokes] == [(90, 2), (90, 2)]
    assert found(tmp_path) == found(labels)  # the folder that they lie in
    labels.write_text(labels.read_text().replace("crash", "gong"))
    with pytest.raises(InputError, match=r"labels\.json, line 2: unknown drum"):
        read_source(labels)


def test_the_articles_list_stays_as_coarse_as_it_is(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_audio(tmp_path / "clips" / f"{name}.wav", 0.5)
    path = tmp_path / "clips.json"
    path.write_text('[["clips/a.wav", "hi-hat"],\n ["clips/b.wav", ["kick", "toms"]]]')
    clips = found(path)
    assert [name for _, name in clips["a"]] == ["HH"]
    assert [name for _, name in clips["b"]] == ["kick", "TT"]
    assert clips["a"][0][0] == pytest.approx(0.25, abs=0.005)
    one, other = read_source(path)
    assert one.song != other.song


def test_slices_of_one_song_are_one_song(tmp_path: Path) -> None:
    from drum2midi.workshop.slicing import slice_song

    audio = place(thump(), [0.5, 1.5], 3.0) + place(crack(), [1.0, 2.0], 3.0)
    soundfile.write(tmp_path / "song.wav", 0.4 * audio, RATE)
    slices = slice_song(tmp_path / "song.wav", tmp_path / "hits")
    rows = [[one.clip.relative_to(tmp_path / "hits").as_posix(), "kick"] for one in slices.slices]
    (tmp_path / "hits" / "clips.json").write_text(json.dumps(rows))
    recordings = read_source(tmp_path / "hits" / "clips.json")
    assert len(recordings) == len(rows) >= 4
    assert {recording.song for recording in recordings} == {str(tmp_path / "song.wav")}
    assert {recording.strokes[0].onset for recording in recordings} == {0.01}


def index_of_oneshots(folder: Path, rows: Sequence[Sequence[str]]) -> Path:
    with (folder / "index.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows([["file", "piece", "kit", "licence"], *rows])
    return folder


def test_oneshots_with_an_index(tmp_path: Path) -> None:
    for name in ("k1", "s1", "k2"):
        write_audio(tmp_path / f"{name}.wav", 0.5)
    rows = [["k1.wav", "kick", "one", "CC0"], ["s1.wav", "side_stick", "one", "CC0"],
            ["k2.wav", "kick", "two", "MIT"], ["nowhere.wav", "cowbell", "two", ""]]  # fmt: skip
    one, stick, two = read_source(index_of_oneshots(tmp_path, rows))
    assert one.song == stick.song != two.song  # a kit is never divided
    assert stick.strokes[0].sound == (CROSS_STICK,)
    assert (two.licence, two.source) == ("MIT", "two")
    index_of_oneshots(tmp_path, [*rows, ["k3.wav", "kick", "two", ""]])
    with pytest.raises(InputError, match=r"index\.csv, line 6: audio k3\.wav is not there"):
        read_source(tmp_path)
    index_of_oneshots(tmp_path, [["k1.wav", "banjo", "one", ""]])
    with pytest.raises(InputError, match=r"index\.csv, line 2: unknown drum 'banjo'"):
        read_source(tmp_path)
    (tmp_path / "index.csv").write_bytes(b"file,piece,kit\nkick\xe9.wav,kick,k\n")
    with pytest.raises(InputError, match=r"index\.csv: not UTF-8 text \(byte 20\)"):
        read_source(tmp_path)
    index_of_oneshots(tmp_path, [["k1.wav"]])
    with pytest.raises(InputError, match=r"line 2: not as many fields"):
        read_source(tmp_path)
    (tmp_path / "index.csv").write_text("file,what\n")
    with pytest.raises(InputError, match=r"line 1: no column kit, piece"):
        read_source(tmp_path)


def test_oneshots_in_folders_of_their_class(tmp_path: Path) -> None:
    write_audio(tmp_path / "kick" / "1.wav", 0.5)
    write_audio(tmp_path / "hi-hat" / "1.wav", 0.5)
    assert {name: strokes[0][1] for name, strokes in found(tmp_path).items()} == {
        "kick-1": "kick",
        "hi-hat-1": "HH",
    }
    (tmp_path / "ride").mkdir()
    with pytest.raises(InputError, match=r"ride: an empty class"):
        read_source(tmp_path)


def test_pairs_of_midi_and_audio(tmp_path: Path) -> None:
    write_audio(tmp_path / "a" / "beat.wav")
    score = write_score(tmp_path / "a" / "beat.mid", [(0.25, 36), (1.0, 38)])
    assert found(tmp_path) == {"a/beat": [(0.25, "kick"), (1.0, "snare")]}
    write_score(score, [(0.5, 36)], channel=0)  # an electronic kit may send on any channel
    assert found(tmp_path) == {"a/beat": [(0.5, "kick")]}
    write_score(score, [(0.25, 36), (7.0, 38)])
    with pytest.raises(InputError, match=r"beat\.mid: a stroke at 7\.000 s, but beat\.wav ends"):
        read_source(tmp_path)
    write_score(score, [(0.25, 90)])
    with pytest.raises(InputError, match=r"beat\.mid: no stroke on any drum"):
        read_source(tmp_path)
    score.write_bytes(score.read_bytes()[:20])
    with pytest.raises(InputError, match=r"beat\.mid: not a MIDI file"):
        read_source(tmp_path)
    (tmp_path / "a" / "beat.wav").unlink()
    with pytest.raises(InputError, match=r"beat\.mid: no audio of that name beside it"):
        read_source(tmp_path)


def test_what_the_program_wrote_itself_is_not_taken_for_the_truth_unsaid(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audio = write_audio(tmp_path / "beat.wav")
    write_score(tmp_path / "beat.mid", [(0.25, 36), (1.0, 38)])
    read_source(tmp_path)
    assert caplog.text == ""
    transcribe(audio).save(tmp_path / "beat.mid")
    read_source(tmp_path)
    assert f"{tmp_path / 'beat.mid'}: what drum2midi heard, taken for" in caplog.text


def test_labels_lie_below_a_folder_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write_audio(tmp_path / "a" / "beat.wav")
    label = '{"time": 0.25, "drums": ["kick"]}'
    (tmp_path / "a" / "labels-anna.json").write_text(
        f'{{"format": "drum2midi-labels", "version": 1, "audio": "beat.wav", "labels": [{label}]}}'
    )
    (tmp_path / "a" / "list.json").write_text('["a", "b"]')  # somebody else's
    (tmp_path / "a" / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text('["a", "b"]')
    assert found(tmp_path) == {"beat": [(0.25, "kick")]}


def test_enst_drums(tmp_path: Path) -> None:
    drummer = tmp_path / "drummer_1"
    write_audio(drummer / "audio" / "wet_mix" / "001_phrase.wav")
    labels = drummer / "annotation" / "001_phrase.txt"
    labels.parent.mkdir()
    labels.write_text("0.25 bd\n0.5 sd\n0.5 chh\n0.75 rc3\n1.0 lmt\n1.25 sticks\n1.5 cr1\n")
    assert found(tmp_path) == {
        "drummer_1-001_phrase": [
            (0.25, "kick"), (0.5, "snare"), (0.5, "closed hi-hat"), (0.75, "ride or ride bell"),
            (1.0, "high tom or mid tom"), (1.5, "crash"),
        ]
    }  # fmt: skip
    labels.write_text("0.25 bd\n\n0.5 xylophone\n")
    with pytest.raises(InputError, match=r"001_phrase\.txt, line 3: not 'seconds code'"):
        read_source(tmp_path)
    labels.write_text("soon bd\n")
    with pytest.raises(InputError, match=r"line 1: 'soon' is not a time in seconds"):
        read_source(tmp_path)
    labels.write_text("9.0 bd\n")
    with pytest.raises(InputError, match=r"line 1: a stroke at 9\.000 s"):
        read_source(tmp_path)
    (drummer / "audio" / "wet_mix" / "001_phrase.wav").unlink()
    with pytest.raises(InputError, match=r"001_phrase\.txt: its audio .* is not there"):
        read_source(tmp_path)


def test_idmt_smt_drums(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio" / "RealDrum01_00#MIX.wav")
    labels = tmp_path / "annotation_xml" / "RealDrum01_00#MIX.xml"
    labels.parent.mkdir()
    text = """<?xml version="1.0"?>
<instrumentRecording>
 <globalParameter><audioFileName>RealDrum01_00#MIX.wav</audioFileName></globalParameter>
 <transcription>
  <event><onsetSec>0.5</onsetSec><offsetSec>0.6</offsetSec><instrument>HH</instrument></event>
  <event><onsetSec>0.25</onsetSec><instrument>KD</instrument></event>
 </transcription>
</instrumentRecording>"""
    labels.write_text(text)
    assert found(tmp_path) == {"RealDrum01_00#MIX": [(0.25, "kick"), (0.5, "HH")]}
    assert [r.song for r in read_source(tmp_path)] == ["RealDrum01_00"]
    labels.write_text(text.replace(">KD<", ">GONG<"))
    with pytest.raises(InputError, match=r"MIX\.xml, line 6: unknown instrument 'GONG'"):
        read_source(tmp_path)
    labels.write_text(text.replace("</event>", "", 1))
    with pytest.raises(InputError, match=r"MIX\.xml, line \d+: not XML"):
        read_source(tmp_path)


def test_mdb_drums(tmp_path: Path) -> None:
    root = tmp_path / "MDB Drums"
    write_audio(root / "audio" / "drum_only" / "MusicDelta_Rock_Drum.wav")
    write_audio(root / "audio" / "full_mix" / "MusicDelta_Rock_MIX.wav")
    labels = root / "annotations" / "subclass" / "MusicDelta_Rock_subclass.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("0.25 \t KD\n0.5\tSDG\n0.75\tOHH\n1.0\tTMB\n1.25\tSST\n")
    strokes = [(0.25, "kick"), (0.5, "snare"), (0.75, "open hi-hat"), (1.25, "cross-stick")]
    assert found(tmp_path) == {"MusicDelta_Rock_Drum": strokes, "MusicDelta_Rock_MIX": strokes}
    stem, mix = read_source(root)
    assert stem.song == mix.song
    assert stem.licence == "CC BY-NC-SA 4.0"


@pytest.mark.parametrize("expanded", [False, True])
def test_groove_and_its_expansion(tmp_path: Path, expanded: bool) -> None:
    rows = []
    for number in (1, 2):
        name = f"drummer1/s1/1_rock_120_beat_4-4_{number}"
        write_audio(tmp_path / f"{name}.wav")
        write_score(tmp_path / f"{name}.midi", [(0.25, 36), (0.5, 22)])
        rows.append([f"{name}.midi", f"{name}.wav", "test", f"kit {number}"])
    rows.append(["drummer1/s1/2.midi", "", "train", "kit 1"])  # was never recorded
    columns = ["midi_filename", "audio_filename", "split", "kit_name"]

    def write_index() -> None:
        with (tmp_path / "info.csv").open("w", newline="") as lines:
            width = 4 if expanded else 3
            csv.writer(lines).writerows([row[:width] for row in [columns, *rows]])

    write_index()
    one, other = read_source(tmp_path)
    assert (one.song == other.song) is expanded
    assert one.split == "test"
    assert [name_of(stroke.sound) for stroke in one.strokes] == ["kick", "closed hi-hat"]
    rows[1][2] = "exam"
    write_index()
    with pytest.raises(InputError, match=r"info\.csv, line 3: split 'exam'"):
        read_source(tmp_path)
    rows[1][1] = "nowhere.wav"
    rows[1][2] = "test"
    write_index()
    with pytest.raises(InputError, match=r"info\.csv, line 3: nowhere\.wav is not there"):
        read_source(tmp_path)


def test_odd_names_and_bytes_of_other_systems(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(tmp_path / "pairs" / "song.WAV")
    write_score(tmp_path / "pairs" / "song.mid", [(0.25, 36)])
    (tmp_path / "pairs" / "._song.mid").write_bytes(b"\0\5\x16\7")
    assert found(tmp_path / "pairs") == {"song": [(0.25, "kick")]}
    write_audio(tmp_path / "shots" / "a.wav")
    (tmp_path / "shots" / "index.csv").write_text("\ufefffile,piece,kit\na.wav,kick,k\n")
    assert list(found(tmp_path / "shots")) == ["a"]
    write_audio(tmp_path / "classes" / "kick" / "a.wav")
    write_audio(tmp_path / "classes" / "hihats" / "b.wav")
    assert list(found(tmp_path / "classes")) == ["kick-a"]
    assert "no names of drums, left out: hihats" in caplog.text


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        read_source(tmp_path / "nowhere")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(InputError, match=r"x\.txt: not a \.json, not a folder"):
        read_source(tmp_path / "x.txt")
    with pytest.raises(InputError, match="no labelled audio"):
        read_source(tmp_path)


def test_tables_that_are_none(tmp_path: Path) -> None:
    """A stray file that ends in .csv is let alone; an index that is no CSV is said."""
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "x.csv").mkdir()
    (folder / "notes.csv").write_text("a" * 200_000)
    assert read_layout(folder) is None
    (folder / "index.csv").write_text("file,piece,kit\n" + "a" * 200_000 + ",kick,one\n")
    with pytest.raises(InputError, match=r"index\.csv: not CSV \(field larger than"):
        read_source(folder)


def test_silent_clips_have_their_hit_at_once(tmp_path: Path) -> None:
    (tmp_path / "kick").mkdir()
    soundfile.write(tmp_path / "kick" / "1.wav", np.zeros(1000), RATE)
    assert found(tmp_path) == {"kick-1": [(0.0, "kick")]}
