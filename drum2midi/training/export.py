"""Export: a trained Keras network as the ONNX file that drum2midi runs.

The file also holds the parameters of the features and of the peak picking.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.dynamics import Dynamics
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.files import replacing
from drum2midi.model import METADATA_KEY, PickSettings, describe

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE: Final = 1e-4
"""Largest difference allowed between what Keras and onnxruntime compute."""


def export(
    model: Any,
    path: Path,
    features: FeatureSettings,
    picking: PickSettings,
    about: Mapping[str, Any],
    *,
    dynamics: Dynamics | None = None,
) -> None:
    """Write a model file.

    Parameters
    ----------
    model : keras.Model
        Made by `drum2midi.training.network.build_network`.
    path : Path
        The ``.onnx`` to write.
    features, picking
        What goes with the weights.
    about : mapping
        What trained it: anything JSON can hold.
    dynamics : Dynamics, optional
        What goes with the weights, likewise.

    Raises
    ------
    InputError
        If the ONNX network does not compute what the Keras network does.
    """
    import onnx

    probe = np.random.default_rng(0).normal(size=(1, 700, features.bands)).astype(np.float32)
    expected = np.asarray(model(probe))
    with replacing(path) as target:
        model.export(target, format="onnx", verbose=False)
        network = onnx.load(target)
        entry = network.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, describe(features, picking, about, dynamics)
        onnx.save(network, target)
        difference = float(np.abs(_run(target, probe) - expected).max())
        if not difference <= TOLERANCE:  # nor if either is no number
            raise InputError(
                f"{path}: not exported; ONNX and Keras differ by {difference:.1e} "
                f"(at most {TOLERANCE:.0e} is allowed)"
            )


def _run(path: Path, features: NDArray[np.float32]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: features})[0]
    return result
