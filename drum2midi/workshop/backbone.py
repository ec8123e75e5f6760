"""Backbones: the article's transfer learning with the networks of `keras.applications`.

The base looks at a picture of each hit and stays as it is; a dense head on top learns
the classes. What the base says of every picture is computed once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.audio import read_audio
from drum2midi.classifier import (
    ImageSettings,
    NamedClass,
    describe_classifier,
    hit_image,
)
from drum2midi.drums import Drum
from drum2midi.errors import InputError
from drum2midi.files import check_writable, replacing, sha256_of
from drum2midi.workshop.bases import BackboneSettings, build_base, join
from drum2midi.workshop.dataset import Dataset, Entry
from drum2midi.workshop.fine_tune import remembered, tracking
from drum2midi.workshop.labels import ARTICLE_CLASSES
from drum2midi.workshop.scoring import group_strokes
from drum2midi.workshop.sounds import class_of, classes_of, members

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLERANCE: Final = 1e-4


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes
    ----------
    epochs, best_epoch : int
    parameters : int
        Of base and head.
    classes : tuple of str
    """

    epochs: int
    best_epoch: int
    parameters: int
    classes: tuple[str, ...]


def train_backbone(
    dataset: Dataset,
    output: Path,
    *,
    run: Path,
    settings: BackboneSettings | None = None,
    images: ImageSettings | None = None,
) -> Trained:
    """Train a head on a frozen base, or go on where a run stopped.

    Parameters
    ----------
    dataset : Dataset
        Its classes become the model's.
    output : Path
        The ``.onnx`` to write.
    run : Path
        Folder for features, checkpoints and the log; goes on if the run is there.
    settings : BackboneSettings, optional
    images : ImageSettings, optional

    Raises
    ------
    InputError
        If weights cannot be had, the train split lacks a class of the others, or the run was
        begun with something else.
    """
    import keras

    from drum2midi.workshop.keeper import check_learnt, read_progress

    settings, images = settings or BackboneSettings(), images or ImageSettings()
    if output.suffix != ".onnx":
        raise InputError(f"{output}: a model file ends in .onnx")
    check_writable(output)
    names = _classes(dataset)
    base, preprocess = build_base(settings, images)
    weights = None if settings.weights is None else sha256_of(settings.weights)
    facts = {**asdict(settings), "weights": weights, "images": asdict(images)}
    made_of = {"dataset": dataset.digest, **facts}
    with remembered(run, made_of), tracking(run, made_of) as callbacks:
        material = {
            split: _features(dataset, split, names, base, preprocess, images, run)
            for split in ("train", "validation")
        }
        keras.utils.set_random_seed(settings.seed)
        _train_head(material, run, settings, len(names), callbacks)
    check_learnt(run)
    head = keras.models.load_model(run / "best.keras", compile=False)
    model = join(base, preprocess, head, images)
    progress = read_progress(run)
    about = {"backbone": settings.name, "dataset": dataset.digest, "fit": facts,
             "parameters": int(model.count_params())}  # fmt: skip
    classes = [NamedClass(n, _written_as(n, dataset), members(n, dataset.classes)) for n in names]
    _export(model, output, describe_classifier(images, classes, about))
    return Trained(progress.epochs, progress.best_epoch, model.count_params(), tuple(names))


def _classes(dataset: Dataset) -> list[str]:
    """Classes of the train split, in the scheme's order; none may be in another split only."""
    have = {split: _classes_in(dataset.of(split), dataset.classes) for split in _SPLITS}
    if not have["train"]:
        raise InputError(f"{dataset.folder}: nothing to learn in its train split")
    for split in ("validation", "test"):
        unlearnt = have[split] - have["train"]
        if unlearnt:
            raise InputError(
                f"{dataset.folder}: the class {', '.join(sorted(unlearnt))} is empty in train, "
                f"but {split} has examples of it"
            )
    return [name for name in classes_of(dataset.classes) if name in have["train"]]


_SPLITS: Final = ("train", "validation", "test")


def _classes_in(entries: Sequence[Entry], scheme: str) -> set[str]:
    names = {class_of(s.sound, scheme) for entry in entries for s in entry.strokes}
    return {name for name in names if name is not None}


def _written_as(name: str, dataset: Dataset) -> Drum:
    """The drum that stands for a class in a transcription."""
    return ARTICLE_CLASSES.get(name) or members(name, dataset.classes)[0]


def _features(
    dataset: Dataset,
    split: str,
    names: Sequence[str],
    base: Any,
    preprocess: Any,
    images: ImageSettings,
    run: Path,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the base says of every onset of a split, and its labels; kept in the run's folder."""
    path = run / f"{split}.npz"
    if path.is_file():
        with np.load(path) as stored:
            return stored["features"], stored["labels"]
    pictures, labels, features = [], [], []
    for entry in dataset.of(split):
        samples = read_audio(entry.audio, sample_rate=images.mel.sample_rate).samples
        for group in group_strokes(entry.strokes):
            said = {class_of(stroke.sound, dataset.classes) for stroke in group}
            if None not in said:
                pictures.append(hit_image(samples, group[0].onset, images))
                labels.append([name in said for name in names])
            if len(pictures) >= _PICTURES_AT_ONCE:
                features.append(_look(pictures, base, preprocess))
                pictures = []
    if pictures:
        features.append(_look(pictures, base, preprocess))
    table = np.array(labels, np.float32).reshape(-1, len(names))
    said_of = np.concatenate(features or [np.zeros((0, base.output_shape[-1]), np.float32)])
    with replacing(path) as target:
        np.savez(target, features=said_of, labels=table)
    return said_of, table


_PICTURES_AT_ONCE: Final = 32


def _look(pictures: Sequence[NDArray[np.float32]], base: Any, preprocess: Any) -> Any:
    three = np.repeat(np.stack(pictures)[..., None], 3, axis=-1)
    return base.predict(preprocess(three), batch_size=len(pictures), verbose=0)


def build_head(features: NDArray[np.float32], classes: int, settings: BackboneSettings) -> Any:
    """The dense head: ReLU, dropout, a sigmoid for every class.

    Parameters
    ----------
    features : float32, shape (n, size)
        What the base says of the train split. Where its weights are random they are standardised
        first: chance leaves them far too small for a head to learn from.
    classes : int
    settings : BackboneSettings
    """
    import keras
    from keras import layers

    inputs = keras.Input(features.shape[1:], name="features")
    x = inputs
    if settings.random:
        mean, spread = features.mean(axis=0, dtype=float), features.std(axis=0, dtype=float)
        scale = np.where(spread > 1e-6 * spread.max(), 1.0 / np.maximum(spread, 1e-37), 0.0)
        x = layers.Rescaling(scale.tolist(), (-mean * scale).tolist())(x)
    x = layers.Dense(settings.hidden, activation="relu")(x)
    x = layers.Dropout(settings.dropout)(x)
    outputs = layers.Dense(classes, activation="sigmoid", name="classes")(x)
    return keras.Model(inputs, outputs, name="head")


def _train_head(
    material: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    run: Path,
    settings: BackboneSettings,
    classes: int,
    callbacks: Sequence[Any],
) -> None:
    import keras

    from drum2midi.workshop.keeper import Epochs, Keeper, checkpoint, read_progress

    done = read_progress(run)
    if done.stopped or done.epochs >= settings.epochs:
        return
    features, labels = material["train"]
    if done.epochs:
        head = keras.models.load_model(checkpoint(run, done.epochs))
    else:
        head = build_head(features, classes, settings)
        head.compile(optimizer=keras.optimizers.Adam(settings.rate), loss="binary_crossentropy")
    checked = material["validation"] if len(material["validation"][0]) else None
    head.fit(
        Epochs(
            lambda epoch: _plan(len(features), settings, epoch),
            lambda some: (features[some], labels[some]),
            first=done.epochs,
        ),
        initial_epoch=done.epochs,
        epochs=settings.epochs,
        validation_data=checked,
        callbacks=[
            Keeper(run, patience=settings.patience, seed=settings.seed),
            keras.callbacks.CSVLogger(run / "log.csv", append=True),
            *callbacks,
        ],
        shuffle=False,  # `_plan` has done that
        verbose=0,
    )


def _plan(count: int, settings: BackboneSettings, epoch: int) -> list[NDArray[np.int64]]:
    """Which hits are in each batch of an epoch."""
    order = np.random.default_rng((settings.seed, epoch)).permutation(count)
    return [order[start : start + settings.batch] for start in range(0, count, settings.batch)]


def _export(model: Any, path: Path, description: Mapping[str, Any]) -> None:
    """Write the ``.onnx``; refuse one that computes something else than Keras does."""
    import onnx
    import onnxruntime

    from drum2midi.model import METADATA_KEY

    shape = (2, *model.input_shape[1:])
    probe = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    expected = model.predict(probe, verbose=0)
    with replacing(path) as target:
        model.export(target, format="onnx", verbose=False)
        network = onnx.load(target)
        entry = network.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, json.dumps(description)
        onnx.save(network, target)
        session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: probe})
        difference = float(np.abs(found - expected).max())
        if not difference <= _TOLERANCE:  # nor if either is no number
            raise InputError(
                f"{path}: not exported; ONNX and Keras differ by {difference:.1e} "
                f"(at most {_TOLERANCE:.0e} is allowed)"
            )
