"""A picture of a transcription over time. Importing this module imports matplotlib."""

# matplotlib's methods are typed in part only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from drum2midi.audio import read_audio
from drum2midi.drums import DRUMS
from drum2midi.files import replacing
from drum2midi.transcription import Transcription

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RATE: Final = 2000  # samples a second suffice for an outline
_INCHES_PER_SECOND: Final = 0.45
_LEAST_WIDTH, _GREATEST_WIDTH = 9.0, 160.0  # inches
_DPI: Final = 100
_COLOURS: Final = {
    "KD": "tab:blue", "SD": "tab:red", "TT": "tab:purple", "HH": "tab:green", "CY": "tab:orange",
}  # fmt: skip


def write_plot(
    transcription: Transcription,
    path: str | Path,
    *,
    recording: str | Path | None = None,
    start: float = 0.0,
) -> None:
    """Write a ``.png``: the recording's outline, the strokes by drum, beats and bars.

    Parameters
    ----------
    transcription : Transcription
    path : path
    recording : path, optional
        Left out, the strokes stand alone.
    start : float
        Seconds of the recording at which the transcription's times begin.

    Raises
    ------
    InputError
        If the recording cannot be read or the file not be written.
    """
    seconds = max(transcription.duration, transcription.grid.end)
    width = min(max(_LEAST_WIDTH, _INCHES_PER_SECOND * seconds), _GREATEST_WIDTH)
    heights = [3.0, 1.2] if recording is not None else [3.0]
    figure = Figure(figsize=(width, sum(heights) + 0.6), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
    ).flat
    strokes = panels[0]
    strokes.set_title(_printable(transcription), loc="left", parse_math=False)
    strokes.set_xlim(0.0, seconds)
    _draw_strokes(strokes, transcription)
    if recording is not None:
        _draw_outline(panels[1], Path(recording), start, seconds)
    for panel in panels:
        _draw_grid(panel, transcription)
    panels[-1].set_xlabel("seconds")
    with replacing(Path(path)) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a title in another script
        figure.savefig(temporary, format="png")


def _printable(transcription: Transcription) -> str:
    grid = transcription.grid
    title = "".join(letter for letter in transcription.title if letter.isprintable())
    return f"{title}: {grid.tempo:.1f} bpm, {grid.metre}"


def _draw_strokes(panel: Axes, transcription: Transcription) -> None:
    """A row for each drum that is played, the feet at the bottom, louder strokes larger."""
    played = {note.drum for note in transcription.notes}
    rows = [drum for drum in DRUMS if drum in played]
    for row, drum in enumerate(rows):
        notes = [note for note in transcription.notes if note.drum == drum]
        sizes = [6.0 + 60.0 * (note.velocity / 127) ** 2 for note in notes]
        panel.scatter(
            [note.onset for note in notes], [row] * len(notes), s=sizes, marker="|",
            linewidths=2.0, color=_COLOURS[drum.scoring], zorder=3,
        )  # fmt: skip
    panel.set_yticks(range(len(rows)), [drum.name for drum in rows])
    panel.set_ylim(-0.7, len(rows) - 0.3)


def _draw_outline(panel: Axes, recording: Path, start: float, seconds: float) -> None:
    """The loudest sample of every hundredth of a second."""
    samples = read_audio(recording, sample_rate=_RATE, start=start, end=start + seconds).samples
    step = _RATE // 100
    peaks = np.abs(np.pad(samples, (0, -len(samples) % step))).reshape(-1, step).max(axis=1)
    times = np.arange(len(peaks)) * step / _RATE
    panel.fill_between(times, -peaks, peaks, color="0.45", linewidth=0)
    panel.set_yticks([])


def _draw_grid(panel: Axes, transcription: Transcription) -> None:
    """Thin lines on beats, strong ones on bars, every fourth bar numbered."""
    grid = transcription.grid
    for index, bar in enumerate(grid.bars):
        for beat in bar.beats[1:]:
            panel.axvline(beat, color="0.85", linewidth=0.6, zorder=1)
        panel.axvline(bar.beats[0], color="0.55", linewidth=1.0, zorder=2)
        if index % 4 == 0 and panel.get_title(loc="left"):
            panel.annotate(
                str(index + grid.first_number), (bar.beats[0], 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, -9), textcoords="offset points", fontsize=7, color="0.4",
            )  # fmt: skip
    panel.axvline(grid.end, color="0.55", linewidth=1.0, zorder=2)
