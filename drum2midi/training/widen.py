"""Widening: a larger network that begins by doing exactly what a smaller one does.

After Net2Net (Chen, Goodfellow and Shlens, *Net2Net: Accelerating learning via
knowledge transfer*, ICLR 2016): training goes on from what was learnt, with more
room. Here the new units start at random and the old ones do not listen to them.

    python -m drum2midi.training.widen SMALL.keras LARGE.keras --filters 32,48,64 \
        --context 256 --recurrent 192
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from drum2midi.errors import InputError
from drum2midi.files import check_writable, replacing
from drum2midi.training.network import NetworkSettings, build_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = NDArray[np.float32]
    Units = NDArray[np.intp]


def widen(small: Any, large: Any) -> Any:
    """Copy a small network's weights into a larger one of the same layers.

    Parameters
    ----------
    small, large : keras.Model
        Both from `drum2midi.training.network.build_network`; every layer of `large`
        is at least as wide. `large` is changed and returned.

    Returns
    -------
    keras.Model
        Its output equals that of `small`.

    Raises
    ------
    ValueError
        If a layer of `large` is narrower or the layers differ.
    """
    from keras import layers

    pairs = list(zip(small.layers, large.layers, strict=True))
    known = np.arange(1)  # where the units of the small network's last layer are in the large one's
    attack = known
    for old, new in pairs:
        if type(old) is not type(new):
            raise ValueError(f"{old.name} and {new.name} are not the same kind of layer")
        if any(
            n < o
            for one, other in zip(new.weights, old.weights, strict=True)
            for n, o in zip(one.shape, other.shape, strict=True)
        ):
            raise ValueError(f"{new.name} is narrower than {old.name}")
        if isinstance(old, layers.Conv2D | layers.Conv1D):
            bands = 1 if isinstance(old, layers.Conv2D) else old.kernel.shape[1] // len(known)
            total = new.kernel.shape[-2] // bands
            inputs = (np.arange(bands)[:, None] * total + known).ravel()
            known = np.arange(old.kernel.shape[-1])
            _set(new, [_placed(new.kernel.numpy(), old.kernel.numpy(), inputs, known)])
            attack = known
        elif isinstance(old, layers.BatchNormalization):
            _set(new, [_part(n, o) for n, o in zip(new.get_weights(), old.get_weights(),
                                                   strict=True)])  # fmt: skip
        elif isinstance(old, layers.Bidirectional):
            known = _widen_recurrent(old, new, known)
        elif isinstance(old, layers.Concatenate):
            known = np.concatenate((attack, new_width(large) + known))
        elif isinstance(old, layers.Dense):
            kernel, _ = new.get_weights()
            kernel[:] = 0.0
            kernel[known] = old.get_weights()[0]
            _set(new, [kernel, old.get_weights()[1]])
    return large


def new_width(large: Any) -> int:
    """Channels that go past the recurrent layer of a network."""
    from keras import layers

    return next(int(x.kernel.shape[-1]) for x in large.layers if isinstance(x, layers.Conv1D))


def _placed(new: Weights, old: Weights, inputs: Units, outputs: Units) -> Weights:
    """The old kernel at its place; old outputs are deaf to new inputs."""
    placed = new.copy()
    placed[..., outputs] = 0.0
    placed[..., inputs[:, None], outputs] = old
    return placed


def _part(new: Weights, old: Weights) -> Weights:
    filled = new.copy()
    filled[: len(old)] = old
    return filled


def _widen_recurrent(old: Any, new: Any, inputs: Units) -> Units:
    units, wide = old.forward_layer.units, new.forward_layer.units
    outputs = np.concatenate([gate * wide + np.arange(units) for gate in range(3)])
    half = len(old.get_weights()) // 2
    weights: list[Weights] = []
    pairs = list(zip(new.get_weights(), old.get_weights(), strict=True))
    for way in (pairs[:half], pairs[half:]):
        (kernel, k), (recurrent, r), (bias, b) = way
        weights += [
            _placed(kernel, k, inputs, outputs),
            _placed(recurrent, r, np.arange(units), outputs),
            _bias(bias, b, outputs),
        ]
    _set(new, weights)
    return np.concatenate((np.arange(units), wide + np.arange(units)))


def _bias(new: Weights, old: Weights, outputs: Units) -> Weights:
    filled = new.copy()
    filled[:, outputs] = old
    return filled


def _set(layer: Any, weights: Sequence[Weights]) -> None:
    layer.set_weights(list(weights))


def _main(
    small: Annotated[Path, typer.Argument(metavar="SMALL.keras")],
    large: Annotated[Path, typer.Argument(metavar="LARGE.keras")],
    filters: Annotated[str, typer.Option(help="Channels of each convolution: 32,48,64.")],
    context: Annotated[int, typer.Option(min=1, help="Channels of the one over time.")],
    recurrent: Annotated[int, typer.Option(min=1, help="Units of each GRU, each way.")],
) -> None:
    """Make a network larger that goes on doing exactly what it does."""
    import keras

    try:
        check_writable(large)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    try:
        channels = tuple(int(part) for part in filters.split(","))
    except ValueError:
        raise typer.BadParameter(f"{filters!r} is not like 32,48,64") from None
    try:
        model = keras.models.load_model(small, compile=False)
        sizes = NetworkSettings(
            filters=channels,
            context=context,
            recurrent=recurrent,
            recurrent_layers=sum(isinstance(x, keras.layers.Bidirectional) for x in model.layers),
        )
        wide = widen(model, build_network(model.input_shape[-1], sizes))
    except (OSError, ValueError) as error:
        typer.echo(f"drum2midi: {small}: {error}", err=True)
        raise typer.Exit(1) from None
    with replacing(large) as target:
        wide.save(target)
    typer.echo(f"{large}: {wide.count_params():,} parameters")


if __name__ == "__main__":
    typer.run(_main)
