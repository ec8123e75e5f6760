"""drum2midi: listens to a recording and writes down what the drummer played.

>>> import drum2midi
>>> song = drum2midi.transcribe("song.wav")  # doctest: +SKIP
>>> song.save("song.mid")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from drum2midi.drums import DRUMS, Drum
from drum2midi.errors import InputError

if TYPE_CHECKING:
    from drum2midi.pipeline import transcribe
    from drum2midi.transcription import Bar, Grid, Hit, Metre, Note, Swing, Transcription

# These libraries would tell their makers about this machine, from when they are imported on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__all__ = [
    "DRUMS",
    "Bar",
    "Drum",
    "Grid",
    "Hit",
    "InputError",
    "Metre",
    "Note",
    "Swing",
    "Transcription",
    "transcribe",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def __getattr__(name: str) -> Any:
    # Imported at first use, so that `drum2midi --help` does not wait for numpy.
    if name == "transcribe":
        from drum2midi.pipeline import transcribe

        return transcribe
    if name == "__version__":
        from importlib.metadata import version

        return version("drum2midi")
    if name in __all__:
        from drum2midi import transcription

        return getattr(transcription, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
