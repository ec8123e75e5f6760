"""Keeper: early stopping and checkpoints that survive a kill. Importing it imports Keras."""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

import keras

from drum2midi.errors import InputError
from drum2midi.files import replacing


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    epochs : int
        Done.
    best : float
        Least loss so far, of the validation split if there is one.
    best_epoch : int
        After how many epochs that was.
    stopped : bool
        Whether it will not get better: patience is at its end.
    """

    epochs: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    stopped: bool = False


def read_progress(run: Path) -> Progress:
    """How far the run in a folder has come; nowhere if there is none."""
    path = run / "progress.json"
    if not path.is_file():
        return Progress()
    try:
        return Progress(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a run's progress ({error})") from None


def check_learnt(run: Path) -> None:
    """Raise `InputError` if no epoch of a run ended in a loss that is a number."""
    if not read_progress(run).best_epoch:
        raise InputError(
            f"{run}: the loss was no number from the beginning on; "
            "try a lower --rate, in another --run"
        )


def checkpoint(run: Path, epochs: int) -> Path:
    """The network, with its optimizer, after so many epochs."""
    return run / f"epoch-{epochs:04d}.keras"


def every_layer(model: Any) -> Iterator[Any]:
    """The layers of a model and of the models in it."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from every_layer(layer)


class Epochs(keras.utils.PyDataset):
    """Batches of a run, in an order that depends on the number of the epoch alone.

    Batches are asked for by number: to look at one, as Keras and MLflow do, uses none up.

    Parameters
    ----------
    plan : callable
        From the number of an epoch to what each of its batches is made of.
    take : callable
        From that to a batch.
    first : int
        The epoch to begin with.
    """

    def __init__(
        self,
        plan: Callable[[int], Sequence[Any]],
        take: Callable[[Any], tuple[Any, Any]],
        *,
        first: int,
    ) -> None:
        super().__init__()
        self._plan, self._take = plan, take
        self._epoch, self._batches = first, plan(first)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._take(self._batches[index])

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._batches = self._plan(self._epoch)


class Keeper(keras.callbacks.Callback):
    """After every epoch: the network, the best network, and how far the run has come.

    Each file appears whole, and what is told in ``progress.json`` is there before it is told:
    a run that is killed at any moment goes on from its last whole epoch.
    """

    def __init__(self, run: Path, *, patience: int, seed: int) -> None:
        super().__init__()
        self._run = run
        self._patience = patience
        self._seed = seed
        self.progress = read_progress(run)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Dropout too depends on the seed and the number of the epoch alone."""
        for layer in every_layer(self.model):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                generator.state.assign([self._seed, epoch])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        figures = logs or {}
        validated = "val_loss" in figures
        value = float(figures["val_loss" if validated else "loss"])
        done = epoch + 1
        progress = replace(self.progress, epochs=done)
        # Without a validation split nothing tells the best epoch from the last.
        if value < progress.best or (not validated and isfinite(value)):
            progress = replace(progress, best=value, best_epoch=done)
            self._save(self._run / "best.keras")
        spent = validated and done - progress.best_epoch >= self._patience
        if spent or not isfinite(value):  # what is no number stays none
            progress = replace(progress, stopped=True)
            self.model.stop_training = True
        self._save(checkpoint(self._run, done))
        with replacing(self._run / "progress.json") as target:
            target.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        for older in self._run.glob("epoch-*.keras"):
            if older != checkpoint(self._run, done):
                older.unlink()
        self.progress = progress

    def _save(self, path: Path) -> None:
        with replacing(path) as target:
            self.model.save(target)
