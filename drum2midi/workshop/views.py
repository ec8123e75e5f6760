"""What a labeller hears and sees of a slice. Importing this module imports matplotlib."""

# matplotlib's methods are typed in part only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from drum2midi.audio import read_audio
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings, mel_filters, mel_power
from drum2midi.workshop.slices import Slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_SEEN: Final = (0.6, 0.9)
"""Seconds before and after the onset that the picture shows."""
_HEARD: Final = (1.0, 1.5)
"""Likewise of what is played around a hit."""
_SAME_LENGTH: Final = 0.1
"""Seconds by which a song may be longer or shorter than it was when it was sliced."""
_SETTINGS: Final = FeatureSettings(hop=147)
_FLOOR_DB: Final = -70.0
_INK, _CLIP, _OTHER, _QUIET = "#24343f", "#f4b942", "#9fb0b9", "#5d6f79"


class Views:
    """Sounds and pictures of a song's slices, made when asked for.

    Parameters
    ----------
    slices : Slices

    Raises
    ------
    InputError
        If the song cannot be read, or is not as long as the one that was sliced.
    """

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self._rate = _SETTINGS.sample_rate
        self._song = read_audio(slices.audio, sample_rate=self._rate).samples
        seconds = len(self._song) / self._rate
        if slices.seconds is not None and abs(seconds - slices.seconds) > _SAME_LENGTH:
            raise InputError(
                f"{slices.audio}: {seconds:.1f} s long, but what was sliced had "
                f"{slices.seconds:.1f} s; slice it anew, or give it its old name back"
            )
        self._drawing = Lock()
        self._pictures = lru_cache(maxsize=64)(self._draw)

    def hit(self, index: int) -> bytes:
        """The clip, as wav."""
        return self._slices.slices[index].clip.read_bytes()

    def around(self, index: int) -> bytes:
        """The hit and what is around it, as wav."""
        onset = self._slices.slices[index].onset
        samples = self._passage(onset - _HEARD[0], onset + _HEARD[1])
        file = io.BytesIO()
        soundfile.write(file, samples, self._rate, subtype="PCM_16", format="WAV")
        return file.getvalue()

    def picture(self, index: int, *, wanted: Callable[[], bool] = lambda: True) -> bytes | None:
        """Waveform and mel spectrogram around the hit, as PNG; none if it is no longer wanted.

        Pictures are drawn one after the other.
        """
        with self._drawing:
            return self._pictures(index) if wanted() else None

    def _passage(self, start: float, end: float) -> NDArray[np.float32]:
        """Samples between two times; silence where the song is not."""
        first, last = round(start * self._rate), round(end * self._rate)
        inside = self._song[max(0, first) : max(0, last)]
        return np.pad(inside, (max(0, -first), 0))[: last - first]

    def _draw(self, index: int) -> bytes:
        onset = self._slices.slices[index].onset
        start, end = onset - _SEEN[0], onset + _SEEN[1]
        samples = self._passage(start, end)
        samples = np.pad(samples, (0, round((end - start) * self._rate) - len(samples)))
        figure = Figure(figsize=(11.0, 3.0), dpi=160, layout="constrained", facecolor="none")
        FigureCanvasAgg(figure)
        wave, mel = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 1.6))
        _draw_wave(wave, samples, start, end)
        _draw_mel(mel, samples, start, end)
        clip = onset - self._slices.preroll, onset - self._slices.preroll + self._slices.length
        wave.axvspan(*clip, color=_CLIP, alpha=0.22, linewidth=0, zorder=0)
        for panel in (wave, mel):
            self._draw_onsets(panel, index)
            for edge in clip:
                panel.axvline(edge, color=_CLIP, linewidth=1.0)
        wave.set_xlim(start, end)
        wave.tick_params(bottom=False)
        mel.set_xlabel("seconds", color=_QUIET, fontsize=9)
        for panel in (wave, mel):
            panel.tick_params(labelsize=8, colors=_QUIET, length=2)
            panel.spines[:].set_visible(False)
        file = io.BytesIO()
        figure.savefig(file, format="png")
        return file.getvalue()

    def _draw_onsets(self, panel: Axes, index: int) -> None:
        """The hit's as a strong line, others as thin ones."""
        song = self._slices
        for place, one in enumerate(song.slices):
            if place != index and abs(one.onset - song.slices[index].onset) < sum(_SEEN):
                panel.axvline(one.onset, color=_OTHER, linewidth=0.8, linestyle=(0, (3, 3)))
        panel.axvline(song.slices[index].onset, color=_CLIP, linewidth=1.8)


def _draw_wave(panel: Axes, samples: NDArray[np.float32], start: float, end: float) -> None:
    """The lowest and the highest sample of every 2 ms."""
    step = _SETTINGS.sample_rate // 500
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    times = np.linspace(start, end, len(blocks))
    panel.fill_between(times, blocks.min(axis=1), blocks.max(axis=1), color=_INK, linewidth=0.4)
    loudest = max(float(np.abs(samples).max()), 1e-3)
    panel.set_ylim(-1.05 * loudest, 1.05 * loudest)
    panel.set_yticks([])


def _draw_mel(panel: Axes, samples: NDArray[np.float32], start: float, end: float) -> None:
    """Levels below the passage's loudest."""
    power = mel_power([samples], _SETTINGS)
    levels = 10.0 * np.log10(np.maximum(power / max(float(power.max()), 1e-9), 1e-9))
    panel.imshow(
        levels.T, origin="lower", aspect="auto", cmap="magma", vmin=_FLOOR_DB, vmax=0.0,
        extent=(start, end, 0.0, _SETTINGS.bands), interpolation="bilinear",
    )  # fmt: skip
    peaks = mel_filters(_SETTINGS).argmax(axis=0) * _SETTINGS.sample_rate / _SETTINGS.window
    marks = {100: "100 Hz", 500: "500 Hz", 2000: "2 kHz", 8000: "8 kHz"}
    panel.set_yticks([float(np.searchsorted(peaks, hertz)) for hertz in marks], marks.values())
