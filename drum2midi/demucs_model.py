"""Demucs, run over audio of any length in the memory of a few seconds of it.

Needs ``drum2midi[separate]``; this module imports `torch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from demucs.apply import BagOfModels, TensorChunk, apply_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OVERLAP: Final = 0.25
_DRUMS: Final = "drums"


def load_separator(name: str, folder: Path | None) -> Separator:
    """A model of Demucs.

    Parameters
    ----------
    name : str
        Of a model in Demucs' own repository, which is fetched once.
    folder : Path or None
        Take the one model of this folder instead. A ``.th`` file is a pickle, and to load it
        is to run it; a ``.safetensors`` file is data.

    Raises
    ------
    OSError, ValueError, RuntimeError, KeyError, TypeError
        If the model cannot be had, or is none.
    """
    from demucs.pretrained import get_model

    model = get_model(name) if folder is None else _local_model(folder)
    model.eval()
    if _DRUMS not in model.sources or model.audio_channels != 2:
        raise ValueError("the model does not take drums out of stereo")
    return Separator(model)


def _local_model(folder: Path) -> Any:
    import yaml

    bags = sorted(folder.glob("*.yaml"))
    files = sorted((*folder.glob("*.safetensors"), *folder.glob("*.th")))
    if len(bags) == 1:
        try:
            bag = yaml.safe_load(bags[0].read_text())
            names = list(bag["models"])
        except (yaml.YAMLError, TypeError) as error:
            raise ValueError(f"{bags[0].name} names no models: {error}") from None
        models = [_load(_file_of(name, files)) for name in names]
        return BagOfModels(models, bag.get("weights"), bag.get("segment"))
    if not bags and len(files) == 1:
        return BagOfModels([_load(files[0])])
    raise ValueError("it must hold one .yaml with the files it names, or one file alone")


def _file_of(name: str, files: list[Path]) -> Path:
    """``name.safetensors``, ``name.th`` or ``name-checksum.th``."""
    for file in files:
        if file.stem == name or file.stem.rpartition("-")[0] == name:
            return file
    raise ValueError(f"there is no file of {name}")


def _load(file: Path) -> Any:
    import pickle

    from demucs.hf import load_safetensors_model
    from demucs.repo import LocalRepo
    from safetensors import SafetensorError

    try:
        if file.suffix == ".safetensors":
            return load_safetensors_model(file)
        return LocalRepo(file.parent).get_model(file.stem.rpartition("-")[0] or file.stem)
    except (SafetensorError, pickle.UnpicklingError, EOFError, AttributeError) as error:
        raise ValueError(f"{file.name} is damaged: {error}") from None


@dataclass(frozen=True)
class Separator:
    """A loaded model."""

    model: Any

    @property
    def sample_rate(self) -> int:
        """Hertz that the model works at."""
        return int(self.model.samplerate)

    def drums(
        self, blocks: Iterator[NDArray[np.float32]], frames: int
    ) -> Iterator[NDArray[np.float32]]:
        """Take the drums out of stereo audio.

        What `demucs.apply.apply_model` does to the whole, without shifts, on segments that
        overlap by a quarter and fade into each other; only these are held.

        Parameters
        ----------
        blocks : iterator of float32, shape (n, 2)
            Consecutive audio at `sample_rate`, of mean 0 and standard deviation 1 in mono.
        frames : int
            How much of it there is.

        Yields
        ------
        float32, shape (n, 2)
            Consecutive audio, as much.
        """
        segment = self._segment()
        length = int(segment * self.sample_rate)
        stride = int((1.0 - _OVERLAP) * length)
        weight = _triangle(length)[:, None]
        total, weights = np.zeros((length, 2)), np.zeros((length, 1))
        reader = _Reader(blocks)
        for offset in range(0, frames, stride):
            size = min(length, frames - offset)
            # The last segment is filled up with what comes before it.
            begin = max(0, offset - (length - size) // 2)
            mix = torch.from_numpy(reader.read(begin, offset + size).T.copy())[None]
            chunk = TensorChunk(mix, offset - begin, size)
            total[:size] += weight[:size] * self._apply(chunk, segment)
            weights[:size] += weight[:size]
            done = stride if offset + stride < frames else size
            yield (total[:done] / weights[:done]).astype(np.float32)
            total, weights = _moved(total, done), _moved(weights, done)

    def _segment(self) -> float:
        return min(float(model.segment) for model in self.model.models)

    def _apply(self, chunk: TensorChunk, segment: float) -> NDArray[np.float32]:
        with torch.inference_mode():
            out = apply_model(self.model, chunk, shifts=0, split=False, segment=segment)
        drums: NDArray[np.float32] = out[0, self.model.sources.index(_DRUMS)].numpy().T
        return drums


def _triangle(length: int) -> NDArray[np.float64]:
    rise = np.arange(1, length // 2 + 1)
    fall = np.arange(length - length // 2, 0, -1)
    return np.concatenate((rise, fall)) / (length - length // 2)


def _moved(buffer: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    return np.concatenate((buffer[by:], np.zeros_like(buffer[:by])))


class _Reader:
    """Overlapping stretches of audio that comes in blocks; `begin` never goes back."""

    def __init__(self, blocks: Iterator[NDArray[np.float32]]) -> None:
        self._blocks = blocks
        self._held: NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self._begin = 0

    def read(self, begin: int, end: int) -> NDArray[np.float32]:
        self._held, self._begin = self._held[begin - self._begin :], begin
        parts, count = [self._held], len(self._held)
        while count < end - begin:
            parts.append(next(self._blocks))
            count += len(parts[-1])
        self._held = np.concatenate(parts).astype(np.float32, copy=False)
        return self._held[: end - begin]
