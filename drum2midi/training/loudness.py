"""Loudness: weights that tell velocities apart, fitted on rendered pieces.

Ridge regression of true velocities on what `drum2midi.dynamics` knows of a stroke, both as
differences from the piece's mean of the class. What is known counts in units of its own spread,
so that ranks, levels and velocities are all held small alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.dynamics import FEWEST, WEIGHTS, Dynamics, describe_strokes
from drum2midi.features import FeatureSettings
from drum2midi.heeding import heed_recording
from drum2midi.model import Activations, PickSettings
from drum2midi.onsets import pick_hits
from drum2midi.training.examples import compose
from drum2midi.training.pieces import Piece, load_piece
from drum2midi.unmix import loudness_alone

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECES: Final = 1200
"""Pieces to fit on; with fewer it does a little worse."""

_ALONE: Final = 0.5
_RIDGE: Final = 1000.0  # strokes
_WINDOW: Final = 0.03  # seconds
_TINY: Final = 1e-9  # where all strokes of a class are alike


def fit_dynamics(
    listen: Callable[[NDArray[np.float32]], Activations],
    folder: Path,
    features: FeatureSettings,
    picking: PickSettings,
    *,
    pieces: int = PIECES,
    seed: int = 0,
) -> Dynamics:
    """Fit the weights of `drum2midi.dynamics` for a network.

    Parameters
    ----------
    listen : callable
        From features (frames, bands) to activations.
    folder : Path
        Rendered pieces.
    features : FeatureSettings
    picking : PickSettings
    pieces : int
        How many of them to use, the first by name.
    seed : int
        Decides the mixes.

    Returns
    -------
    Dynamics
        That leaves velocities as they are for a class of which nothing was found.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SCORING_CLASSES}
    for path in sorted(folder.glob("*.npz"))[:pieces]:
        piece = load_piece(path)
        with_band = len(piece.band) and rng.random() > _ALONE
        mixed, _ = compose(piece, piece.band if with_band else None, features, rng)
        for name, rows in _rows(piece, mixed, listen(mixed), features, picking):
            found[name].append(rows)
    return Dynamics(tuple(_regress(found[name]) for name in SCORING_CLASSES))


def _rows(
    piece: Piece,
    mixed: NDArray[np.float32],
    activations: Activations,
    features: FeatureSettings,
    picking: PickSettings,
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Of each class's strokes that were found: true velocity and what tells of it, centred."""
    import mir_eval

    hits = pick_hits(heed_recording(activations, mixed, picking), picking)
    alone = loudness_alone(hits, mixed, features)
    names = np.array([DRUMS[index].scoring for index in piece.drum])
    for name in SCORING_CLASSES:
        places = [index for index, hit in enumerate(hits) if hit.drum.scoring == name]
        own = [hits[index] for index in places]
        true = np.flatnonzero(names == name)
        if len(own) < FEWEST or not len(true):
            continue
        told = describe_strokes(hits, places, alone, mixed, features)
        pairs = mir_eval.util.match_events(
            piece.frames[true] / features.frame_rate,
            np.array([hit.onset for hit in own]),
            _WINDOW,
        )
        if len(pairs) < FEWEST:
            continue
        at, heard = np.array(pairs).T
        velocities = piece.velocity[true[at]].astype(np.float64)
        centred = (told - told.mean(axis=0))[heard]
        yield name, np.column_stack((velocities - velocities.mean(), centred))


def _regress(pieces: list[NDArray[np.float64]]) -> tuple[float, ...]:
    """Weights with the least squared error, held small."""
    if not pieces:
        return (1.0,) + (0.0,) * (WEIGHTS - 1)
    rows = np.concatenate(pieces)
    wanted, told = rows[:, 0], rows[:, 1:]
    held = _RIDGE * np.diag(told.var(axis=0) + _TINY)
    weights = np.linalg.solve(told.T @ told + held, told.T @ wanted)
    return tuple(np.round(weights, 4).tolist())
