"""Classifier: names hits that something else has found, each from a picture of its sound.

The two stages of the article: onsets first, then one image classifier for what was
struck at each. The file holds the parameters of the pictures beside the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from drum2midi.drums import BY_NAME, DRUMS, Drum
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings, mel_power
from drum2midi.files import FileState, file_state
from drum2midi.model import (
    CLASSIFIER,
    FORMAT,
    Model,
    load_model,
    open_model,
)
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD: Final = 0.5
"""Least activation of a second class at one onset; the best class is always taken."""

_SENSITIVITY_RANGE: Final = 6.0
_RANGE_DB: Final = 80.0
_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """How a hit becomes a picture: a mel spectrogram, as many frames as bands.

    Attributes
    ----------
    mel : FeatureSettings
    frames : int
        Columns of the picture.
    preroll : float
        Seconds before the onset with which it begins.
    """

    mel: FeatureSettings = field(
        default_factory=lambda: FeatureSettings(window=4096, hop=52, bands=256)
    )
    frames: int = 256
    preroll: float = 0.01

    @property
    def samples(self) -> int:
        """Samples of audio in a picture."""
        return (self.frames - 1) * self.mel.hop


def hit_image(
    samples: NDArray[np.float32], onset: float, settings: ImageSettings
) -> NDArray[np.float32]:
    """The picture of one hit.

    Parameters
    ----------
    samples : float32, shape (n,)
        The recording, at ``settings.mel.sample_rate``.
    onset : float
        Seconds.
    settings : ImageSettings

    Returns
    -------
    float32, shape (bands, frames)
        0 (80 dB below its loudest point, or silence) to 255.
    """
    start = round((onset - settings.preroll) * settings.mel.sample_rate)
    clip = samples[max(0, start) : max(0, start + settings.samples)]
    clip = np.pad(clip, (max(0, -start), 0))[: settings.samples]
    clip = np.pad(clip, (0, settings.samples - len(clip)))
    power = mel_power([clip], settings.mel)
    floor = np.float32(10.0 ** (-_RANGE_DB / 10.0))
    level = 10.0 * np.log10(power / max(float(power.max()), 1e-10) + floor)
    return np.asarray(255.0 * np.clip(level / _RANGE_DB + 1.0, 0.0, 1.0), np.float32).T


@dataclass(frozen=True)
class NamedClass:
    """A class of hits.

    Attributes
    ----------
    name : str
    drum : Drum
        What is written where the class is heard.
    drums : tuple of Drum
        All that belongs to it.
    """

    name: str
    drum: Drum
    drums: tuple[Drum, ...]


class Classifier:
    """A trained image classifier of hits.

    Attributes
    ----------
    images : ImageSettings
    classes : tuple of NamedClass
        In the order of the outputs.
    about : mapping
        What trained it.
    """

    def __init__(
        self,
        session: Any,
        images: ImageSettings,
        classes: Sequence[NamedClass],
        about: Mapping[str, Any],
    ) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.images = images
        self.classes = tuple(classes)
        self.about = about

    def scores(self, samples: NDArray[np.float32], onsets: Sequence[float]) -> NDArray[np.float32]:
        """How much each hit sounds like each class.

        Parameters
        ----------
        samples : float32, shape (n,)
            At ``self.images.mel.sample_rate``.
        onsets : sequence of float
            Seconds.

        Returns
        -------
        float32, shape (onsets, classes)
            0 to 1.
        """
        out = np.zeros((len(onsets), len(self.classes)), np.float32)
        for first in range(0, len(onsets), _BATCH):
            some = onsets[first : first + _BATCH]
            images = np.stack([hit_image(samples, onset, self.images) for onset in some])
            (out[first : first + len(some)],) = self._session.run(
                None, {self._input: images[..., None]}
            )
        return out

    def name(
        self, hits: Sequence[Hit], samples: NDArray[np.float32], *, sensitivity: float = 0.5
    ) -> tuple[Hit, ...]:
        """Say what was struck at the onsets of hits, whatever drums the hits had.

        Parameters
        ----------
        hits : sequence of Hit
            By onset; hits of one onset become one question.
        samples : float32, shape (n,)
        sensitivity : float
            More of it finds more drums at one onset.

        Returns
        -------
        tuple of Hit
            By onset; velocities are those of the loudest hit there.
        """
        loudest: dict[float, int] = {}
        for hit in hits:
            loudest[hit.onset] = max(hit.velocity, loudest.get(hit.onset, 0))
        onsets = sorted(loudest)
        least = 1.0 / (1.0 + np.exp(_SENSITIVITY_RANGE * (sensitivity - THRESHOLD)))
        named = []
        for onset, scores in zip(onsets, self.scores(samples, onsets), strict=True):
            best = int(np.argmax(scores))
            struck = [i for i, score in enumerate(scores) if i == best or score >= least]
            named += [
                Hit(onset, self.classes[i].drum, loudest[onset], round(float(scores[i]), 3))
                for i in sorted(struck, key=lambda i: DRUMS.index(self.classes[i].drum))
            ]
        return tuple(named)


def describe_classifier(
    images: ImageSettings, classes: Sequence[NamedClass], about: Mapping[str, Any]
) -> dict[str, Any]:
    """The metadata of a model file."""
    return {
        "format": FORMAT,
        "kind": CLASSIFIER,
        "classes": [
            {"name": one.name, "drum": one.drum.name, "drums": [drum.name for drum in one.drums]}
            for one in classes
        ],
        "images": asdict(images),
        "about": dict(about),
    }


def is_classifier(path: Path) -> bool:
    """Whether a model file holds a classifier of hits.

    Raises
    ------
    InputError
        If it is no model of drum2midi.
    """
    return open_model(path)[1].get("kind") == CLASSIFIER


def load_classifier(path: Path) -> Classifier:
    """Load a classifier of hits.

    Raises
    ------
    InputError
        If the file is something else, or of another vocabulary.
    """
    return _load_classifier(path, file_state(path))


@lru_cache(maxsize=2)
def _load_classifier(path: Path, _: FileState | None) -> Classifier:
    session, facts = open_model(path)
    if facts.get("kind") != CLASSIFIER or facts.get("format") != FORMAT:
        raise InputError(f"{path}: made for another version of drum2midi")
    try:
        images = ImageSettings(
            FeatureSettings(**facts["images"]["mel"]),
            int(facts["images"]["frames"]),
            float(facts["images"]["preroll"]),
        )
        classes = [
            NamedClass(
                one["name"], BY_NAME[one["drum"]], tuple(BY_NAME[drum] for drum in one["drums"])
            )
            for one in facts["classes"]
        ]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: its description cannot be read ({error})") from None
    return Classifier(session, images, classes, facts.get("about", {}))


def load_models(path: Path | None = None) -> tuple[Model, Classifier | None]:
    """What finds strokes and, if the file holds a classifier, what names them.

    Parameters
    ----------
    path : Path, optional
        A model file of either kind; the one that ships if not given.

    Raises
    ------
    InputError
        If it is no model of drum2midi.
    """
    if path is not None and is_classifier(path):
        return load_model(), load_classifier(path)
    return load_model(path), None
