"""How much sooner a processor learns recurrent layers both ways at once than as PyTorch does.

    OMP_NUM_THREADS=1 python benchmarks/recurrent_layers.py

Prints, for a batch as in training (16 crops of 800 frames, two layers of 192 units), the seconds of
PyTorch's own layers, forwards and backwards, and by what `drum2midi.training.device.sweep` divides
them in float32 and in bfloat16.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from drum2midi.training.device.sweep import both_ways

ROUNDS = 5


def seconds(layers: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> float:
    """The quickest of some rounds, after one to warm up."""
    taken = []
    for _ in range(1 + ROUNDS):
        start = time.perf_counter()
        layers(x).sum().backward()
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def main() -> None:
    torch.manual_seed(0)
    recurrent = torch.nn.GRU(256, 192, 2, batch_first=True, bidirectional=True)
    x = torch.randn(16, 800, 256, requires_grad=True)
    own = seconds(lambda x: recurrent(x)[0], x)
    print(f"PyTorch's own layers: {own:.2f} s")
    for dtype in (torch.float32, torch.bfloat16):
        taken = seconds(lambda x, dtype=dtype: both_ways(recurrent, x, dtype), x)
        name = str(dtype).removeprefix("torch.")
        print(f"both ways at once, {name}: {own / taken:.2f} times as fast")


if __name__ == "__main__":
    main()
