"""Separation, with an HTDemucs made on the spot whose drums are half of the mix."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, place, thump
from scipy.signal import correlate

from drum2midi.errors import InputError

torch = pytest.importorskip("torch")
pytest.importorskip("demucs")
pytest.importorskip("platformdirs")

from demucs.apply import apply_model  # noqa: E402
from demucs.htdemucs import HTDemucs  # noqa: E402
from demucs.states import get_state, save_with_checksum  # noqa: E402

from drum2midi import stems  # noqa: E402
from drum2midi.pipeline import transcribe  # noqa: E402
from drum2midi.separation import (  # noqa: E402
    Passage,
    export_stem,
    is_drum_stem,
    passage_to_hear,
    separate,
)

_TINY = {
    "sources": ["drums", "bass", "other", "vocals"], "channels": 8, "nfft": 512, "depth": 1,
    "segment": 1, "t_layers": 0, "dconv_mode": 0, "freq_emb": 0, "rewrite": False,
}  # fmt: skip


def halving_model() -> HTDemucs:
    """The first convolution copies samples into channels and the last one puts half back."""
    model = HTDemucs(**_TINY)
    encoder, decoder = model.tencoder[0], model.tdecoder[0]
    linear = 50.0  # far from zero a GELU is a straight line
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        encoder.conv.bias.fill_(linear)
        decoder.conv_tr.bias[:2] = -0.5 * linear
        for channel in range(2):
            for sample in range(4):
                encoder.conv.weight[4 * channel + sample, channel, 2 + sample] = 1.0
                # The skip connection doubles what comes in.
                decoder.conv_tr.weight[4 * channel + sample, channel, 2 + sample] = 0.25
    return model.eval()


def random_model() -> HTDemucs:
    torch.manual_seed(3)
    return HTDemucs(**_TINY).eval()


def save(model: HTDemucs, folder: Path) -> Path:
    """As Demucs saves its own: a .th of that signature, and a bag that names it."""
    folder.mkdir(exist_ok=True)
    package = {"klass": HTDemucs, "args": (), "kwargs": _TINY, "state": get_state(model, None)}
    save_with_checksum(package, folder / "tiny.th")
    (folder / "tiny.yaml").write_text("models: ['tiny']\n")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(halving_model(), tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRUM2MIDI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise(seconds: float, *, channels: int = 2, rate: int = RATE) -> np.ndarray:
    shape = (int(seconds * rate), channels)
    return 0.2 * np.random.default_rng(1).normal(size=shape).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.7])
def test_segment_by_segment_is_what_demucs_makes_of_the_whole(
    tmp_path: Path, seconds: float
) -> None:
    model = random_model()
    mix = noise(seconds)
    stem, _ = soundfile.read(
        separate(Passage(write(tmp_path / "mix.wav", mix)), weights=save(model, tmp_path / "w"))
    )
    mono = mix.mean(axis=1)
    level = mono.std() + 1e-8
    scaled = torch.from_numpy((mix - mono.mean()) / level).T[None]
    whole = apply_model(model, scaled, shifts=0, overlap=0.25)[0, 0].numpy().T
    assert len(stem) == len(mix)
    np.testing.assert_allclose(stem, whole * level + mono.mean(), atol=2e-5)
    assert np.abs(stem).max() > 1e-3


@pytest.mark.parametrize(
    ("rate", "channels"), [(44100, 2), (44100, 1), (48000, 2), (22050, 1), (96000, 2), (44100, 5)]
)
def test_time_length_and_level_are_kept(
    tmp_path: Path, weights: Path, rate: int, channels: int
) -> None:
    mix = np.zeros((int(2.345 * rate), channels), np.float32)
    t = np.arange(2000) / rate
    burst = np.sin(2 * np.pi * 900 * t) * np.hanning(2000)
    for at in (0.3, 0.97, 1.5):
        mix[int(at * rate) :][:2000] = 0.8 * burst[:, None]
    path = separate(Passage(write(tmp_path / "mix.wav", mix, rate)), weights=weights)
    stem, stem_rate = soundfile.read(path, always_2d=True)
    assert (stem_rate, len(stem)) == (rate, len(mix))
    assert stem.shape[1] == (2 if channels == 2 else 1)
    np.testing.assert_allclose(stem, np.repeat(0.5 * mix[:, :1], stem.shape[1], 1), atol=4e-3)
    lag = np.argmax(correlate(stem[:, 0], mix[:, 0], method="fft")) - (len(mix) - 1)
    assert lag == 0


def test_left_stays_left(tmp_path: Path, weights: Path) -> None:
    mix = noise(1.5)
    mix[:, 1] *= 0.1
    stem, _ = soundfile.read(separate(Passage(write(tmp_path / "m.wav", mix)), weights=weights))
    assert stem.std(axis=0) == pytest.approx(0.5 * mix.std(axis=0), rel=0.02)


def test_louder_than_full_scale_is_not_cut_off(tmp_path: Path, weights: Path) -> None:
    mix = 20.0 * noise(1.0)
    stem = separate(Passage(write(tmp_path / "m.wav", mix)), weights=weights)
    np.testing.assert_allclose(soundfile.read(stem)[0], 0.5 * mix, atol=0.2)


def test_silence_stays_silence(tmp_path: Path, weights: Path) -> None:
    song = write(tmp_path / "silence.wav", np.zeros((RATE, 2)))
    stem, _ = soundfile.read(separate(Passage(song), weights=weights))
    assert stem.shape == (RATE, 2)
    assert np.abs(stem).max() < 1e-6


def test_a_passage_is_separated_alone(tmp_path: Path, weights: Path) -> None:
    mix = noise(3.0)
    song = write(tmp_path / "mix.wav", mix)
    stem, _ = soundfile.read(separate(Passage(song, 1.0, 2.0), weights=weights))
    np.testing.assert_allclose(stem, 0.5 * mix[RATE : 2 * RATE], atol=5e-3)


def test_long_songs_are_held_a_segment_at_a_time(weights: Path) -> None:
    from drum2midi.demucs_model import load_separator

    taken = 0

    def blocks():
        nonlocal taken
        while True:
            taken += 1
            yield np.zeros((RATE // 2, 2), np.float32)

    drums = load_separator("htdemucs", weights).drums(blocks(), 3600 * RATE)
    for count in range(1, 6):
        assert len(next(drums)) == int(0.75 * RATE)
        assert taken <= 2 + 1.5 * count + 1


def test_progress_rises_to_one(tmp_path: Path, weights: Path) -> None:
    told: list[float] = []
    song = write(tmp_path / "mix.wav", noise(3.0))
    separate(Passage(song), weights=weights, progress=told.append)
    assert told == sorted(told)
    assert len(told) > 3
    assert told[-1] == 1.0


def test_safetensors_and_a_file_alone(tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    folder = tmp_path / "w"
    folder.mkdir()
    about = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(_TINY)}
    save_file(halving_model().state_dict(), folder / "tiny.safetensors", metadata=about)
    mix = noise(1.0)
    song = write(tmp_path / "mix.wav", mix)
    stem, _ = soundfile.read(separate(Passage(song), weights=folder))
    np.testing.assert_allclose(stem, 0.5 * mix, atol=5e-3)


def test_the_cache_knows_content_passage_and_weights(
    tmp_path: Path, weights: Path, cache: Path
) -> None:
    song = write(tmp_path / "mix.wav", noise(1.0))
    first = separate(Passage(song), weights=weights)
    made = first.stat().st_ino
    song.rename(tmp_path / "other-name.wav")
    again = separate(Passage(tmp_path / "other-name.wav"), weights=weights)
    assert (again, again.stat().st_ino) == (first, made)
    other = write(tmp_path / "mix.wav", noise(1.1))
    others = {
        first,
        separate(Passage(other), weights=weights),
        separate(Passage(other, 0.5), weights=weights),
        separate(Passage(other), weights=save(random_model(), tmp_path / "w")),
    }
    assert len(others) == 4
    assert set(cache.iterdir()) == others


def test_the_cache_forgets_what_was_not_used_for_longest(
    tmp_path: Path, weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = separate(Passage(write(tmp_path / "a.wav", noise(1.0))), weights=weights)
    used = separate(Passage(write(tmp_path / "b.wav", noise(1.2))), weights=weights)
    for path, age in ((old, 50.0), (used, 60.0)):
        os.utime(path, (time.time() - age,) * 2)
    separate(Passage(tmp_path / "b.wav"), weights=weights)
    monkeypatch.setattr(stems, "LIMIT", used.stat().st_size * 2 + 200_000)
    new = separate(Passage(write(tmp_path / "c.wav", noise(1.3))), weights=weights)
    assert set(cache.iterdir()) == {used, new}


def test_a_killed_run_leaves_no_stem(tmp_path: Path, weights: Path, cache: Path) -> None:
    song = write(tmp_path / "long.wav", noise(90.0))
    command = [sys.executable, "-m", "drum2midi", "separate", str(song), "--weights", str(weights)]
    with subprocess.Popen(command) as process:
        while not list(cache.glob(".*.wav")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert [path.name[0] for path in cache.iterdir()] == ["."]
    assert not (tmp_path / "long-drums.wav").exists()
    left = next(cache.iterdir())
    song = write(tmp_path / "short.wav", noise(1.0))
    stem = separate(Passage(song), weights=weights)
    assert set(cache.iterdir()) == {left, stem}  # another run may be writing it
    os.utime(left, (time.time() - 7200,) * 2)
    with stems.store_stem("x") as temporary:
        temporary.write_bytes(b"")
    assert left not in set(cache.iterdir())


def test_an_error_leaves_nothing_in_the_cache(tmp_path: Path, weights: Path, cache: Path) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    song = write(tmp_path / "mix.wav", noise(3.0))
    with pytest.raises(KeyboardInterrupt):
        separate(Passage(song), weights=weights, progress=stop)
    assert list(cache.iterdir()) == []


def test_weights_that_cannot_be_used(tmp_path: Path, weights: Path) -> None:
    song = Passage(write(tmp_path / "mix.wav", noise(1.0)))

    def reason(folder: Path) -> str:
        with pytest.raises(InputError) as error:
            separate(song, weights=folder)
        return str(error.value)

    assert reason(tmp_path / "none").startswith(f"{tmp_path / 'none'}: no folder of weights")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "must hold one .yaml with the files it names, or one file alone" in reason(empty)
    (empty / "tiny.yaml").write_text("models: ['tiny']\n")
    assert "there is no file of tiny" in reason(empty)
    (empty / "tiny.yaml").write_text("[")
    assert "tiny.yaml names no models" in reason(empty)
    (empty / "tiny.yaml").unlink()
    (empty / "tiny.th").write_text("no weights")
    assert "tiny.th is damaged" in reason(empty)
    (empty / "tiny.th").unlink()
    (empty / "tiny.safetensors").write_text("no weights")
    assert "tiny.safetensors is damaged" in reason(empty)
    copy = tmp_path / "copy"
    copy.mkdir()
    whole = next(weights.glob("*.th"))
    (copy / whole.name).write_bytes(whole.read_bytes()[:-1000])
    assert "Invalid checksum" in reason(copy)


def without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither of Demucs' repositories answers."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("HF_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def test_weights_that_cannot_be_fetched(
    beat_wav: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    without_weights(tmp_path, monkeypatch)
    pad = 0.3 * np.sin(2 * np.pi * 330 * np.arange(9 * RATE) / RATE)
    mix = write(tmp_path / "mix.wav", soundfile.read(beat_wav)[0] + pad)
    with pytest.raises(InputError, match=r"weights of Demucs cannot be had .*--weights FOLDER"):
        transcribe(mix, separate="always")
    with caplog.at_level(logging.WARNING):
        song = transcribe(mix, separate="auto")
    assert len(song.hits) >= 14
    assert f"{mix}: listening to the mix, since the weights" in caplog.text


def test_without_demucs(beat_wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drum2midi.errors.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"this needs demucs: pip install 'drum2midi\[separate\]'"):
        separate(Passage(beat_wav))


def test_modes(beat_wav: Path, weights: Path, cache: Path) -> None:
    whole = Passage(beat_wav)
    assert passage_to_hear(whole, "never", weights=weights) == whole
    assert is_drum_stem(whole)
    assert passage_to_hear(whole, "auto", weights=weights) == whole
    assert not cache.exists()
    stem = passage_to_hear(Passage(beat_wav, 1.0, 3.0), "always", weights=weights)
    assert stem.path.parent == cache
    assert (stem.start, stem.end) == (0.0, None)
    with pytest.raises(InputError, match="none of never, auto, always"):
        passage_to_hear(whole, "maybe")


def test_a_mix_is_no_stem(tmp_path: Path, weights: Path, cache: Path) -> None:
    strokes = place(thump(), [0.5 * i for i in range(12)], 6.0)
    chord = sum(np.sin(2 * np.pi * f * np.arange(len(strokes)) / RATE) for f in (220, 277, 330))
    mix = Passage(write(tmp_path / "mix.wav", 0.5 * strokes + 0.1 * chord))
    assert not is_drum_stem(mix)
    assert passage_to_hear(mix, "auto", weights=weights).path.parent == cache


def test_hits_of_a_stem_are_at_the_times_of_the_mix(beat_wav: Path, weights: Path) -> None:
    told: list[float] = []
    mix = transcribe(beat_wav, start=1.0, end=6.0)
    stem = transcribe(
        beat_wav, start=1.0, end=6.0, separate="always", weights=weights, progress=told.append
    )
    assert [hit.drum for hit in stem.hits] == [hit.drum for hit in mix.hits]
    assert [h.onset for h in stem.hits] == pytest.approx([h.onset for h in mix.hits], abs=0.002)
    assert stem.title == "beat"
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "drum2midi", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command(tmp_path: Path, weights: Path) -> None:
    mix = noise(1.0)
    song = write(tmp_path / "song.wav", mix)
    done = command("separate", song, "--weights", weights)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    stem, rate = soundfile.read(tmp_path / "song-drums.wav")
    assert rate == RATE
    np.testing.assert_allclose(stem, 0.5 * mix, atol=5e-3)
    again = command("separate", song, "--weights", weights)
    assert "song-drums.wav: it is there already; -o names another or that one" in again.stderr
    doc = command("separate", song, "-o", tmp_path / "a.doc", "--weights", weights)
    assert doc.returncode == 1
    assert doc.stderr == f"drum2midi: {tmp_path / 'a.doc'}: a stem is written as .wav or .flac\n"
    same = command("separate", song, "-o", song, "--weights", weights)
    assert same.stderr == f"drum2midi: cannot write {song}: it is the recording itself\n"
    assert command("separate", ".").stderr == "drum2midi: .: is a folder, not a recording\n"
    none = command("separate", tmp_path / "none.wav", "--weights", weights)
    assert none.stderr == f"drum2midi: {tmp_path / 'none.wav'}: no such file\n"


def test_the_main_command(beat_wav: Path, tmp_path: Path, weights: Path, cache: Path) -> None:
    arguments = (beat_wav, "-o", tmp_path / "a.mid", "--weights", weights)
    done = command(*arguments, "--separate", "always")
    assert (done.returncode, done.stderr) == (0, "")
    assert "8 kick" in done.stdout
    assert len(list(cache.iterdir())) == 1
    bad = command(*arguments, "--separate", "maybe")
    assert (bad.returncode, bad.stderr) == (
        1, "drum2midi: --separate maybe: none of never, auto, always\n",
    )  # fmt: skip


def test_flac_holds_the_same_to_24_bits(tmp_path: Path, weights: Path) -> None:
    stem = separate(Passage(write(tmp_path / "mix.wav", noise(1.0))), weights=weights)
    export_stem(stem, tmp_path / "drums.flac")
    np.testing.assert_allclose(
        soundfile.read(tmp_path / "drums.flac")[0], soundfile.read(stem)[0], atol=2e-7
    )


def test_a_folder_that_cannot_hold_stems(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRUM2MIDI_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match="DRUM2MIDI_CACHE names another"):
        separate(Passage(write(tmp_path / "mix.wav", noise(1.0))), weights=weights)
