"""Learn how bars begin and end, for the grid: writes ``drum2midi/beats/phrases.npz``.

    OMP_NUM_THREADS=1 python -m drum2midi.training.phrases GROOVES_DIR [--styles DIR] [--out FILE]

GROOVES_DIR is the Groove MIDI Dataset (Gillick et al., ICML 2019), of whose train split the 4/4
performances are used; other metres are cut from them (`drum2midi.training.played.derive`) or come
from the songs of `drum2midi.training.styles`. Each example is an excerpt whose strokes are
dropped, added, confused and moved as a transcriber would, on the beats it was played to; a
convolutional network learns to tell which of the beats of a bar is the first. `--held-out` leaves
performances out and says how it does on them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from drum2midi.beats.metrical import fold
from drum2midi.beats.phrases import DILATIONS, MARGIN, METRES, shares, with_margins
from drum2midi.beats.strokes import Strokes
from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.training.patterns import hear
from drum2midi.training.played import Performance, load_performances, load_styles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HIDDEN: Final = 48
_DROPOUT: Final = 0.15
_RATE: Final = 2e-3
_DECAY: Final = 0.02
_BATCH: Final = 32
_IMPOSSIBLE: Final = -1e9


@dataclass(frozen=True)
class Example:
    """An excerpt on its beats.

    Attributes
    ----------
    told : array, shape (beats and margins, numbers)
    count, first : int
        Beats in the bar, and the beat of the first of them that begins one.
    """

    told: NDArray[np.float16]
    count: int
    first: int


def example(performance: Performance, rng: np.random.Generator) -> Example | None:
    """Some seconds of a performance as heard, on its beats; none if there is too little of it."""
    heard = hear(performance, rng)
    if heard is None or len(heard.beats) < 2:
        return None
    folded = fold(Strokes.of(heard.hits), heard.beats, 1.0, 0.0)
    first = int(np.argmin(np.abs(heard.beats - heard.downbeats[0]))) - folded.origin
    told = with_margins(folded, begins=heard.begins, ends=heard.ends)
    return Example(told.astype(np.float16), heard.count, first % heard.count)


def examples(performances: Sequence[Performance], count: int, *, seed: int = 0) -> list[Example]:
    """Examples of performances at random."""
    made = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        one = example(performances[int(rng.integers(len(performances)))], rng)
        if one is not None:
            made.append(one)
    return made


def fit_network(
    train: Sequence[Example], watch: Sequence[Example] = (), *, epochs: int = 8, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Train one network.

    Parameters
    ----------
    train, watch : sequence of Example
        To learn from, and to watch.
    epochs, seed : int

    Returns
    -------
    dict of array
        The layers: `in`, `conv` and `out`, each with its bias.
    """
    import keras

    keras.utils.set_random_seed(seed)
    layers, model = _trainer(train[0].told.shape[1], steps=epochs * -(-len(train) // _BATCH))
    rng = np.random.default_rng(seed)
    for epoch in range(epochs):
        line = f"epoch {epoch + 1}: {_over(model.train_on_batch, train, rng)}"
        typer.echo(line + (f", unseen: {_over(model.test_on_batch, watch, rng)}" if watch else ""))
    return _weights(layers)


def _trainer(numbers: int, *, steps: int) -> tuple[list[Any], Any]:
    """The layers, and the model that learns them in so many steps."""
    import keras

    layers, model = _network(numbers)
    rate = keras.optimizers.schedules.CosineDecay(
        _RATE / 20, steps, alpha=0.01, warmup_target=_RATE, warmup_steps=max(1, steps // 20)
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=_DECAY, clipnorm=1.0),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return layers, model


def _weights(layers: Sequence[Any]) -> dict[str, NDArray[np.float32]]:
    """What `drum2midi.beats.phrases` runs."""
    (kernel, bias), *convolutions, (out, out_bias) = (layer.get_weights() for layer in layers)
    return {
        "in": kernel,
        "in_bias": bias,
        "conv": np.stack([kernel for kernel, _ in convolutions]),
        "conv_bias": np.stack([bias for _, bias in convolutions]),
        "out": out,
        "out_bias": out_bias,
    }


def _network(numbers: int) -> tuple[list[Any], Any]:
    """Layers that say of each beat how much it is a first one, and the model that trains them."""
    import keras
    from keras import layers, ops

    told = keras.Input((None, numbers))
    counted = keras.Input((None, max(METRES)))  # what each beat counts for each place of the bar
    metre = keras.Input((len(METRES),))
    possible = keras.Input((max(METRES),))
    dense = layers.Dense(_HIDDEN, activation="relu")
    convolutions = [
        layers.Conv1D(_HIDDEN, 3, dilation_rate=reach, padding="same", activation="relu")
        for reach in DILATIONS
    ]
    last = layers.Dense(len(METRES))
    heard = layers.Dropout(_DROPOUT)(dense(told))
    for convolution in convolutions:
        heard = layers.Add()([heard, layers.Dropout(_DROPOUT)(convolution(heard))])
    first = ops.einsum("btm,bm->bt", last(heard), metre)
    scores = ops.einsum("bt,btk->bk", first, counted) + possible
    return [dense, *convolutions, last], keras.Model([told, counted, metre, possible], scores)


def _over(step: Callable[..., Any], some: Sequence[Example], rng: np.random.Generator) -> str:
    """What a step says on average over examples."""
    said, sizes = [], []
    for batch in _batches(some, rng):
        said.append(step(*batch))
        sizes.append(len(batch[1]))
    loss, right = np.average(said, axis=0, weights=sizes)
    return f"loss {loss:.3f}, right {right:.3f}"


def _batches(
    some: Sequence[Example], rng: np.random.Generator
) -> Iterator[tuple[list[NDArray[np.float32]], NDArray[np.float32]]]:
    """All examples once, in batches of much the same length."""
    order = np.argsort([len(one.told) + rng.uniform(0, 30) for one in some])
    groups = [order[i : i + _BATCH] for i in range(0, len(order), _BATCH)]
    for index in rng.permutation(len(groups)):
        yield _batch([some[i] for i in groups[index]])


def _batch(
    some: Sequence[Example],
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    longest, most = max(len(one.told) for one in some), max(METRES)
    told = np.zeros((len(some), longest, some[0].told.shape[1]), np.float32)
    counted = np.zeros((len(some), longest, most), np.float32)
    possible = np.full((len(some), most), _IMPOSSIBLE, np.float32)
    truth = np.zeros((len(some), most), np.float32)
    for i, one in enumerate(some):
        told[i, : len(one.told)] = one.told
        beats = len(one.told) - 2 * MARGIN
        counted[i, MARGIN : MARGIN + beats, : one.count] = shares(beats, one.count)
        possible[i, : one.count] = 0.0
        truth[i, one.first] = 1.0
    metre = np.eye(len(METRES), dtype=np.float32)[[METRES.index(one.count) for one in some]]
    return [told, counted, metre, possible], truth


def _main(
    grooves: Annotated[Path, typer.Argument(metavar="GROOVES_DIR")],
    styles: Annotated[Path | None, typer.Option(help="Songs of drum2midi.training.styles.")] = None,
    count: Annotated[int, typer.Option("--examples", min=1)] = 16000,
    styled: Annotated[int, typer.Option(min=0, help="Examples of styles.")] = 2500,
    members: Annotated[int, typer.Option(min=1, help="Networks in the ensemble.")] = 3,
    epochs: Annotated[int, typer.Option(min=1)] = 4,
    held_out: Annotated[int, typer.Option(help="Watch every so many-th performance.")] = 0,
    out: Annotated[Path, typer.Option()] = Path(__file__).parents[1] / "beats" / "phrases.npz",
) -> None:
    """Learn how bars begin and end from human performances."""
    if not (grooves / "info.csv").is_file():
        typer.echo(f"drum2midi: {grooves}: no info.csv in this folder", err=True)
        raise typer.Exit(1)
    performances = load_performances(grooves)
    try:
        songs = load_styles(styles) if styles is not None else []
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    seen = [p for i, p in enumerate(performances) if not held_out or i % held_out]
    unseen = [p for i, p in enumerate(performances) if held_out and not i % held_out]
    watch = examples(unseen, count // 8, seed=1) if unseen else []
    train = examples(seen, count)
    if songs:
        train += examples(songs, styled, seed=2)
    typer.echo(f"{len(train)} examples")
    networks = [fit_network(train, watch, epochs=epochs, seed=i) for i in range(members)]
    stacked: dict[str, Any] = {
        name: np.stack([network[name] for network in networks]).astype(np.float16)
        for name in networks[0]
    }
    with replacing(out) as target, target.open("wb") as file:
        np.savez_compressed(file, **stacked)


if __name__ == "__main__":
    typer.run(_main)
