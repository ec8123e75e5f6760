"""Songs of MIDI files and archives, their drums on other kits."""

from __future__ import annotations

import struct
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from drum2midi.errors import InputError
from drum2midi.references import read_performance
from drum2midi.training import song_set
from drum2midi.training.oneshots import load_library
from drum2midi.training.pieces import Sources

BARS = 16


def song(path: Path, *, bars: int = BARS) -> Path:
    """Kick, snare and hats at 120 a minute, with a bass and a tambourine."""
    midi = mido.MidiFile(ticks_per_beat=96)
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    bass, drums = mido.MidiTrack(), mido.MidiTrack()
    for beat in range(4 * bars):
        bass.append(mido.Message("note_on", channel=0, note=40, velocity=90, time=0))
        bass.append(mido.Message("note_off", channel=0, note=40, time=96))
        kit = (36, 42, 54) if beat % 2 == 0 else (38, 42)
        drums += [mido.Message("note_on", channel=9, note=note, velocity=100) for note in kit]
        drums += [mido.Message("note_off", channel=9, note=note, time=0) for note in kit]
        drums.append(mido.MetaMessage("text", text="beat", time=96))
    midi.tracks += [tempo, bass, drums]
    midi.save(path)
    return path


def archive(path: Path, lumps: dict[str, bytes]) -> Path:
    """A Doom archive."""
    body, table, at = b"", b"", 12
    for name, content in lumps.items():
        table += struct.pack("<ii8s", at, len(content), name.encode())
        body += content
        at += len(content)
    path.write_bytes(struct.pack("<4sii", b"IWAD", len(lumps), at) + body + table)
    return path


def notes(midi: mido.MidiFile) -> set[tuple[int, int]]:
    return {(m.channel, m.note) for m in midi if m.type == "note_on" and m.velocity}


def test_the_kit_is_parted_from_the_band(tmp_path: Path) -> None:
    (one,) = song_set.read_songs([song(tmp_path / "one.mid")])
    assert one.name == "one"
    assert notes(one.drums) == {(9, 36), (9, 38), (9, 42)}
    assert notes(one.band) == {(0, 40), (9, 54)}  # hand percussion is not of the kit
    assert one.drums.length == one.band.length == pytest.approx(2.0 * BARS)


def test_songs_of_an_archive_are_read_once_and_those_without_drums_not(tmp_path: Path) -> None:
    whole = song(tmp_path / "a.mid").read_bytes()
    short = song(tmp_path / "b.mid", bars=2).read_bytes()
    lumps = {"PLAYPAL": b"colours", "D_E1M1": whole, "D_E1M2": whole, "D_INTRO": short}
    found = [*song_set.read_songs([archive(tmp_path / "game.wad", lumps)])]
    assert [one.name for one in found] == ["game-d_e1m1"]


def test_drums_that_come_after_all_that_is_played_are_none(tmp_path: Path) -> None:
    late = mido.MidiFile(song(tmp_path / "late.mid"))
    late.tracks[2].insert(0, mido.MetaMessage("text", text="rest", time=96 * 2 * 150))
    late.save(tmp_path / "late.mid")
    assert not [*song_set.read_songs([tmp_path / "late.mid"])]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mid: No such file"):
        [*song_set.read_songs([tmp_path / "none.mid"])]
    (tmp_path / "text.mid").write_text("text")
    with pytest.raises(InputError, match=r"text\.mid: text: not a MIDI file"):
        [*song_set.read_songs([tmp_path / "text.mid"])]
    several = mido.MidiFile(song(tmp_path / "one.mid"))
    several.type = 2
    several.save(tmp_path / "several.mid")
    with pytest.raises(InputError, match=r"several\.mid: several: holds several songs"):
        [*song_set.read_songs([tmp_path / "several.mid"])]
    (tmp_path / "short.wad").write_bytes(b"IWAD")
    with pytest.raises(InputError, match=r"short\.wad: the archive is damaged"):
        [*song_set.read_songs([tmp_path / "short.wad"])]
    damaged = archive(tmp_path / "game.wad", {"D_E1M1": b"MThd"}).read_bytes()[:-4]
    (tmp_path / "game.wad").write_bytes(damaged)
    with pytest.raises(InputError, match=r"game\.wad: the archive is damaged"):
        [*song_set.read_songs([tmp_path / "game.wad"])]


def test_the_truth_has_all_that_is_played_and_no_more(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 s, which is more than is played, and of a song with changes of tempo."""
    long = song(tmp_path / "long.mid", bars=100)
    moving = mido.MidiFile(song(tmp_path / "moving.mid"))
    moving.tracks[0].append(mido.MetaMessage("set_tempo", tempo=333_333, time=96 * 21))
    moving.save(tmp_path / "moving.mid")
    monkeypatch.setattr(song_set, "play_band", _nothing)
    songs = [*song_set.read_songs([long, tmp_path / "moving.mid"])]
    library = load_library(*sources.oneshots)
    song_set.render_set(tmp_path, songs, library, sources.impulses, tmp_path / "any.sf2")
    for one in songs:
        truth = read_performance(tmp_path / f"{one.name}.mid")
        played = sorted(stroke.onset for stroke in one.strokes)
        np.testing.assert_allclose(np.sort(truth.seconds), played, atol=1e-6)
    assert songs[0].strokes[-1].onset == pytest.approx(147.5)


def _nothing(band: mido.MidiFile, soundfont: Path, seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * song_set.RATE), np.float32)


def test_two_songs_of_one_name_and_a_file_for_a_folder_are_refused(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(song_set, "play_band", _nothing)
    file = song(tmp_path / "one.mid", bars=16)
    twice = [*song_set.read_songs([file, file])]
    rest = (load_library(*sources.oneshots), sources.impulses, tmp_path / "any.sf2")
    with pytest.raises(InputError, match="one: two songs of this name"):
        song_set.render_set(tmp_path / "out", twice, *rest)
    with pytest.raises(InputError, match=r"cannot write .*one\.mid: File exists"):
        song_set.render_set(file, twice, *rest)


def test_a_kit_that_is_not_there_is_named(sources: Sources) -> None:
    with pytest.raises(InputError, match=r"index\.csv: no kit gretsch"):
        load_library(*sources.oneshots, only=["gretsch"])


def test_names_of_lumps_are_names_of_files(tmp_path: Path) -> None:
    whole = song(tmp_path / "a.mid").read_bytes()
    found = song_set.read_songs([archive(tmp_path / "game.wad", {"D/A\0x": whole})])
    assert [one.name for one in found] == ["game-d-a"]


def test_fluidsynth_plays_the_band_when_it_should(tmp_path: Path) -> None:
    """A bass that rests for two seconds, on whatever soundfont this machine has."""
    pytest.importorskip("fluidsynth", reason="needs FluidSynth")
    fonts = sorted(Path("/usr/share/sounds").glob("sf2/*.sf2"))
    if not fonts:
        pytest.skip("no soundfont on this machine")
    bass = mido.MidiTrack()
    for wait in (2 * 960, 0):
        bass.append(mido.Message("program_change", channel=0, program=33, time=wait))
        bass.append(mido.Message("note_on", channel=0, note=40, velocity=110, time=0))
        bass.append(mido.Message("note_off", channel=0, note=40, time=480))
    band = mido.MidiFile(tracks=[bass])  # 480 ticks a quarter, 120 a minute
    sound = song_set.play_band(band, fonts[0], 4.0)
    assert sound.shape == (4 * song_set.RATE,)
    second = [float(np.std(part)) for part in np.split(sound, 4)]
    assert max(second[:2]) < 1e-3
    assert second[2] > 0.01


def test_drums_sound_where_the_truth_has_them_and_as_far_under_the_band_as_asked(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hum(band: mido.MidiFile, soundfont: Path, seconds: float) -> np.ndarray:
        assert notes(band) == {(0, 40), (9, 54)}
        time = np.arange(int(seconds * song_set.RATE)) / song_set.RATE
        return np.sin(2 * np.pi * 50.0 * time).astype(np.float32)

    monkeypatch.setattr(song_set, "play_band", hum)
    out, library = tmp_path / "out", load_library(*sources.oneshots)
    songs = [*song_set.read_songs([song(tmp_path / "one.mid")])]
    made = {}
    for under in (0.0, 12.0):
        args = (out, songs, library, sources.impulses, tmp_path / "any.sf2")
        assert song_set.render_set(*args, under_db=under) == 1
        mix, rate = soundfile.read(out / "one.flac")
        assert rate == song_set.RATE
        made[under] = mix / np.abs(np.fft.rfft(mix)).max()  # the hum is the strongest line
    truth = read_performance(out / "one.mid")
    kit = np.array(truth.classes)
    for name, wanted in (("KD", (0.0, 1.0)), ("SD", (0.5, 1.0)), ("HH", (0.0, 0.5))):
        played = np.arange(wanted[0], 2.0 * BARS, wanted[1])
        np.testing.assert_allclose(truth.seconds[kit == name], played, atol=1e-9)
    loud, soft = (_without_hum(mix) for mix in made.values())
    assert np.std(soft) / np.std(loud) == pytest.approx(10.0 ** (-12.0 / 20.0), rel=0.05)
    # Just after a beat there is more than just before it.
    after, before = (_level_at(loud, np.arange(0.5, 30.0, 0.5) + shift) for shift in (0.01, -0.03))
    assert np.all(after > 3.0 * before)


def _without_hum(mix: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(mix)
    frequencies = np.fft.rfftfreq(len(mix), 1 / song_set.RATE)
    spectrum[np.abs(frequencies - 50.0) < 10.0] = 0.0
    return np.fft.irfft(spectrum, len(mix))


def _level_at(mix: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    first = (seconds * song_set.RATE).astype(int)
    return np.array([np.std(mix[start : start + 800]) for start in first])
