from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi.audio import duration, read_audio
from drum2midi.errors import InputError

SECONDS = 2.0


def tone(rate: int) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * 440 * np.arange(int(SECONDS * rate)) / rate)).astype("f4")


def write(path: Path, samples: np.ndarray, rate: int, **options: str | float) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_any_sample_rate_comes_out_at_the_one_wanted(tmp_path: Path, rate: int) -> None:
    audio = read_audio(write(tmp_path / "a.wav", tone(rate), rate), sample_rate=44100)
    assert audio.sample_rate == 44100
    assert audio.samples.dtype == np.float32
    assert audio.duration == pytest.approx(SECONDS, abs=1e-3)
    expected = tone(44100)[4410:-4410]
    np.testing.assert_allclose(audio.samples[4410 : 4410 + len(expected)], expected, atol=2e-3)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    audio = read_audio(write(tmp_path / f"a.{suffix}", tone(44100), 44100), sample_rate=44100)
    assert audio.duration == pytest.approx(SECONDS, abs=0.06)
    assert np.sqrt(np.mean(audio.samples**2)) == pytest.approx(0.4 / 2**0.5, rel=0.03)


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x01\x10" + bytes(144)])
@pytest.mark.parametrize("bitrates", ["VARIABLE", "CONSTANT"])
def test_an_mp3_that_does_not_say_how_long_it_is(tmp_path: Path, bitrates: str, tag: bytes) -> None:
    """As a player of streams, or a program that cuts them, writes it."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * 44100)
    samples = np.concatenate((noise, 0.003 * noise, 0.003 * noise, 0.003 * noise)).astype("f4")
    path = write(
        tmp_path / "told.mp3", samples, 44100, bitrate_mode=bitrates, compression_level=0.5
    )
    told = path.read_bytes()
    frames = tmp_path / "untold.mp3"
    frames.write_bytes(tag + told[told.index(b"\xff\xfb", told.index(b"\xff\xfb") + 4) :])
    audio = read_audio(frames, sample_rate=44100)
    assert audio.duration == pytest.approx(16.0, abs=0.08)
    assert duration(frames) == audio.duration
    whole = read_audio(path, sample_rate=44100).samples
    late = len(audio.samples) - len(whole)  # nothing tells the coder's silence before it either
    lag = int(np.argmax(np.correlate(audio.samples[:8192], whole[2048:4096], "valid"))) - 2048
    assert 0 <= lag <= late
    np.testing.assert_allclose(
        audio.samples[lag + 4410 : lag + 44100], whole[4410:44100], atol=0.02
    )
    part = read_audio(frames, sample_rate=44100, start=1.0, end=2.0)
    np.testing.assert_array_equal(part.samples, audio.samples[44100:88200])
    assert not any(thread.daemon for thread in threading.enumerate())


def test_opus(tmp_path: Path) -> None:
    path = write(tmp_path / "a.opus", tone(48000), 48000, format="OGG", subtype="OPUS")
    assert read_audio(path, sample_rate=44100).duration == pytest.approx(SECONDS, abs=0.06)
    assert duration(path) == pytest.approx(SECONDS, abs=0.06)


def test_m4a(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="needs drum2midi[m4a]")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(44100)[None], format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    audio = read_audio(path, sample_rate=44100)
    assert audio.duration == pytest.approx(SECONDS, abs=0.06)
    assert duration(path) == audio.duration
    assert np.sqrt(np.mean(audio.samples**2)) == pytest.approx(0.4 / 2**0.5, rel=0.05)


@pytest.mark.parametrize("name", ["a.wav", "a.mkv", "recording", "a.oga"])
def test_what_libsndfile_cannot_read_ffmpeg_does(tmp_path: Path, name: str) -> None:
    """An m4a under another name, a video, and FLAC in Ogg as FFmpeg writes it."""
    av = pytest.importorskip("av", reason="needs drum2midi[m4a]")
    form, codec = {"a.mkv": ("matroska", "aac"), "a.oga": ("ogg", "flac")}.get(name, ("mp4", "aac"))
    path, rate = tmp_path / name, 44100
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        shape = "s16" if codec == "flac" else "fltp"
        samples = tone(rate)[None]
        samples = (samples * 32767).astype(np.int16) if codec == "flac" else samples
        frame = av.AudioFrame.from_ndarray(samples, format=shape, layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    audio = read_audio(path, sample_rate=rate)
    assert audio.duration == pytest.approx(SECONDS, abs=0.06)
    assert duration(path) == pytest.approx(audio.duration, abs=0.06)
    assert np.sqrt(np.mean(audio.samples**2)) == pytest.approx(0.4 / 2**0.5, rel=0.05)


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_floats_on_the_scale_of_integers_are_heard(
    tmp_path: Path, bits: int, caplog: pytest.LogCaptureFixture
) -> None:
    samples = tone(44100)
    samples[100] = -1.0
    loud = samples * np.float32(2.0 ** (bits - 1))
    path = write(tmp_path / "a.wav", loud, 44100, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_audio(path, sample_rate=44100).samples, loud)
    assert caplog.text == ""


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    samples = np.zeros((1000, channels), np.float32)
    samples[:, 0] = 0.6
    audio = read_audio(write(tmp_path / "a.wav", samples, 44100), sample_rate=44100)
    np.testing.assert_allclose(audio.samples, 0.6 / channels, atol=1e-4)


def test_channels_that_would_cancel_each_other(tmp_path: Path) -> None:
    one = tone(44100)
    wired = write(tmp_path / "a.wav", np.stack((one, -one), axis=1), 44100)
    heard = read_audio(wired, sample_rate=44100).samples
    np.testing.assert_allclose(heard, one, atol=1e-4)
    wide = write(tmp_path / "b.wav", np.stack((one, -0.85 * one), axis=1), 44100)
    np.testing.assert_allclose(read_audio(wide, sample_rate=44100).samples, 0.075 * one, atol=1e-4)


def test_a_passage(tmp_path: Path) -> None:
    ramp = np.linspace(-1, 1, 44100 * 25, dtype=np.float32)
    path = write(tmp_path / "a.wav", ramp, 44100, subtype="FLOAT")
    audio = read_audio(path, sample_rate=44100, start=9.5, end=21.0)
    np.testing.assert_array_equal(audio.samples, ramp[int(9.5 * 44100) : 21 * 44100])


def test_samples_that_are_no_numbers_are_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    samples = np.full(1000, 0.25, np.float32)
    samples[10:20] = [np.nan, np.inf] * 5
    path = write(tmp_path / "a.wav", samples, 44100, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        audio = read_audio(path, sample_rate=44100)
    assert "no numbers" in caplog.text
    assert audio.samples[10:20].tolist() == [0.0] * 10
    assert audio.samples[30] == 0.25


def test_a_truncated_wav_gives_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(44100), 44100)
    path.write_bytes(path.read_bytes()[:60_000])
    assert read_audio(path, sample_rate=44100).duration == pytest.approx(0.68, abs=0.01)


def test_a_truncated_flac_gives_what_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noise = np.random.default_rng(0).normal(size=44100 * 30) * 0.1
    path = write(tmp_path / "a.flac", noise, 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    audio = read_audio(path, sample_rate=44100)
    assert 14.0 <= audio.duration <= 15.1
    assert "using what came before" in caplog.text


def test_a_flac_that_breaks_off_in_the_head_of_a_frame(tmp_path: Path) -> None:
    """Where libsndfile does not find back into the file that it has open."""
    noise = np.random.default_rng(0).normal(size=44100 * 4) * 0.1
    whole = write(tmp_path / "a.flac", noise, 44100).read_bytes()
    head = whole.index(b"\xff\xf8", len(whole) // 2)
    for size in range(head, head + 24):
        path = tmp_path / "b.flac"
        path.write_bytes(whole[:size])
        assert 1.8 <= read_audio(path, sample_rate=44100).duration <= 2.1


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(44100), 44100)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.wav"))
    path.rename(odd)
    assert read_audio(odd, sample_rate=44100).duration == SECONDS


def test_absurd_samples_are_damage(tmp_path: Path) -> None:
    samples = np.array([0.1, 1e30, -1e30, 0.1], np.float32)
    path = write(tmp_path / "a.wav", samples, 44100, subtype="FLOAT")
    np.testing.assert_allclose(
        read_audio(path, sample_rate=44100).samples, [0.1, 0.0, 0.0, 0.1], atol=1e-7
    )


def errors(path: Path, **options: float) -> str:
    with pytest.raises(InputError) as caught:
        read_audio(path, sample_rate=44100, **options)
    return str(caught.value)


def test_errors_name_the_file_and_the_reason(tmp_path: Path) -> None:
    missing = tmp_path / "none.wav"
    assert errors(missing) == f"{missing}: no such file"
    assert errors(tmp_path) == f"{tmp_path}: is a folder, not a recording"
    empty = tmp_path / "empty.wav"
    empty.touch()
    assert errors(empty) == f"{empty}: is empty"
    text = tmp_path / "text.wav"
    text.write_text("not audio at all, just words " * 20)
    assert errors(text).startswith(f"{text}: not audio that can be read (")
    none = write(tmp_path / "zero.wav", np.zeros(0, np.float32), 44100)
    assert errors(none) == f"{none}: has no samples in it"
    os.mkfifo(tmp_path / "pipe.wav")
    assert "is not a file" in errors(tmp_path / "pipe.wav")
    short = write(tmp_path / "short.wav", tone(44100), 44100)
    assert errors(short, start=5.0) == f"{short}: is only 2.0 s long, the passage begins later"
    assert "not a passage" in errors(short, start=float("inf"))
    assert "the end comes first" in errors(short, start=1.0, end=0.5)
    film = tmp_path / "film.m4a"
    film.write_text("words " * 100)
    assert errors(film).startswith(f"{film}: ")
