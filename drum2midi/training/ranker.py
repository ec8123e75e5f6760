"""Train the network that ranks readings; see `drum2midi.training.patterns`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Example = tuple["NDArray[np.float16]", "NDArray[np.bool_]", int]
"""Features of some readings, which of them are right, and the performance they are of."""

_HIDDEN: Final = (48, 16)
_BATCH: Final = 24
_RATE: Final = 2e-3
_DECAY: Final = 2e-3
_INPUT_DROPOUT: Final = 0.2
_DROPOUT: Final = 0.2


def fit_ranker(
    examples: Sequence[Example],
    further: Sequence[Example] = (),
    *,
    members: int = 2,
    epochs: int = 8,
    seed: int = 0,
    held_out: int = 0,
) -> dict[str, NDArray[np.float32]]:
    """Train an ensemble.

    Parameters
    ----------
    examples : sequence of Example
    further : sequence of Example
        Which every second network sees besides: those that do know them better and the
        others worse, and together the ensemble knows both.
    members : int
        Networks, which differ in their start and in the order of examples.
    epochs : int
    seed : int
    held_out : int
        Leave every so many-th performance out, to watch; 0 for none.

    Returns
    -------
    dict of array
        `mean`, `scale` (features,) and the layers `w1`, `b1`, `w2`, `b2`, `w3`, with the
        members along the first axis.
    """
    sample = np.concatenate([features[::8] for features, _, _ in examples]).astype(np.float32)
    mean, scale = sample.mean(0), sample.std(0) + 0.05
    scaled, besides = (
        [
            (np.clip((features.astype(np.float32) - mean) / scale, -6, 6).astype(np.float16), *rest)
            for features, *rest in some
        ]
        for some in (examples, further)
    )
    train = [e for e in scaled if not held_out or e[2] % held_out]
    watch = [e for e in scaled if held_out and not e[2] % held_out]
    networks = []
    for member in range(members):
        network = _Network(len(mean), np.random.default_rng(seed + member))
        network.fit([*train, *besides] if member % 2 else train, epochs, watch)
        networks.append(network.layers)
    stacked = {name: np.stack([n[name] for n in networks]) for name in networks[0]}
    return {"mean": mean, "scale": scale, **stacked}


class _Network:
    """Two hidden layers, trained with Adam (Kingma & Ba 2015) and dropout."""

    def __init__(self, inputs: int, rng: np.random.Generator) -> None:
        first, second = _HIDDEN
        self.rng = rng
        self.layers = {
            "w1": rng.normal(0, inputs**-0.5, (inputs, first)).astype(np.float32),
            "b1": np.zeros(first, np.float32),
            "w2": rng.normal(0, (2 / first) ** 0.5, (first, second)).astype(np.float32),
            "b2": np.zeros(second, np.float32),
            "w3": rng.normal(0, 0.25, second).astype(np.float32),
        }
        self._first = {name: np.zeros_like(value) for name, value in self.layers.items()}
        self._second = {name: np.zeros_like(value) for name, value in self.layers.items()}

    def fit(self, examples: Sequence[Example], epochs: int, watch: Sequence[Example]) -> None:
        """Train; print the loss, and of unseen examples too, and how often the best is right."""
        batches = -(-len(examples) // _BATCH)
        for epoch in range(epochs):
            order = self.rng.permutation(len(examples))
            loss = 0.0
            for batch in range(batches):
                step = epoch * batches + batch + 1
                rate = _RATE * 0.5 * (1 + np.cos(np.pi * step / (epochs * batches))) + 1e-5
                chosen = [examples[i] for i in order[batch * _BATCH : (batch + 1) * _BATCH]]
                loss += self._step(chosen, float(rate), step)
            print(f"epoch {epoch + 1}: loss {loss / len(examples):.3f}")
        if watch:
            scores = [self.scores(features) for features, _, _ in watch]
            lost = [
                _softmax_loss(s, [right])[0] for s, (_, right, _) in zip(scores, watch, strict=True)
            ]
            best = [right[np.argmax(s)] for s, (_, right, _) in zip(scores, watch, strict=True)]
            print(f"unseen: loss {np.mean(lost):.3f}, right {np.mean(best):.3f} of {len(watch)}")

    def scores(self, features: NDArray[np.float16]) -> NDArray[np.float32]:
        """Score of scaled readings; shape (readings,)."""
        net = self.layers
        hidden = np.maximum(features.astype(np.float32) @ net["w1"] + net["b1"], 0)
        hidden = np.maximum(hidden @ net["w2"] + net["b2"], 0)
        scores: NDArray[np.float32] = hidden @ net["w3"]
        return scores

    def _step(self, batch: Sequence[Example], rate: float, step: int) -> float:
        """One step of gradient descent; returns the summed loss of the batch."""
        net = self.layers
        inputs = np.concatenate([features for features, _, _ in batch]).astype(np.float32)
        inputs *= self.rng.random(inputs.shape[1]) >= _INPUT_DROPOUT
        first = np.maximum(inputs @ net["w1"] + net["b1"], 0)
        mask = (self.rng.random(first.shape[1]) >= _DROPOUT).astype(np.float32) / (1 - _DROPOUT)
        kept = first * mask
        second = np.maximum(kept @ net["w2"] + net["b2"], 0)
        loss, slope = _softmax_loss(second @ net["w3"], [right for _, right, _ in batch])
        back2 = np.outer(slope, net["w3"]) * (second > 0)
        back1 = (back2 @ net["w2"].T) * (first > 0) * mask
        gradients = {
            "w3": second.T @ slope,
            "w2": kept.T @ back2,
            "b2": back2.sum(0),
            "w1": inputs.T @ back1,
            "b1": back1.sum(0),
        }
        for name, gradient in gradients.items():
            self._adam(name, gradient, rate, step)
        return loss

    def _adam(self, name: str, gradient: NDArray[np.float32], rate: float, step: int) -> None:
        value, m, v = self.layers[name], self._first[name], self._second[name]
        m += 0.1 * (gradient - m)
        v += 0.001 * (gradient**2 - v)
        move = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        decay = _DECAY if name.startswith("w") else 0.0
        value -= rate * (move + decay * value)


def _softmax_loss(
    scores: NDArray[np.float32], right: Sequence[NDArray[np.bool_]]
) -> tuple[float, NDArray[np.float32]]:
    """Negative log-probability of all right readings of each example, and its mean's slope."""
    slope = np.zeros_like(scores)
    loss, start = 0.0, 0
    for truth in right:
        part = slice(start, start + len(truth))
        odds = np.exp(scores[part] - scores[part].max())
        share = odds * truth
        loss -= float(np.log(share.sum() / odds.sum() + 1e-12))
        slope[part] = odds / odds.sum() - share / (share.sum() + 1e-30)
        start += len(truth)
    return loss, (slope / len(right)).astype(np.float32)
