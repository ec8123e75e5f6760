"""Sweep: bidirectional recurrent layers as a processor learns them fastest.

PyTorch walks a recurrent layer once each way on a processor, in float32 whatever autocast says, and
multiplies the gates' gradients into the weights' frame by frame. Here both ways are one walk, the
gradients of the weights are one product of matrices for all frames, and products are of the type
that the processor is quickest at. Layers of 192 units learn twice as fast in bfloat16, and no
faster in float32 (``benchmarks/recurrent_layers.py``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def both_ways(recurrent: nn.GRU, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What a bidirectional GRU makes of a batch, with gradients.

    Parameters
    ----------
    recurrent : GRU
        Bidirectional, ``batch_first``, with biases and without dropout.
    x : Tensor of shape (batch, frames, features)
    dtype : dtype
        Of the factors in products of matrices; states and gates are float32.

    Returns
    -------
    Tensor of shape (batch, frames, 2 * units)
        float32, equal to ``recurrent(x)[0]`` within what `dtype` rounds.
    """
    x = x.transpose(0, 1)
    for layer in range(recurrent.num_layers):
        kernels, weights, biases, own = (
            [getattr(recurrent, f"{name}_l{layer}{way}") for way in ("", "_reverse")]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        x = _layer(x, kernels, weights, biases, own, dtype)
    return x.transpose(0, 1)


def _layer(
    x: torch.Tensor,
    kernels: list[torch.Tensor],
    weights: list[torch.Tensor],
    biases: list[torch.Tensor],
    own: list[torch.Tensor],
    dtype: torch.dtype,
) -> torch.Tensor:
    """One layer; `own` are the biases of what comes from the state."""
    units = weights[0].shape[1]
    # Only the new state's is apart: the reset gate multiplies what it is added to.
    bias = torch.cat(
        [
            torch.cat((one[: 2 * units] + other[: 2 * units], one[2 * units :]))
            for one, other in zip(biases, own, strict=True)
        ]
    )
    kernel = torch.cat(kernels).to(dtype)
    gates = functional.linear(x.to(dtype), kernel, bias.to(dtype)).unflatten(2, (2, 3 * units))
    gates = torch.stack((gates[:, :, 0], gates[:, :, 1].flip(0)), dim=1)
    new_bias = torch.stack([part[2 * units :] for part in own]).unsqueeze(1)
    states = _Sweep.apply(gates, torch.stack(weights), new_bias, dtype)
    return torch.cat((states[:, 0], states[:, 1].flip(0)), dim=2)


class _Sweep(torch.autograd.Function):  # type: ignore[misc]
    """States of both ways from what each frame gives their gates (frames, 2, batch, 3 * units)."""

    @staticmethod
    def forward(
        ctx: Any, gates: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        frames, ways, batch, wide = gates.shape
        units = wide // 3
        states = torch.zeros(frames + 1, ways, batch, units)
        rounded = torch.zeros(frames + 1, ways, batch, units, dtype=dtype)
        opened = torch.empty(frames, ways, batch, 2 * units)  # reset gates, then update gates
        fresh, recalled = torch.empty(2, frames, ways, batch, units)
        product = torch.empty(ways, batch, wide, dtype=dtype)
        there, back = product.unbind(0)
        of_there, of_back = weights.to(dtype).transpose(1, 2).contiguous().unbind(0)
        for t in range(frames):
            torch.mm(rounded[t, 0], of_there, out=there)
            torch.mm(rounded[t, 1], of_back, out=back)
            torch.add(gates[t, ..., : 2 * units], product[..., : 2 * units], out=opened[t])
            opened[t].sigmoid_()
            torch.add(product[..., 2 * units :], bias, out=recalled[t])
            reset, update = opened[t].split(units, dim=2)
            torch.addcmul(gates[t, ..., 2 * units :], reset, recalled[t], out=fresh[t]).tanh_()
            torch.lerp(fresh[t], states[t], update, out=states[t + 1])
            rounded[t + 1].copy_(states[t + 1])
        ctx.save_for_backward(weights, states, rounded, opened, fresh, recalled)
        ctx.dtype = dtype
        return states[1:]

    @staticmethod
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        weights, states, rounded, opened, fresh, recalled = ctx.saved_tensors
        frames, ways, batch, units = fresh.shape
        reset, update = opened.split(units, dim=3)
        # By what a state's gradient is multiplied for each of its gates', before their functions.
        new = (1.0 - update) * (1.0 - fresh * fresh)
        factors = torch.stack(
            (
                new * recalled * reset * (1.0 - reset),
                (states[:-1] - fresh) * update * (1.0 - update),
                new * reset,
            ),
            dim=3,
        )
        by_gate = torch.empty(frames, ways, batch, 3, units, dtype=ctx.dtype)
        of_gates = by_gate.flatten(3)
        of_states = torch.empty(frames, ways, batch, units)
        carried = torch.zeros(ways, batch, units)
        product = torch.empty(ways, batch, units, dtype=ctx.dtype)
        there, back = product.unbind(0)
        of_there, of_back = weights.to(ctx.dtype).unbind(0)
        for t in reversed(range(frames)):
            torch.add(carried, gradient[t], out=of_states[t])
            torch.mul(of_states[t].unsqueeze(2), factors[t], out=by_gate[t])
            torch.mm(of_gates[t, 0], of_there, out=there)
            torch.mm(of_gates[t, 1], of_back, out=back)
            torch.addcmul(product, of_states[t], update[t], out=carried)
        per_way = (part.transpose(0, 1).flatten(1, 2) for part in (of_gates, rounded[:-1]))
        of_weights = [gate.T @ state for gate, state in zip(*per_way, strict=True)]
        of_bias = of_gates[..., 2 * units :].float().sum((0, 2)).unsqueeze(1)
        entered = torch.cat((of_gates[..., : 2 * units], (of_states * new).to(ctx.dtype)), dim=3)
        return entered, torch.stack(of_weights).float(), of_bias, None
