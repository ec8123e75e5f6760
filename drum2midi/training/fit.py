"""Training: fits the network to rendered pieces, with checkpoints."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.files import replacing
from drum2midi.training.examples import batches
from drum2midi.training.network import NetworkSettings, build_network, loss
from drum2midi.training.weights import read_weights

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitSettings:
    """How long and how fast to train.

    Attributes
    ----------
    steps : int
        Batches in all, rounded up to whole epochs.
    batch : int
        Crops in a batch.
    rate : float
        Adam's highest learning rate; it rises for 3 % of the steps and falls as a cosine.
    seed : int
    steps_an_epoch : int
        Batches between two checkpoints.
    keep : float
        Share, from 0 to 1, of the weights that training began from in the mean that it ends
        with. Such a mean errs less on what neither has seen than either of them (Wortsman
        et al., *Robust fine-tuning of zero-shot models*, CVPR 2022). Means nothing for a
        network that begins from chance.
    """

    steps: int = 6000
    batch: int = 16
    rate: float = 2e-3
    seed: int = 0
    steps_an_epoch: int = 200
    keep: float = 0.3


def fit(
    pieces: Path,
    run: Path,
    features: FeatureSettings,
    network: NetworkSettings,
    settings: FitSettings,
    *,
    start: Path | None = None,
    report: Callable[[Mapping[str, float], int], None] | None = None,
) -> Any:
    """Train on the pieces in a folder, or go on where a run stopped.

    A finished run is not trained again, but loaded.

    Parameters
    ----------
    pieces : Path
        Folder of rendered pieces; may still be growing.
    run : Path
        Folder for checkpoints, ``log.csv`` and the finished ``model.keras``.
    features : FeatureSettings
    network : NetworkSettings
    settings : FitSettings
    start : Path, optional
        A ``.keras`` file of the same network to begin from.
    report : callable, optional
        Called with the figures and the number of steps after every epoch.

    Returns
    -------
    keras.Model
        With weights averaged over the last steps, and with those of `start`.

    Raises
    ------
    InputError
        If `start` cannot be read or is of another network.
    """
    import keras

    finished = run / "model.keras"
    if finished.is_file():
        return keras.models.load_model(finished, compile=False)
    keras.utils.set_random_seed(settings.seed)
    model = build_network(features.bands, network)
    kept = None
    if start is not None:
        kept = read_weights([start])
        try:
            model.set_weights(kept)
        except ValueError as error:
            raise InputError(f"{start}: of another network ({error})") from None
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.rate / 20.0,
        settings.steps - settings.steps // 33,
        alpha=0.01,
        warmup_target=settings.rate,
        warmup_steps=settings.steps // 33,
    )
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0, use_ema=True, ema_momentum=0.998)
    model.compile(optimizer=optimizer, loss=loss)
    run.mkdir(parents=True, exist_ok=True)
    backup = run / "backup"
    model.fit(
        # After a stop it hears other mixes, not those with which it began once more.
        batches(pieces, features, batch=settings.batch, seed=(settings.seed, _epochs_done(run))),
        steps_per_epoch=settings.steps_an_epoch,
        epochs=-(-settings.steps // settings.steps_an_epoch),
        callbacks=[
            # The backup before the last one too, for a stop while one is written; both until what
            # came of it all is saved.
            keras.callbacks.BackupAndRestore(
                backup, double_checkpoint=True, delete_checkpoint=False
            ),
            keras.callbacks.ModelCheckpoint(run / "latest.keras"),
            keras.callbacks.CSVLogger(run / "log.csv", append=True),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: (
                    report(logs, (epoch + 1) * settings.steps_an_epoch) if report else None
                )
            ),
        ],
        verbose=how_much_to_say(),
    )
    if kept is not None:
        parts = zip(kept, model.get_weights(), strict=True)
        model.set_weights([settings.keep * a + (1.0 - settings.keep) * b for a, b in parts])
    with replacing(finished) as target:
        model.save(target)
    shutil.rmtree(backup, ignore_errors=True)
    return model


def _epochs_done(run: Path) -> int:
    """Epochs that ``log.csv`` tells of, below its heading."""
    log = run / "log.csv"
    return max(0, len(log.read_text().splitlines()) - 1) if log.is_file() else 0


def how_much_to_say() -> int:
    """Keras's ``verbose``: a line an epoch, but nothing where errors alone are wanted."""
    return 2 if _LOG.isEnabledFor(logging.WARNING) else 0
