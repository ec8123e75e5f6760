"""Studio effects on mono float32 audio, each a pure function.

They stand in for what happens to a kit between the drum and the listener:
equalisers, compressors, tape, rooms. Nothing here aims at a particular device.
"""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.signal
import soundfile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Audio = NDArray[np.float32]

_BLOCK: Final = 128
"""Samples a compressor's level is measured over, about 3 ms."""


def equalise(audio: Audio, rng: np.random.Generator, *, depth_db: float, rate: int) -> Audio:
    """Two random peaking filters (R. Bristow-Johnson's *Audio EQ Cookbook*)."""
    sections = [
        _peaking(
            centre=float(np.exp(rng.uniform(np.log(60.0), np.log(12000.0)))),
            gain_db=float(rng.normal(0.0, depth_db)),
            quality=float(rng.uniform(0.4, 1.6)),
            rate=rate,
        )
        for _ in range(2)
    ]
    return _filter(sections, audio)


def brighten(audio: Audio, rng: np.random.Generator, *, rate: int) -> Audio:
    """A strong boost somewhere from 2 to 10 kHz: what brings out a beater's click."""
    section = _peaking(
        centre=float(np.exp(rng.uniform(np.log(2000.0), np.log(10000.0)))),
        gain_db=float(rng.uniform(4.0, 18.0)),
        quality=float(rng.uniform(0.4, 1.2)),
        rate=rate,
    )
    return _filter([section], audio)


def _filter(sections: ArrayLike, audio: Audio) -> Audio:
    """Second-order sections in single precision.

    The offset, far below anything audible, keeps silence after a sound from decaying
    into denormal numbers, which take a hundred times as long.
    """
    lifted = audio + np.float32(1e-15)
    return np.asarray(scipy.signal.sosfilt(np.asarray(sections, np.float32), lifted), np.float32)


def _peaking(*, centre: float, gain_db: float, quality: float, rate: int) -> list[float]:
    amplitude = 10.0 ** (gain_db / 40.0)
    omega = 2.0 * np.pi * centre / rate
    alpha = np.sin(omega) / (2.0 * quality)
    a0 = 1.0 + alpha / amplitude
    b1 = -2.0 * np.cos(omega) / a0
    return [
        (1.0 + alpha * amplitude) / a0,
        b1,
        (1.0 - alpha * amplitude) / a0,
        1.0,
        b1,
        (1.0 - alpha / amplitude) / a0,
    ]


def low_pass(audio: Audio, cutoff: float, *, rate: int) -> Audio:
    """Fourth-order Butterworth."""
    sections = scipy.signal.butter(4, cutoff, fs=rate, output="sos")
    return _filter(sections, audio)


def high_pass(audio: Audio, cutoff: float, *, rate: int) -> Audio:
    """Second-order Butterworth."""
    return _filter(scipy.signal.butter(2, cutoff, "high", fs=rate, output="sos"), audio)


def compress(
    audio: Audio, *, threshold_db: float, ratio: float, attack: float, release: float, rate: int
) -> Audio:
    """Feed-forward compressor; the threshold is relative to the audio's peak.

    `attack` and `release` are time constants in seconds.
    """
    peak = float(np.abs(audio).max(initial=0.0))
    if peak == 0.0:
        return audio
    blocks = -(-len(audio) // _BLOCK)
    padded = np.pad(np.abs(audio), (0, blocks * _BLOCK - len(audio)))
    level = 20.0 * np.log10(padded.reshape(blocks, _BLOCK).max(axis=1) / peak + 1e-6)
    wanted = np.minimum(0.0, (threshold_db - level) * (1.0 - 1.0 / ratio))
    rise, fall = (float(np.exp(-_BLOCK / (rate * t))) for t in (attack, release))
    gain, smoothed = 0.0, []
    for target in wanted.tolist():
        keep = rise if target < gain else fall
        gain = keep * gain + (1.0 - keep) * target
        smoothed.append(gain)
    at = (np.arange(blocks) + 0.5) * _BLOCK
    curve = np.interp(np.arange(len(audio)), at, 10.0 ** (np.array(smoothed) / 20.0))
    return audio * curve.astype(np.float32)


def saturate(audio: Audio, drive_db: float) -> Audio:
    """Soft clipping; `drive_db` is how far the peak lies above the knee."""
    peak = float(np.abs(audio).max(initial=0.0))
    if peak == 0.0:
        return audio
    drive = 10.0 ** (drive_db / 20.0)
    clipped = np.tanh(audio * np.float32(drive / peak)) * np.float32(peak / np.tanh(drive))
    return np.asarray(clipped, np.float32)


def add_room(audio: Audio, send: Audio, impulse: Audio, *, wet_db: float) -> Audio:
    """The audio plus what a room returns of `send`, at a level relative to the audio's."""
    wet = scipy.signal.oaconvolve(send, impulse)[: len(audio)].astype(np.float32)
    dry_level, wet_level = (float(np.sqrt(np.mean(x**2))) for x in (audio, wet))
    if wet_level == 0.0:
        return audio
    gain = np.float32(10.0 ** (wet_db / 20.0) * dry_level / wet_level)
    return np.asarray(audio + wet * gain, np.float32)


_CODED_AT_ONCE: Final = 1 << 16
_CODECS: Final = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))
_AAC_BITS: Final = (40_000, 64_000, 96_000, 128_000)


def encode(audio: Audio, rng: np.random.Generator, *, rate: int) -> Audio:
    """What is left after a real round trip through mp3, Ogg Vorbis or AAC at some quality.

    Length and timing stay: a decoder that leaves the encoder's delay in is set right. No AAC
    where PyAV is not installed, as on a machine that was lent for its GPU.
    """
    peak = float(np.abs(audio).max(initial=0.0))
    if peak == 0.0:
        return audio
    even = np.asarray(0.9 * audio / peak, np.float32)
    kind = int(rng.integers(len(_CODECS) + (find_spec("av") is not None)))
    if kind < len(_CODECS):
        decoded = _with_libsndfile(even, *_CODECS[kind], float(rng.uniform(0.4, 0.95)), rate)
    else:
        decoded = _with_aac(even, int(rng.choice(_AAC_BITS)), rate)
    decoded = decoded * np.float32(peak / 0.9)
    late = _delay(audio, decoded, most=3000)
    decoded = np.pad(decoded[late:], (0, max(0, len(audio) - len(decoded) + late)))
    return np.asarray(decoded[: len(audio)], np.float32)


def _with_libsndfile(audio: Audio, container: str, codec: str, squeeze: float, rate: int) -> Audio:
    """Encoded and decoded again; `squeeze` from 0, the best, to 1, the smallest."""
    stored = io.BytesIO()
    with soundfile.SoundFile(
        stored, "w", rate, 1, subtype=codec, format=container, compression_level=squeeze
    ) as file:
        # libsndfile's Vorbis encoder overflows its stack when given minutes at once.
        for first in range(0, len(audio), _CODED_AT_ONCE):
            file.write(audio[first : first + _CODED_AT_ONCE])
    stored.seek(0)
    return np.asarray(soundfile.read(stored, dtype="float32")[0], np.float32)


def _with_aac(audio: Audio, bits: int, rate: int) -> Audio:
    """Encoded by FFmpeg's AAC at so many bits a second, and decoded again."""
    import av

    stored = io.BytesIO()
    with av.open(stored, "w", format="adts") as file:
        stream = file.add_stream("aac", rate=rate, layout="mono")
        stream.bit_rate = bits
        for first in range(0, len(audio), _CODED_AT_ONCE):
            block = np.ascontiguousarray(audio[None, first : first + _CODED_AT_ONCE])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, first
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    stored.seek(0)
    with av.open(stored, "r", format="aac") as file:
        decoded = [frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)]
    return np.concatenate(decoded).astype(np.float32)


def _delay(audio: Audio, copy: Audio, *, most: int) -> int:
    """Samples, 0 to `most`, by which a copy is late."""
    # From where something sounds: silence is like any other.
    heard = np.flatnonzero(np.abs(audio) > 0.1 * np.abs(audio).max(initial=0.0))
    first = max(0, int(heard[0]) - most) if len(heard) else 0
    audio, copy = audio[first : first + (1 << 18)], copy[first : first + (1 << 18)]
    length = min(len(audio), len(copy))
    product = scipy.signal.correlate(copy[:length], audio[:length], method="fft")
    return int(np.argmax(product[length - 1 : length + most]))
