"""Bases: the networks of `keras.applications`, frozen, to put a head on."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drum2midi.classifier import ImageSettings
from drum2midi.errors import InputError


@dataclass(frozen=True)
class BackboneSettings:
    """What to build and how to train its head.

    Attributes
    ----------
    name : str
        Of a network of `keras.applications`: ``"inception-resnet-v2"``.
    weights : Path, optional
        A file of weights without the top, ``…_notop.h5``; ImageNet's are fetched if not given.
    random : bool
        Random weights instead.
    hidden : int
        Units of the dense layer.
    dropout : float
    epochs, batch, patience : int
    rate : float
        Adam's learning rate.
    seed : int
    """

    name: str = "inception-resnet-v2"
    weights: Path | None = None
    random: bool = False
    hidden: int = 256
    dropout: float = 0.5
    epochs: int = 50
    batch: int = 32
    patience: int = 8
    rate: float = 5e-4
    seed: int = 0


def find_backbone(name: str) -> Any:
    """What builds a network of `keras.applications`: ``"inception-resnet-v2"`` or as Keras has it.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    import keras

    known = {
        own.lower(): value
        for own, value in vars(keras.applications).items()
        if own[0].isupper() and callable(value)
    }
    plain = name.lower().replace("-", "").replace("_", "")
    if plain not in known:
        names = ", ".join(sorted(value.__name__ for value in known.values()))
        raise InputError(f"backbone {name!r}: none of keras.applications, which has {names}")
    return known[plain]


def build_base(settings: BackboneSettings, images: ImageSettings) -> tuple[Any, Any]:
    """The base, frozen, and the function that prepares pictures for it.

    Returns
    -------
    keras.Model
        (batch, bands, frames, 3) -> (batch, features).
    callable
        From 0 … 255 to what the base was trained on.

    Raises
    ------
    InputError
        If there is no such network or its weights cannot be had.
    """
    import keras

    make = find_backbone(settings.name)
    preprocess = inspect.getmodule(inspect.unwrap(make)).preprocess_input  # type: ignore[union-attr]
    keras.utils.set_random_seed(settings.seed)
    shape = (images.mel.bands, images.frames, 3)

    def build(weights: str | None) -> Any:
        return make(include_top=False, weights=weights, input_shape=shape, pooling="avg")

    try:
        if settings.random:
            base = build(None)
        elif settings.weights is not None:
            base = build(None)
            base.load_weights(str(settings.weights))
        else:
            base = build("imagenet")
    except Exception as error:  # Keras raises what urllib, h5py and zipfile happen to raise
        raise _no_weights(settings, error) from None
    base.trainable = False
    return base, preprocess


def _no_weights(settings: BackboneSettings, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    if settings.weights is not None:
        return InputError(f"{settings.weights}: not weights of {settings.name} ({reason})")
    return InputError(
        f"the ImageNet weights of {settings.name} cannot be fetched ({reason}); give them with "
        "--backbone-weights FILE (…_notop.h5 of Keras), or train on a base of chance with "
        "--random-weights"
    )


def join(base: Any, preprocess: Any, head: Any, images: ImageSettings) -> Any:
    """Base and head as one model: (batch, bands, frames, 1), 0 to 255 -> (batch, classes)."""
    import keras

    picture = keras.Input((images.mel.bands, images.frames, 1), name="pictures")
    three = keras.layers.Concatenate()([picture, picture, picture])
    return keras.Model(picture, head(base(preprocess(three))), name="classifier")
