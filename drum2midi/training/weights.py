"""Weights: those of a run, read back, averaged and measured.

Models on the way of a run, and the one that it began from, err apart; the mean of their weights
often errs less than any (Izmailov et al., UAI 2018; Wortsman et al., CVPR 2022).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drum2midi.errors import InputError
from drum2midi.training.network import NetworkSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_weights(files: Sequence[Path]) -> list[NDArray[np.float32]]:
    """The mean of the weights in several files; one that is named twice counts twice.

    Parameters
    ----------
    files : sequence of Path
        ``.npz`` of `drum2midi.training.device.fit`, or ``.keras``, which TensorFlow reads.

    Raises
    ------
    InputError
        If one cannot be read or they are of different networks.
    """
    members = []
    for file in files:
        try:
            members.append(_read(file))
        except (OSError, zipfile.BadZipFile, ValueError) as error:
            raise InputError(f"{file}: not weights of a network ({error})") from None
        if [part.shape for part in members[-1]] != [part.shape for part in members[0]]:
            raise InputError(f"{file}: weights of another network than those of {files[0]}")
    return [np.mean(parts, axis=0, dtype=np.float32) for parts in zip(*members, strict=True)]


def sizes_of(weights: Sequence[NDArray[np.float32]]) -> NetworkSettings:
    """The sizes of the network that weights are of, by their shapes.

    Parameters
    ----------
    weights : sequence of array
        In the order of `drum2midi.training.network.build_network`.

    Raises
    ------
    InputError
        If they are of no such network.
    """
    filters = tuple(part.shape[3] for part in weights if part.ndim == 4)
    contexts = [part.shape[2] for part in weights if part.ndim == 3]
    biases = [part.shape[1] for part in weights if part.ndim == 2 and part.shape[0] == 2]
    if not (filters and contexts and biases):
        raise InputError("these are no weights of a network that listens")
    return NetworkSettings(
        filters=filters,
        context=contexts[0],
        recurrent=biases[0] // 3,  # reset, update, new
        recurrent_layers=len(biases) // 2,  # both ways
    )


def _read(file: Path) -> list[NDArray[np.float32]]:
    if file.suffix == ".keras":
        import keras

        return list(keras.models.load_model(file, compile=False).get_weights())
    with np.load(file) as stored:
        return [stored[name] for name in stored.files]
