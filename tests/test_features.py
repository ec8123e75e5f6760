from __future__ import annotations

import librosa
import numpy as np
import pytest

from drum2midi.features import FeatureSettings, log_mel, mel_filters, mel_power, normalise

SETTINGS = FeatureSettings()


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=100_000).astype(np.float32) * 0.1


def test_filters_are_librosas_up_to_their_sum() -> None:
    theirs = librosa.filters.mel(sr=44100, n_fft=2048, n_mels=96, fmin=30, fmax=17000, norm=None).T
    np.testing.assert_allclose(mel_filters(SETTINGS), theirs / theirs.sum(axis=0), atol=2e-6)


def test_power_is_librosas(noise: np.ndarray) -> None:
    theirs = librosa.feature.melspectrogram(
        y=noise, sr=44100, n_fft=2048, hop_length=441, n_mels=96, fmin=30, fmax=17000,
        norm=None, center=True, pad_mode="constant",
    ).T  # fmt: skip
    theirs /= librosa.filters.mel(
        sr=44100, n_fft=2048, n_mels=96, fmin=30, fmax=17000, norm=None
    ).sum(axis=1)
    ours = mel_power([noise], SETTINGS)
    assert ours.shape == theirs.shape == (1 + 100_000 // 441, 96)
    np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=1e-6 * theirs.max())


@pytest.mark.parametrize("size", [1, 440, 441, 2048, 44100, 99_999])
def test_blocks_of_any_size_give_the_same(noise: np.ndarray, size: int) -> None:
    audio = noise[:20_000] if size == 1 else noise
    blocks = [audio[i : i + size] for i in range(0, len(audio), size)]
    np.testing.assert_allclose(mel_power(blocks, SETTINGS), mel_power([audio], SETTINGS), rtol=1e-5)


def test_long_audio_crosses_chunks(noise: np.ndarray) -> None:
    audio = np.tile(noise, 11)
    frames = mel_power(np.array_split(audio, 7), SETTINGS)
    assert len(frames) == 1 + len(audio) // 441
    middle = mel_power([audio[441 * 1500 : 441 * 2500]], SETTINGS)
    np.testing.assert_allclose(frames[1510:2490], middle[10:990], rtol=1e-4)


def test_what_is_no_block_of_mono_audio_is_said(noise: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a block is 0-dimensional; give blocks of mono audio"):
        mel_power(noise, SETTINGS)
    with pytest.raises(ValueError, match="a block is 2-dimensional"):
        mel_power([np.stack((noise, noise))], SETTINGS)


def test_level_of_the_recording_does_not_matter(noise: np.ndarray) -> None:
    loud, quiet = (log_mel([noise * gain], SETTINGS) for gain in (1.0, 0.01))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)


def test_silence_around_the_drums_does_not_set_the_level(noise: np.ndarray) -> None:
    quiet = 1e-4 * np.random.default_rng(2).normal(size=40 * len(noise)).astype(np.float32)
    alone = log_mel([noise], SETTINGS)
    amid = log_mel([np.concatenate((noise, quiet))], SETTINGS)
    # The drums' level is found within the 12 dB (0.6) that loud frames may lie under the loudest;
    # what surrounds them, 60 dB below, stays far below.
    assert 0.0 <= float(np.median(amid[:200]) - np.median(alone[:200])) <= 0.62
    assert amid[1000:].max() < -0.5 < 0.5 < np.median(amid[:200])


def test_silence_is_flat_at_the_floor() -> None:
    features = log_mel([np.zeros(44100, np.float32)], SETTINGS)
    np.testing.assert_allclose(features, -2.0)


def test_dither_is_silence() -> None:
    dither = np.random.default_rng(1).uniform(-1, 1, 44100).astype(np.float32) / 32768
    np.testing.assert_allclose(log_mel([dither], SETTINGS), -2.0)


def test_normalise_puts_loud_frames_at_one_and_a_half() -> None:
    power = np.full((100, 96), 1e3, np.float32)
    np.testing.assert_allclose(normalise(power, SETTINGS), 1.5, atol=1e-5)


def test_no_audio_is_one_frame() -> None:
    assert mel_power([np.zeros(0, np.float32)], SETTINGS).shape == (1, 96)
