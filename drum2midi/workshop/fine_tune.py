"""Fine-tuning: a trained network goes on learning from a data set.

It must not forget what it knows: the rate is low, batch normalisation keeps the
statistics of its first training, and the epoch that was best on the validation split
is what is kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from drum2midi.dynamics import Dynamics
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.files import check_writable, replacing, sha256_of
from drum2midi.locks import working_in
from drum2midi.model import PickSettings, load_model, shipped_model
from drum2midi.workshop.dataset import Dataset
from drum2midi.workshop.targets import example, plan, take, whole
from drum2midi.workshop.thresholds import choose_thresholds

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class FineTuneSettings:
    """How long and how fast to go on training.

    Attributes
    ----------
    epochs : int
        At most; an epoch hears every recording of the train split once.
    rate : float
        Adam's learning rate.
    batch : int
        Crops of 4 s in a batch.
    patience : int
        Epochs without a better loss on the validation split before it stops.
    seed : int
    """

    epochs: int = 20
    rate: float = 3e-4
    batch: int = 8
    patience: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Base:
    """A trained network to start from: its ``.keras`` and what its ``.onnx`` says of it."""

    keras: Path
    onnx: Path
    features: FeatureSettings
    picking: PickSettings
    dynamics: Dynamics | None = None


@dataclass(frozen=True)
class FineTuned:
    """What came of it.

    Attributes
    ----------
    epochs, best_epoch : int
        Trained, and the one that was kept.
    loss_before, loss_after : float, optional
        On the validation split, if there is one.
    picking : PickSettings
        Thresholds in the model file.
    """

    epochs: int
    best_epoch: int
    loss_before: float | None
    loss_after: float | None
    picking: PickSettings


def find_base(path: Path | None = None) -> Base:
    """The network to start from: the one that ships, or a ``.keras`` with its ``.onnx`` beside it.

    Raises
    ------
    InputError
        If one of the two is missing.
    """
    given = shipped_model() if path is None else path
    network, description = given.with_suffix(".keras"), given.with_suffix(".onnx")
    if path is None and not network.is_file():
        raise InputError(
            "the shipped network can be run but not trained on: its .keras is not installed; "
            "say with --from-model where models/drums.keras of the source repository is"
        )
    for needed in (network, description):
        if not needed.is_file():
            raise InputError(f"{needed}: no such file; a model to train on is a .keras and a .onnx")
    model = load_model(description)
    return Base(network, description, model.features, model.picking, model.dynamics)


def fine_tune(
    dataset: Dataset,
    output: Path,
    *,
    run: Path,
    base: Base | None = None,
    settings: FineTuneSettings | None = None,
) -> FineTuned:
    """Fine-tune a network on a data set, or go on where a run stopped.

    Parameters
    ----------
    dataset : Dataset
    output : Path
        The ``.onnx`` to write; its ``.keras`` is written beside it.
    run : Path
        Folder for checkpoints and the log; goes on if the run is there.
    base : Base, optional
        The network that ships if not given.
    settings : FineTuneSettings, optional

    Raises
    ------
    InputError
        If the train split is empty, the run was begun with something else, or a file
        cannot be written.
    """
    import keras

    from drum2midi.workshop.keeper import check_learnt

    settings, base = settings or FineTuneSettings(), base or find_base()
    if output.suffix != ".onnx":
        raise InputError(f"{output}: a model file ends in .onnx")
    check_writable(output)
    check_writable(output.with_suffix(".keras"))
    if not dataset.of("train"):
        raise InputError(f"{dataset.folder}: nothing in its train split")
    facts = {"dataset": dataset.digest, "model": sha256_of(base.keras), **asdict(settings)}
    with remembered(run, facts), tracking(run, facts) as callbacks:
        before, after = _train(dataset, run, base, settings, callbacks)
    check_learnt(run)
    if before is not None and after is not None and after >= before:
        _LOG.warning(
            "the loss on the validation split did not fall (%.4f, then %.4f at best)", before, after
        )
    model = keras.models.load_model(run / "best.keras", compile=False)
    picking = choose_thresholds(model, dataset.of("validation"), base.picking, base.features)
    progress = _progress(run)
    _export(model, output, base, picking, dataset, settings)
    return FineTuned(progress.epochs, progress.best_epoch, before, after, picking)


def _train(
    dataset: Dataset, run: Path, base: Base, settings: FineTuneSettings, callbacks: Sequence[Any]
) -> tuple[float | None, float | None]:
    import keras

    from drum2midi.training.fit import how_much_to_say
    from drum2midi.workshop.keeper import Epochs, Keeper

    train = [example(entry, base.features) for entry in dataset.of("train")]
    validation = [example(entry, base.features) for entry in dataset.of("validation")]
    if not validation:
        _LOG.warning(
            "%s: no validation split: all %d epochs are trained, and the last is kept",
            dataset.folder, settings.epochs,
        )  # fmt: skip
    keras.utils.set_random_seed(settings.seed)
    done = _progress(run)
    model = _start(run, base, settings, done.epochs)
    checked = whole(validation) if validation else None
    before = _loss_at_start(model, run, checked)
    if not done.stopped and done.epochs < settings.epochs:
        keeper = Keeper(run, patience=settings.patience, seed=settings.seed)
        model.fit(
            Epochs(
                lambda epoch: plan(train, batch=settings.batch, seed=settings.seed, epoch=epoch),
                lambda places: take(train, places),
                first=done.epochs,
            ),
            initial_epoch=done.epochs,
            epochs=settings.epochs,
            validation_data=checked,
            callbacks=[
                keeper,
                keras.callbacks.CSVLogger(run / "log.csv", append=True),
                *callbacks,
            ],
            shuffle=False,  # `plan` has done that
            verbose=how_much_to_say(),
        )
    return before, _progress(run).best if validation else None


def _start(run: Path, base: Base, settings: FineTuneSettings, epochs: int) -> Any:
    """The network as the run left it, or the base ready to be trained."""
    import keras

    from drum2midi.training.network import loss
    from drum2midi.workshop.keeper import checkpoint

    if epochs:
        path = checkpoint(run, epochs)
        return keras.models.load_model(path, custom_objects={"loss": loss})
    model = keras.models.load_model(base.keras, compile=False)
    freeze_statistics(model)
    model.compile(optimizer=keras.optimizers.Adam(settings.rate, clipnorm=1.0), loss=loss)
    return model


def freeze_statistics(model: Any) -> None:
    """Batch normalisation, at any depth, keeps its statistics and scales.

    A few minutes of one kit would otherwise replace those of a day of many.
    """
    import keras

    from drum2midi.workshop.keeper import every_layer

    for layer in every_layer(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _loss_at_start(model: Any, run: Path, checked: Any) -> float | None:
    """The base's loss on the validation split, written down for a run that goes on."""
    path = run / "before.json"
    if checked is None:
        return None
    if not path.is_file():
        value = float(model.evaluate(*checked, verbose=0))
        with replacing(path) as target:
            target.write_text(json.dumps({"val_loss": value}), encoding="utf-8")
    return float(json.loads(path.read_text(encoding="utf-8"))["val_loss"])


def _progress(run: Path) -> Any:
    from drum2midi.workshop.keeper import read_progress

    return read_progress(run)


@contextmanager
def remembered(run: Path, facts: Mapping[str, object]) -> Iterator[None]:
    """Work in a run's folder, where it is written down what the run is made of.

    Raises
    ------
    InputError
        If the run was begun with other material or settings, or is at work now.
    """
    text = json.dumps(dict(facts), indent=1, sort_keys=True, default=str)
    path = run / "settings.json"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise InputError(
            f"{run}: was begun with other material or settings; see {path.name} there, "
            "or name another folder with --run"
        )
    with working_in(run, what="train"):
        with replacing(path) as target:
            target.write_text(text, encoding="utf-8")
        yield


@contextmanager
def tracking(run: Path, settings: Mapping[str, object]) -> Iterator[list[Any]]:
    """Keras callbacks that log every epoch's figures to MLflow, if that is installed."""
    if find_spec("mlflow") is None:
        yield []
        return
    import keras

    from drum2midi.training.tracking import tracked

    with tracked(run, settings) as tracker:
        yield [
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: tracker.metrics(logs, step=epoch + 1)
            )
        ]


def _export(
    model: Any,
    output: Path,
    base: Base,
    picking: PickSettings,
    dataset: Dataset,
    settings: FineTuneSettings,
) -> None:
    from drum2midi.training.export import export

    about = {
        "fine_tuned_from": sha256_of(base.keras),
        "dataset": dataset.digest,
        "fit": asdict(settings),
        "parameters": int(model.count_params()),
    }
    export(model, output, base.features, picking, about, dynamics=base.dynamics)
    with replacing(output.with_suffix(".keras")) as target:
        model.save(target)
