"""Twin: the network of `drum2midi.training.network` in PyTorch, and its weights for Keras.

Under PyTorch cuDNN runs a recurrent layer in one call; under the other backends of Keras each
frame is a step of its own, which on a GPU takes tens of times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from drum2midi.training.device.sweep import both_ways
from drum2midi.training.network import OUTPUTS, NetworkSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = list[NDArray[np.float32]]

_EPSILON = 1e-3  # of Keras's batch normalisation, and so is the momentum
_MOMENTUM = 0.01


class Twin(nn.Module):  # type: ignore[misc]
    """Log-mel frames to logits of activations and velocities.

    Parameters
    ----------
    bands : int
    settings : NetworkSettings
    """

    def __init__(self, bands: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        channels, width = 1, bands
        for index, filters in enumerate(settings.filters):
            size = (3, 5) if index == 0 else (3, 3)
            self.convolutions.append(nn.Conv2d(channels, filters, size, stride=(1, 2), bias=False))
            self.norms.append(nn.BatchNorm2d(filters, eps=_EPSILON, momentum=_MOMENTUM))
            channels, width = filters, -(-width // 2)
        self.context = nn.Conv1d(channels * width, settings.context, 3, padding=1, bias=False)
        self.context_norm = nn.BatchNorm1d(settings.context, eps=_EPSILON, momentum=_MOMENTUM)
        self.recurrent = nn.GRU(
            settings.context,
            settings.recurrent,
            num_layers=settings.recurrent_layers,
            batch_first=True,
            bidirectional=True,
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.dense = nn.Linear(settings.context + 2 * settings.recurrent, OUTPUTS)
        for module in self.modules():  # as Keras begins
            if isinstance(module, nn.Conv2d | nn.Conv1d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, frames, bands) to logits (batch, frames, OUTPUTS)."""
        x = features[:, None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            size, width = convolution.kernel_size[1], x.shape[3]
            spare = max(0, (-(-width // 2) - 1) * 2 + size - width)  # Keras's padding="same"
            x = functional.pad(x, (spare // 2, spare - spare // 2, 1, 1))
            x = functional.relu(norm(convolution(x)))
        x = x.permute(0, 3, 1, 2).flatten(1, 2)  # bands before channels, as Keras flattens
        x = functional.relu(self.context_norm(self.context(x))).transpose(1, 2)
        x = self.dropout(x).float()
        return self.dense(self.dropout(torch.cat((x, self._context_of(x)), dim=2)))

    def _context_of(self, x: torch.Tensor) -> torch.Tensor:
        """What the recurrent layers make of (batch, frames, context); autocast is theirs alone."""
        kind = x.device.type
        quick = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        with torch.autocast(kind, enabled=False):
            if kind == "cpu" and quick is not None:
                return both_ways(self.recurrent, x, quick)
            context, _ = self.recurrent(x)
        return context

    def keras_weights(self) -> Weights:
        """The weights in the order and the shapes of the Keras model's ``get_weights()``."""
        out: list[torch.Tensor] = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            out += [convolution.weight.permute(2, 3, 1, 0), *_norm(norm)]
        out += [self.context.weight.permute(2, 1, 0), *_norm(self.context_norm)]
        for layer in range(self.recurrent.num_layers):
            for way in ("", "_reverse"):
                parts = [
                    getattr(self.recurrent, f"{name}_l{layer}{way}")
                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                ]
                kernel, recurrent, *biases = (_gates(part) for part in parts)
                out += [kernel.T, recurrent.T, torch.stack(biases)]
        out += [self.dense.weight.T, self.dense.bias]
        return [part.detach().float().cpu().numpy().copy() for part in out]

    def take_keras_weights(self, weights: Weights) -> None:
        """Take what `keras_weights` gave.

        Raises
        ------
        ValueError
            If they are of another network.
        """
        if [part.shape for part in weights] != [part.shape for part in self.keras_weights()]:
            raise ValueError("weights of another network")
        parts = iter([torch.from_numpy(np.array(part, np.float32)) for part in weights])

        def fill(*targets: torch.Tensor) -> None:
            for target in targets:
                target.copy_(next(parts))

        with torch.no_grad():
            for convolution, norm in zip(self.convolutions, self.norms, strict=True):
                convolution.weight.copy_(next(parts).permute(3, 2, 0, 1))
                fill(*_norm(norm))
            self.context.weight.copy_(next(parts).permute(2, 1, 0))
            fill(*_norm(self.context_norm))
            for layer in range(self.recurrent.num_layers):
                for way in ("", "_reverse"):
                    kernel, recurrent, biases = next(parts).T, next(parts).T, next(parts)
                    for name, value in (
                        ("weight_ih", kernel),
                        ("weight_hh", recurrent),
                        ("bias_ih", biases[0]),
                        ("bias_hh", biases[1]),
                    ):
                        getattr(self.recurrent, f"{name}_l{layer}{way}").copy_(_gates(value))
            self.dense.weight.copy_(next(parts).T)
            fill(self.dense.bias)


def _norm(norm: nn.Module) -> list[torch.Tensor]:
    return [norm.weight, norm.bias, norm.running_mean, norm.running_var]


def _gates(part: torch.Tensor) -> torch.Tensor:
    """PyTorch's gates are reset, update, new; Keras's are update, reset, new; either way round."""
    reset, update, new = part.chunk(3)
    return torch.cat((update, reset, new))
