"""Fit on a GPU: processes render pieces, the GPU keeps them, mixes them anew and learns.

    python -m drum2midi.training.device.fit CARGO OUT --minutes 9

Without a GPU the processor does the same, some hundred times more slowly: enough to go on from
weights that a GPU found (``--start``). With glibc a step takes a fifth less where memory that was
freed is kept for the next one: ``MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=16000000000``.

The learning rate falls with the clock, so that it is next to nothing when the time is up however
fast the machine is. ``OUT`` gets weights on the way and at the end, each an average over the last
thousand steps or so, in the order of the Keras model's, and ``log.csv``.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import queue
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
import typer
from torch.nn import functional

from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.training import examples
from drum2midi.training.device.cargo import unpack
from drum2midi.training.device.mixing import Batch, compose
from drum2midi.training.device.twin import Twin
from drum2midi.training.heard import read_pieces
from drum2midi.training.network import ACTIVATIONS, OUTPUTS, NetworkSettings
from drum2midi.training.pieces import SECONDS, Material, Piece, Renderer
from drum2midi.training.weights import read_weights, sizes_of

_STROKES: Final = 768
"""Most strokes of a piece that are kept."""

_LEAD: Final = 100  # frames that are mixed but not learnt from: what rang on before, or silence
_QUIET: Final = 60  # frames of silence before a piece that are learnt from
_BEFORE_PIECE: Final = _LEAD + _QUIET
_FROM_SILENCE: Final = 0.05  # share of the crops that begin with some of it
_SILENT_DB: Final = -120.0
_SAVED_AT: Final = (0.4, 0.6, 0.8, 0.9)
_VELOCITIES: Final = 8.0  # as in `drum2midi.training.network.loss`
_REPORT: Final = 100


@dataclass(frozen=True)
class DeviceSettings:
    """How to fit.

    Attributes
    ----------
    minutes : float
        From the first step on.
    batch, crop : int
        Crops in a batch, frames in a crop.
    rate, decay : float
        AdamW's highest learning rate and its weight decay.
    width : float
        Standard deviation, in frames, of the bump that stands for an onset.
    workers, capacity : int
        Processes that render, and pieces that the GPU keeps; the oldest make room.
    pieces : int or None
        Pieces after which the renderers stop, where they would take the processor from what
        learns; none if they go on to the end.
    average : float
        Share of the average of weights that a step leaves.
    seed : int
    start : tuple of str
        Files of weights whose mean to begin from instead of chance.
    heard : str or None
        Folder of music that the model itself has heard (`drum2midi.training.heard`).
    heard_share : float
        Share of the pieces that are such music.
    """

    minutes: float = 9.0
    batch: int = 32
    crop: int = 800
    rate: float = 2e-3
    decay: float = 0.01
    width: float = 1.0
    workers: int = 15
    capacity: int = 12000
    pieces: int | None = None
    average: float = 0.999
    seed: int = 0
    start: tuple[str, ...] = ()
    heard: str | None = None
    heard_share: float = 0.3
    features: FeatureSettings = field(default_factory=FeatureSettings)
    network: NetworkSettings = field(
        default_factory=lambda: NetworkSettings(
            filters=(24, 36, 48), context=192, recurrent=128, recurrent_layers=2
        )
    )


class Pool:
    """Pieces on a GPU, the newest `capacity` of them, each with silence before it.

    A recording begins with silence (see `drum2midi.features.in_silence`), and its first strokes are
    learnt like all others.
    """

    def __init__(self, settings: DeviceSettings, device: torch.device) -> None:
        self._device = device
        self._crop = settings.crop
        bands = settings.features.bands
        self._frames = _BEFORE_PIECE + int(SECONDS * settings.features.frame_rate) + 1
        size, half = settings.capacity, torch.float16
        shape = (size, self._frames, bands)
        self._kit = torch.full(shape, _SILENT_DB, dtype=half, device=device)
        self._band = torch.full_like(self._kit, _SILENT_DB)
        self._banded = torch.zeros(size, dtype=torch.bool, device=device)
        self._onset = torch.zeros(size, _STROKES, device=device)
        self._drum = torch.full((size, _STROKES), -1, dtype=torch.int64, device=device)
        self._velocity = torch.zeros(size, _STROKES, device=device)
        self._share = torch.zeros(size, _STROKES, bands, dtype=half, device=device)
        self.added = 0

    def add(self, piece: Piece) -> None:
        """Keep a piece, in the place of the oldest if there is no room."""
        slot = self.added % len(self._kit)
        self._kit[slot, _BEFORE_PIECE:] = torch.from_numpy(piece.drums).to(self._device)
        self._banded[slot] = bool(len(piece.band))
        if len(piece.band):
            self._band[slot, _BEFORE_PIECE:] = torch.from_numpy(piece.band).to(self._device)
        kept = min(_STROKES, len(piece.frames))
        self._drum[slot] = -1
        for target, values in (
            (self._onset, piece.frames + np.float32(_BEFORE_PIECE)),
            (self._drum, piece.drum.astype(np.int64)),
            (self._velocity, piece.velocity.astype(np.float32)),
            (self._share, piece.share),
        ):
            target[slot, :kept] = torch.from_numpy(values[:kept]).to(self._device)
        self.added += 1

    def draw(self, count: int, mix: examples.Mix) -> Batch:
        """Crops of pieces at random, each with a band that may be another piece's."""
        known, device = min(self.added, len(self._kit)), self._device
        length = _LEAD + self._crop
        ids = torch.randint(known, (count,), device=device)
        start = torch.randint(_QUIET, self._frames - length + 1, (count,), device=device)
        silence = torch.rand(count, device=device) < _FROM_SILENCE
        start = torch.where(silence, torch.randint(_QUIET, (count,), device=device), start)
        within = torch.arange(length, device=device)
        kit = self._kit[ids[:, None], start[:, None] + within]
        banded = self._banded[:known].nonzero()[:, 0]
        mixed = torch.rand(count, device=device) >= mix.alone
        band = torch.zeros_like(kit)
        if len(banded):
            strange = banded[torch.randint(len(banded), (count,), device=device)]
            elsewhere = torch.randint(_QUIET, self._frames - length + 1, (count,), device=device)
            own = self._banded[ids] & (torch.rand(count, device=device) >= mix.borrowed)
            whose = torch.where(own, ids, strange)
            since = torch.where(own, start, elsewhere)
            band = self._band[whose[:, None], since[:, None] + within]
        return Batch(kit, band, mixed & bool(len(banded)), self._onset[ids] - start[:, None],
                     self._drum[ids], self._velocity[ids], self._share[ids])  # fmt: skip


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """What `drum2midi.training.network.loss` is on average, from logits."""
    target, weight = truth[..., :OUTPUTS], truth[..., OUTPUTS:]
    entropy = functional.binary_cross_entropy_with_logits(
        logits[..., :ACTIVATIONS], target[..., :ACTIVATIONS], weight[..., :ACTIVATIONS]
    )
    velocity = torch.sigmoid(logits[..., ACTIVATIONS:])
    error = weight[..., ACTIVATIONS:] * (target[..., ACTIVATIONS:] - velocity) ** 2
    return entropy + _VELOCITIES * error.mean()


def fit(cargo: Path, out: Path, settings: DeviceSettings) -> None:
    """Train for some minutes, and write weights.

    Parameters
    ----------
    cargo : Path
        What `drum2midi.training.device.cargo.pack` wrote.
    out : Path
        Folder for ``weights-NN.npz`` (NN: per cent of the time), ``settings.json``, ``log.csv``.
    settings : DeviceSettings

    Raises
    ------
    InputError
        If the cargo cannot be read or the renderers die.
    """
    out.mkdir(parents=True, exist_ok=True)
    # What ships tells how it was trained, but not in whose folders.
    facts = {
        **asdict(settings),
        "start": [Path(file).name for file in settings.start],
        "heard": settings.heard and Path(settings.heard).name,
    }
    (out / "settings.json").write_text(json.dumps(facts, indent=1))
    music = read_pieces(Path(settings.heard), settings.features) if settings.heard else []
    context = multiprocessing.get_context("fork")
    with context.Pool(settings.workers) as decoders:
        material = unpack(cargo, map_files=decoders.map)
    pieces: Any = context.Queue(64)
    # They share the material's memory, and begin before there is a GPU to share by accident.
    crew = [
        context.Process(target=_render, args=(material, settings, worker, pieces), daemon=True)
        for worker in range(settings.workers)
    ]
    for process in crew:
        process.start()
    try:
        _learn(out, settings, pieces, crew, music)
    finally:
        for process in crew:
            process.kill()


def _render(material: Material, settings: DeviceSettings, worker: int, pieces: Any) -> None:
    renderer = Renderer(material, settings.features, seed=settings.seed)
    for number in range(worker, settings.pieces or 2**31, settings.workers):
        pieces.put(renderer.piece(number))


def _learn(
    out: Path,
    settings: DeviceSettings,
    pieces: Any,
    crew: Sequence[BaseProcess],
    music: Sequence[Piece],
) -> None:
    torch.manual_seed(settings.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pool = Pool(settings, device)
    twin = _begin(settings).to(device)
    average = torch.optim.swa_utils.AveragedModel(
        twin,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.average),
        use_buffers=False,
    )
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.0, weight_decay=settings.decay)
    while pool.added < min(64, settings.capacity, settings.pieces or 64):
        _take(pool, pieces, crew, wait=True)
    heard = _endless(music, np.random.default_rng(settings.seed))
    mix, saved, step, rendered = examples.Mix(), list(_SAVED_AT), 0, pool.added
    begun, total = time.monotonic(), torch.zeros((), device=device)
    with (out / "log.csv").open("w", buffering=1) as log:
        log.write("step,seconds,pieces,loss\n")
        while (done := (time.monotonic() - begun) / (60.0 * settings.minutes)) < 1.0:
            rendered += _take(pool, pieces, crew, wait=False)
            while pool.added - rendered < _beside(rendered, settings.heard_share, music):
                pool.add(next(heard))
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * min(1.0, (step + 1) / 300.0) * _cosine(done)
            with torch.no_grad():
                features, truth = compose(
                    pool.draw(settings.batch, mix),
                    settings.features,
                    width=settings.width,
                    lead=_LEAD,
                )
            with torch.autocast(device.type, torch.bfloat16, enabled=_has_bfloat16(device)):
                logits = twin(features[:, _LEAD:])
            value = loss(logits.float(), truth[:, _LEAD:])
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(twin)
            total += value.detach()
            step += 1
            if step % _REPORT == 0:
                now = time.monotonic() - begun
                log.write(f"{step},{now:.1f},{pool.added},{float(total) / _REPORT:.5f}\n")
                total.zero_()
            if saved and done >= saved[0]:
                _save(average.module, twin, out / f"weights-{round(100 * saved.pop(0))}.npz")
    _save(average.module, twin, out / "weights-100.npz")


def _begin(settings: DeviceSettings) -> Twin:
    """The network with random weights, or with those to start from."""
    twin = Twin(settings.features.bands, settings.network)
    if settings.start:
        try:
            twin.take_keras_weights(read_weights([Path(file) for file in settings.start]))
        except ValueError as error:
            raise InputError(f"{settings.start[0]}: {error}") from None
    return twin


def _has_bfloat16(device: torch.device) -> bool:
    """Whether it computes in bfloat16; a processor that does not takes four times as long."""
    return device.type == "cuda" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _cosine(done: float) -> float:
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))


def _endless(music: Sequence[Piece], rng: np.random.Generator) -> Iterator[Piece]:
    """All music at random, again and again."""
    while music:
        for index in rng.permutation(len(music)).tolist():
            yield music[index]


def _beside(rendered: int, share: float, music: Sequence[Piece]) -> int:
    """How many pieces of music go with so many rendered ones."""
    return int(rendered * share / (1.0 - share)) if music else 0


def _take(pool: Pool, pieces: Any, crew: Sequence[BaseProcess], *, wait: bool) -> int:
    """What has been rendered goes into the pool; how many pieces."""
    codes = [process.exitcode for process in crew]  # 0: it had no more to render
    if None not in codes and any(codes):
        raise InputError("the processes that render died")
    taken = 0
    try:
        while True:
            pool.add(pieces.get(timeout=1.0) if wait else pieces.get_nowait())
            wait, taken = False, taken + 1
    except queue.Empty:
        return taken


def _save(average: torch.nn.Module, twin: Twin, path: Path) -> None:
    """Averaged weights; the statistics of batches are averages already."""
    for mine, newest in zip(average.buffers(), twin.buffers(), strict=True):
        mine.copy_(newest)
    weights = average.keras_weights()
    beside = path.with_suffix(".part.npz")
    np.savez(beside, *weights)
    beside.replace(path)


def _main(
    cargo: Annotated[Path, typer.Argument(metavar="CARGO")],
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    minutes: Annotated[float, typer.Option(help="From the first step on.")] = 9.0,
    workers: Annotated[int, typer.Option(help="Processes that render.", min=1)] = 15,
    batch: Annotated[int, typer.Option(min=1)] = 32,
    capacity: Annotated[int, typer.Option(help="Pieces that the GPU keeps.", min=1)] = 12000,
    pieces: Annotated[int | None, typer.Option(help="Render no more than so many.", min=1)] = None,
    rate: Annotated[float, typer.Option(help="AdamW's highest.")] = 2e-3,
    average: Annotated[float, typer.Option(help="Of the weights, what a step leaves.")] = 0.999,
    start: Annotated[list[Path] | None, typer.Option(help="Weights to go on from.")] = None,
    heard: Annotated[Path | None, typer.Option(help="Music that was heard, to learn too.")] = None,
    heard_share: Annotated[float, typer.Option(help="Of the pieces.", min=0.0, max=0.9)] = 0.3,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Train on a GPU from packed material."""
    settings = DeviceSettings(minutes=minutes, workers=workers, batch=batch, capacity=capacity,
                              pieces=pieces, rate=rate, average=average, seed=seed,
                              start=tuple(map(str, start or ())),
                              heard=None if heard is None else str(heard),
                              heard_share=heard_share)  # fmt: skip
    try:
        if start:
            settings = replace(settings, network=sizes_of(read_weights(start)))
        fit(cargo, out, settings)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(_main)
