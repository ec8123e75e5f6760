"""Learn a high tom's part from a snare's: prints ``drum2midi.casting.WEIGHTS``.

    python -m drum2midi.training.parts GROOVES_DIR

GROOVES_DIR is the Groove MIDI Dataset with its ``info.csv`` (Gillick et al., ICML 2019), of
which the train split is used. Parts of high toms are as they were played; parts of snares
that sound like one are made from the snares': all of their strokes, or the softer or the
louder ones, as if those alone had been taken for a tom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer
from scipy.optimize import minimize
from scipy.special import expit

from drum2midi.casting import FEWEST, WEIGHTS, describe_part
from drum2midi.drums import HIGH_TOM, SNARE
from drum2midi.errors import InputError
from drum2midi.training.grooves import Stroke, list_grooves, read_groove
from drum2midi.transcription import Hit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHORTEST: Final = 15.0  # seconds of an excerpt
_EXCERPTS: Final = 5  # of a groove
_DECAY: Final = 0.1  # of the weights: few grooves have toms


def examples(
    grooves: Sequence[Sequence[Stroke]], *, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Parts of excerpts of grooves.

    Parameters
    ----------
    grooves : sequence of sequences of Stroke
        Each by onset.
    seed : int

    Returns
    -------
    float64, shape (parts, 4)
        As `drum2midi.casting.describe_part` tells them.
    bool, shape (parts,)
        Whether each is a snare's.
    """
    rng = np.random.default_rng(seed)
    parts = [part for strokes in grooves for _ in range(_EXCERPTS) for part in _parts(strokes, rng)]
    return np.array([told for told, _ in parts]), np.array([snare for _, snare in parts])


def fit(told: NDArray[np.float64], snares: NDArray[np.bool_]) -> dict[str, float]:
    """Logistic regression, as if either kind of part were as frequent as the other.

    Parameters
    ----------
    told : float64, shape (parts, 4)
    snares : bool, shape (parts,)

    Returns
    -------
    dict
        In the order of `drum2midi.casting.WEIGHTS`.
    """
    inputs = np.column_stack((told, np.ones(len(told))))
    sign = np.where(snares, 1.0, -1.0)
    share = np.where(snares, 0.5 / max(1, snares.sum()), 0.5 / max(1, (~snares).sum()))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (inputs @ weights)
        decayed = np.append(weights[:-1], 0.0) * _DECAY / len(told)
        value = share @ np.logaddexp(0.0, -margin) + 0.5 * decayed @ weights
        return float(value), inputs.T @ (-share * sign * expit(-margin)) + decayed

    best = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x
    return dict(zip(WEIGHTS, best.tolist(), strict=True))


def _parts(
    strokes: Sequence[Stroke], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float64], bool]]:
    """The part of the high tom in an excerpt, and one of the snare as if it were a high tom."""
    length = np.exp(rng.uniform(np.log(_SHORTEST), np.log(max(_SHORTEST, strokes[-1].onset))))
    start = rng.uniform(0.0, max(1e-9, strokes[-1].onset - length))
    hits = [
        Hit(stroke.onset - start, stroke.drum, stroke.velocity)
        for stroke in strokes
        if start <= stroke.onset < start + length
    ]
    if sum(hit.drum is HIGH_TOM for hit in hits) >= FEWEST:
        yield describe_part(hits), False
    taken = _taken_for_a_tom(hits, rng)
    if len(taken) >= FEWEST:
        moved = [replace(h, drum=HIGH_TOM) if i in taken else h for i, h in enumerate(hits)]
        yield describe_part(moved), True


def _taken_for_a_tom(hits: Sequence[Hit], rng: np.random.Generator) -> set[int]:
    """Some of the snare's strokes: the softer or the louder ones, more or less strictly."""
    snare = [i for i, hit in enumerate(hits) if hit.drum is SNARE]
    loudness = rng.choice([-1, 1]) * np.array([hits[i].velocity for i in snare], float)
    if rng.random() < 0.5:
        loudness += rng.normal(0.0, 25.0, len(snare))
    count = max(FEWEST, int(rng.uniform(0.15, 1.0) * len(snare)))
    return {snare[i] for i in np.argsort(loudness)[:count].tolist()}


def _main(
    grooves: Annotated[Path, typer.Argument(metavar="GROOVES_DIR")],
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Print what tells a high tom's part from a snare's."""
    try:
        files = [file for file in list_grooves(grooves, split="train") if not file.is_fill]
        played = [groove.strokes for file in files if (groove := read_groove(file)) is not None]
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    told, snares = examples(played, seed=seed)
    weights = fit(told, snares)
    right = np.mean((told @ [*weights.values()][:-1] + weights["constant"] > 0.0) == snares)
    typer.echo(f"{len(snares)} parts, {snares.mean():.0%} a snare's, {right:.1%} told rightly")
    for name, weight in weights.items():
        typer.echo(f'    "{name}": {weight:.2f},')


if __name__ == "__main__":
    typer.run(_main)
