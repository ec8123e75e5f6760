"""Model: activations and velocities of every drum over time, by onnxruntime.

The model file holds the parameters of its features and of the peak picking
beside the weights, so that nothing about a model is known anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.dynamics import TOLD, WEIGHTS, Dynamics
from drum2midi.errors import InputError
from drum2midi.features import QUIET_FRAMES, FeatureSettings
from drum2midi.files import FileState, file_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drum2midi.transcription import Hit

METADATA_KEY: Final = "drum2midi"
FORMAT: Final = 1
CLASSIFIER: Final = "classifier"
"""The kind of a model file that `drum2midi.classifier` runs."""

_CHUNK: Final = 3000  # frames, at most, that are kept of one
_OVERLAP: Final = 400
_AT_ONCE: Final = 8  # chunks; a recurrent network is twice as fast on them as on one after another
_CERTAIN: Final = 1e-3  # activations are taken to be this far from 0 and 1


@dataclass(frozen=True)
class PickSettings:
    """How onsets are picked from activations; stored in the model file.

    Attributes
    ----------
    thresholds : tuple of float
        Least activation of an onset, for each scoring class, 0 to 1.
    second : float
        Least activation of a second tom or cymbal struck together with a first.
    ghost : float
        Least activation of a snare's ghost stroke, one softer than
        `drum2midi.onsets.GHOST_VELOCITY`; the threshold of its class if that is higher.
    pedal : float
        Least activation of a hi-hat that the foot closes, which is softer than one that is
        struck; the threshold of its class if that is lower, or if this is 0.
    open_margin : float
        By how much the open hi-hat's activation has to exceed the closed one's.
    reach : int
        Frames on each side that a peak must top.
    gap : float
        Seconds between two strokes of one class.
    chord : float
        Strokes within this many seconds are one onset.
    delay : float
        Seconds that the model's peaks come late.
    recurrence : float
        How far activations move towards what they are where the music comes again, 0 (not
        at all) to 1; the share of `drum2midi.recurrence.heed_repeats`.
    timbre : float
        Logits by which they move towards what the recording's own drums say; the share of
        `drum2midi.timbre.heed_timbre`.
    rhythm : float
        How far they move towards what the rhythm asks for, 0 (not at all) to 1; the share of
        `drum2midi.rhythm.heed_rhythm`.
    """

    thresholds: tuple[float, ...] = (0.5,) * len(SCORING_CLASSES)
    second: float = 0.6
    ghost: float = 0.0
    pedal: float = 0.0
    open_margin: float = 0.0
    reach: int = 2
    gap: float = 0.03
    chord: float = 0.015
    delay: float = 0.0
    recurrence: float = 0.0
    timbre: float = 0.0
    rhythm: float = 0.0


@dataclass(frozen=True, eq=False)
class Activations:
    """What the network hears.

    Attributes
    ----------
    classes : float32, shape (frames, 5)
        Activation of each scoring class, 0 to 1.
    drums : float32, shape (frames, 12)
        Activation of each drum.
    velocities : float32, shape (frames, 12)
        Velocity that a stroke would have, 0 to 1; meaningful at onsets only.
    frame_rate : float
        Frames a second; frame 0 is at 0 s.
    """

    classes: NDArray[np.float32]
    drums: NDArray[np.float32]
    velocities: NDArray[np.float32]
    frame_rate: float

    def frames_at(self, hits: Iterable[Hit]) -> NDArray[np.intp]:
        """The frames nearest to strokes; shape (hits,)."""
        return np.array([round(hit.onset * self.frame_rate) for hit in hits], np.intp)


def without_silence(activations: Activations) -> Activations:
    """Activations less what `drum2midi.features.in_silence` put before and after the audio."""
    inside = slice(QUIET_FRAMES, len(activations.classes) - QUIET_FRAMES)
    return Activations(
        activations.classes[inside],
        activations.drums[inside],
        activations.velocities[inside],
        activations.frame_rate,
    )


def describe(
    features: FeatureSettings,
    picking: PickSettings,
    about: Mapping[str, Any],
    dynamics: Dynamics | None = None,
) -> str:
    """The metadata of a model file, as JSON."""
    return json.dumps(
        {
            **({} if dynamics is None else {"dynamics": asdict(dynamics)}),
            "format": FORMAT,
            "drums": [drum.name for drum in DRUMS],
            "classes": list(SCORING_CLASSES),
            "features": asdict(features),
            "picking": asdict(picking),
            "about": dict(about),
        }
    )


class Model:
    """A trained network with the settings it was trained and tuned with.

    Attributes
    ----------
    features : FeatureSettings
    picking : PickSettings
    about : mapping
        What trained it.
    dynamics : Dynamics, optional
        How its velocities are set against each other.
    """

    def __init__(
        self,
        session: Any,
        features: FeatureSettings,
        picking: PickSettings,
        about: Mapping[str, Any],
        dynamics: Dynamics | None = None,
    ) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.features = features
        self.picking = picking
        self.about = about
        self.dynamics = dynamics

    def activations(
        self,
        features: NDArray[np.float32],
        *,
        progress: Callable[[float], None] | None = None,
    ) -> Activations:
        """Run the network over features, in chunks that overlap.

        Parameters
        ----------
        features : float32, shape (frames, bands)
            Made with ``self.features``.
        progress : callable, optional
            Told the share that is done.
        """
        features = np.asarray(features, np.float32)
        frames = len(features)
        output = np.empty((frames, len(SCORING_CLASSES) + 2 * len(DRUMS)), np.float32)
        chunks = _chunks(frames)
        for first in range(0, len(chunks), _AT_ONCE):
            some = chunks[first : first + _AT_ONCE]
            batch = np.stack([features[read] for _, read in some])
            results = self._session.run(None, {self._input: batch})[0]
            for (keep, read), result in zip(some, results, strict=True):
                output[keep] = result[keep.start - read.start :][: keep.stop - keep.start]
            if progress:
                progress(some[-1][0].stop / frames)
        return split_outputs(output, self.features.frame_rate)


def log_odds(activations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-odds of activations, which are taken to be no nearer to 0 and 1 than .001.

    Parameters
    ----------
    activations : float32, any shape

    Returns
    -------
    float32, of the same shape
    """
    sure = np.clip(activations, _CERTAIN, 1.0 - _CERTAIN)
    return np.asarray(np.log(sure / (1.0 - sure)), np.float32)


def log_odds_near(
    curves: NDArray[np.float32], frames: NDArray[np.intp], *, reach: int
) -> NDArray[np.float32]:
    """Log-odds of the highest activations near some frames.

    Parameters
    ----------
    curves : float32, shape (frames, curves)
        Activations.
    frames : int, shape (places,)
    reach : int
        Frames before and after each that count as well.

    Returns
    -------
    float32, shape (places, curves)
    """
    near = np.clip(frames[:, None] + np.arange(-reach, reach + 1), 0, len(curves) - 1)
    return log_odds(curves[near].max(axis=1))


def split_outputs(output: NDArray[np.float32], frame_rate: float) -> Activations:
    """Name the columns of a network's output, shape (frames, 5 + 12 + 12)."""
    classes, drums = len(SCORING_CLASSES), len(DRUMS)
    return Activations(
        classes=output[:, :classes],
        drums=output[:, classes : classes + drums],
        velocities=output[:, classes + drums :],
        frame_rate=frame_rate,
    )


def _chunks(frames: int) -> list[tuple[slice, slice]]:
    """Frames to keep of each chunk, and frames to read for it: of all chunks the same number."""
    if not frames:
        return []
    kept = ceil(frames / ceil(frames / _CHUNK))
    length = min(frames, kept + 2 * _OVERLAP)
    chunks = []
    for start in range(0, frames, kept):
        begin = min(max(0, start - _OVERLAP), frames - length)
        chunks.append((slice(start, min(start + kept, frames)), slice(begin, begin + length)))
    return chunks


def load_model(path: str | Path | None = None) -> Model:
    """Load a model file; the one that ships with drum2midi if no path is given.

    Raises
    ------
    InputError
        If it is not a model of this program, or of another vocabulary.
    """
    path = shipped_model() if path is None else Path(path)
    return _load_model(path, file_state(path))


@lru_cache(maxsize=2)
def _load_model(path: Path, _: FileState | None) -> Model:
    # A second thread is done a quarter sooner for half as much CPU time again; who has many
    # recordings is better off with a process on each core.
    session, facts = open_model(path, threads=1)
    if facts.get("kind") == CLASSIFIER:
        raise InputError(f"{path}: names hits but finds none; it can transcribe, not do this")
    vocabulary = {"format": FORMAT, "classes": list(SCORING_CLASSES),
                  "drums": [drum.name for drum in DRUMS]}  # fmt: skip
    if any(facts.get(name) != value for name, value in vocabulary.items()):
        raise InputError(f"{path}: made for another version of drum2midi")
    try:
        features, picking = FeatureSettings(**facts["features"]), _picking(facts["picking"])
        dynamics = _dynamics(facts.get("dynamics"))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: its description cannot be read ({error})") from None
    if session.get_inputs()[0].shape[-1] != features.bands:
        raise InputError(f"{path}: its network does not take its features' {features.bands} bands")
    return Model(session, features, picking, facts.get("about", {}), dynamics)


def open_model(path: Path, *, threads: int = 0) -> tuple[Any, Mapping[str, Any]]:
    """The network of a model file, ready to run, and what the file says of it.

    Parameters
    ----------
    path : Path
    threads : int
        To run it on; 0 for one on every core.

    Raises
    ------
    InputError
        If it is not a model of this program.
    """
    return _open_model(path, file_state(path), threads)


@lru_cache(maxsize=2)
def _open_model(path: Path, _: FileState | None, threads: int) -> tuple[Any, Mapping[str, Any]]:
    import onnxruntime

    if not path.is_file():
        raise InputError(f"{path}: no such model file")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    try:
        # Its bytes, since onnxruntime knows no name that is not UTF-8.
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except _onnx_errors():
        raise InputError(f"{path}: not an ONNX model") from None
    stored = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if stored is None:
        raise InputError(f"{path}: not a model of drum2midi")
    try:
        facts = json.loads(stored)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: its description cannot be read ({error})") from None
    if not isinstance(facts, dict):
        raise InputError(f"{path}: its description cannot be read (not an object)")
    return session, facts


def _onnx_errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises for a file that is no model or one that it cannot run."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile",
             "NotImplemented", "RuntimeException")  # fmt: skip
    return tuple(getattr(state, name) for name in names)


def _picking(stored: Mapping[str, Any]) -> PickSettings:
    thresholds = tuple(float(threshold) for threshold in stored["thresholds"])
    if len(thresholds) != len(SCORING_CLASSES):
        raise ValueError(f"{len(thresholds)} thresholds for {len(SCORING_CLASSES)} classes")
    return PickSettings(**{**stored, "thresholds": thresholds})


def _dynamics(stored: Mapping[str, Any] | None) -> Dynamics | None:
    if stored is None:
        return None
    return Dynamics(tuple(_all_told(tuple(map(float, row))) for row in stored["weights"]))


def _all_told(row: tuple[float, ...]) -> tuple[float, ...]:
    """A class's weights, from a file of before too: without some of what tells velocities today."""
    levels = TOLD - 1
    if len(row) == levels:  # no ranks
        row += (0.0,) * levels
    if len(row) == 2 * levels:  # nor how loud each is alone
        row = (*row[:levels], 0.0, *row[levels:], 0.0)
    if len(row) == 2 * TOLD:  # nor what is struck with it
        row += (0.0,) * (WEIGHTS - 2 * TOLD)
    return row


def shipped_model() -> Path:
    """The model inside the package, or beside it in a source checkout."""
    inside = Path(str(resources.files("drum2midi"))) / "models" / "drums.onnx"
    return inside if inside.is_file() else inside.parents[2] / "models" / "drums.onnx"
