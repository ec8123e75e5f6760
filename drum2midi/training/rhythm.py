"""Learn what drummers play around a stroke: writes ``drum2midi/rhythm.npz``.

    OMP_NUM_THREADS=1 python -m drum2midi.training.rhythm WORK --oneshots DIR [--oneshots DIR ...] \
        --grooves DIR --impulses DIR [--hold-out KIT ...] [--out FILE]

4/4 performances of the Groove MIDI Dataset's train split are played on kits drawn at random, and
the model that ships hears them: its mistakes are those that the rhythm has to mend. What it heard
is kept in WORK, so that a run that was stopped goes on; WORK belongs to one set of grooves and
kits and to one model. For each class a small network then
learns, from what is heard around moments, by how many logits more or less likely a stroke is
than what is heard of the class itself says.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import mir_eval
import numpy as np
import typer

from drum2midi.drums import SCORING_CLASSES
from drum2midi.errors import InputError
from drum2midi.features import QUIET_FRAMES, in_silence, log_mel
from drum2midi.files import check_writable, replacing
from drum2midi.heeding import heed_recording, pulse_of
from drum2midi.model import Activations, load_model, log_odds, shipped_model
from drum2midi.rhythm import CLASSES, describe_rhythm, with_company
from drum2midi.sides import FEWEST, find_moments, heard_at
from drum2midi.training import oneshots, render
from drum2midi.training.grooves import GrooveFile, Stroke, list_grooves, read_groove
from drum2midi.training.pieces import read_impulses
from drum2midi.training.rendered_set import RATE
from drum2midi.transcription import Metre

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED: Final = 77
_LONGEST: Final = 100.0  # seconds of a performance
_LEAD_IN: Final = 0.4  # seconds
_TAIL: Final = 2.0  # seconds
_WINDOW: Final = 0.05  # seconds between a moment and the stroke that it is of
_LOYALTIES: Final = (1.0, 0.65)
_BLENDS: Final = 0.15
_COMMON: Final = Metre(4, 4)
_HIDDEN: Final = (64, 32)
_DROPOUT: Final = (0.1, 0.2)
_EPOCHS: Final = 4
_BATCH: Final = 1024
_RATE: Final = 2e-3
_DECAY: Final = 1e-3
_LEAST_SCALE: Final = 0.1  # of what is heard; were it nothing, the rhythm's share would be endless
_MOST: Final = 6.0  # logits: what is heard is no surer than this


def hear_groove(
    number: int, file: GrooveFile, library: oneshots.Library, rooms: Sequence[NDArray[np.float32]]
) -> dict[str, NDArray[Any]] | None:
    """Play a performance, hear it, and tell its moments and what was struck at each.

    Parameters
    ----------
    number : int
        Of the performance and the time it is played: decides excerpt, kit and room.
    file : GrooveFile
    library : Library
    rooms : sequence of float32 arrays

    Returns
    -------
    dict of array, or None where there are too few strokes
        `around` (moments, numbers), `heard` (moments, 5) and `struck` (moments, 4), of `CLASSES`.
    """
    rng = np.random.default_rng((_SEED, number))
    strokes = _excerpt(file, rng)
    if len(strokes) < 2 * FEWEST:
        return None
    kit = oneshots.draw_kit(library, rng, loyalty=float(rng.choice(_LOYALTIES)), blends=_BLENDS)
    played = render.render(
        strokes, kit, rooms, rng, seconds=strokes[-1].onset + _TAIL, rate=RATE, window=1
    )
    model = load_model()
    audio = 0.8 * played.audio / np.abs(played.audio).max()
    features = log_mel(in_silence([audio.astype(np.float32)], model.features), model.features)
    heeded = heed_recording(model.activations(features), features, replace(model.picking, rhythm=0))
    moments, pulse = find_moments(heeded.classes), pulse_of(heeded)
    if len(moments) < 2 * FEWEST or len(pulse) < 2:
        return None
    return {
        "around": describe_rhythm(heeded, moments, pulse).astype(np.float16),
        "heard": heard_at(heeded.classes, moments),
        "struck": _struck(played.strokes, moments, heeded),
    }


def _excerpt(file: GrooveFile, rng: np.random.Generator) -> list[Stroke]:
    """Strokes of some part of a performance, a moment after silence."""
    groove = read_groove(file)
    if groove is None:
        return []
    start = float(rng.uniform(0.0, max(groove.strokes[-1].onset - _LONGEST, 0.0)))
    return [
        replace(stroke, onset=stroke.onset - start + _LEAD_IN)
        for stroke in groove.strokes
        if start <= stroke.onset <= start + _LONGEST
    ]


def _struck(
    strokes: Sequence[Stroke], moments: NDArray[np.intp], heard: Activations
) -> NDArray[np.bool_]:
    """Whether each of `CLASSES` was struck at each moment."""
    struck = np.zeros((len(moments), len(CLASSES)), np.bool_)
    at = (moments - QUIET_FRAMES) / heard.frame_rate
    for column, name in enumerate(CLASSES):
        times = np.array(sorted(s.onset for s in strokes if s.drum.scoring == name))
        if len(times):
            pairs = mir_eval.util.match_events(times, at, _WINDOW)
            struck[[moment for _, moment in pairs], column] = True
    return struck


@dataclass(frozen=True)
class Hearing:
    """What is to be heard, on which kits and in which rooms, and where that is kept.

    Attributes
    ----------
    work : Path
        Folder of ``NUMBER.npz``, as `hear_groove` returns them.
    files : tuple of GrooveFile
        Performance `number` is of file `number % len(files)`.
    times : int
        How often each is played, on another kit and in another room every time.
    shots : tuple of Path
        Folders of one-shots.
    held_out : tuple of str
        Kits that are not played.
    impulses : Path
        Folder of rooms.
    """

    work: Path
    files: tuple[GrooveFile, ...]
    times: int
    shots: tuple[Path, ...]
    held_out: tuple[str, ...]
    impulses: Path

    def paths(self) -> list[Path]:
        """Where what is heard of every performance lies."""
        return [self.work / f"{n:05d}.npz" for n in range(self.times * len(self.files))]

    def about(self) -> dict[str, Any]:
        """What a folder of work belongs to."""
        indices = b"".join((folder / "index.csv").read_bytes() for folder in self.shots)
        return {
            "grooves": [file.name for file in self.files],
            "oneshots": hashlib.sha256(indices).hexdigest(),
            "held_out": sorted(self.held_out),
            "model": hashlib.sha256(shipped_model().read_bytes()).hexdigest(),
        }


def hear_grooves(hearing: Hearing, *, processes: int) -> None:
    """Hear every performance that was not heard yet.

    Raises
    ------
    InputError
        If something cannot be read, or the folder of work belongs to other material.
    """
    _claim(hearing)
    missing = [number for number, path in enumerate(hearing.paths()) if not path.exists()]
    if not missing:
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(_hear_one, hearing, number) for number in missing]
        try:
            for done, task in enumerate(tasks, 1):
                task.result()
                if done % 100 == 0 or done == len(tasks):
                    print(f"{done} of {len(tasks)} heard", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _claim(hearing: Hearing) -> None:
    """Make the folder of work, or see that it is of the same material."""
    path = hearing.work / "about.json"
    try:
        hearing.work.mkdir(parents=True, exist_ok=True)
        about = hearing.about()
        if not path.exists():
            with replacing(path) as target:
                target.write_text(json.dumps(about), encoding="utf-8")
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{hearing.work}: {error}") from None
    if before != about:
        raise InputError(
            f"{hearing.work}: heard of other grooves or kits, or by another model; "
            "name another folder"
        )


@lru_cache(maxsize=1)
def _material(
    shots: tuple[Path, ...], held_out: tuple[str, ...], impulses: Path
) -> tuple[oneshots.Library, Sequence[NDArray[np.float32]]]:
    """One-shots and rooms, read once in every process."""
    library = oneshots.load_library(*shots, without=held_out, sample_rate=RATE)
    return library, read_impulses(impulses)


def _hear_one(hearing: Hearing, number: int) -> None:
    library, rooms = _material(hearing.shots, hearing.held_out, hearing.impulses)
    file = hearing.files[number % len(hearing.files)]
    try:
        arrays: dict[str, Any] = hear_groove(number, file, library, rooms) or {}
    except OSError as error:
        raise InputError(f"{file.path}: {error}") from None
    with replacing(hearing.paths()[number]) as target, target.open("wb") as stream:
        np.savez(stream, **arrays)


def read_heard(hearing: Hearing) -> list[dict[str, NDArray[Any]]]:
    """What was heard of all performances, less those with too few strokes.

    Raises
    ------
    InputError
        If a file is damaged, or nothing was heard of any.
    """
    found = []
    for path in hearing.paths():
        try:
            with np.load(path) as stored:
                found.append(dict(stored))
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: damaged ({error}); delete it and run again") from None
    if not any(found):
        raise InputError(f"{hearing.work}: no performance has strokes enough to learn from")
    return [arrays for arrays in found if arrays]


def fit_rhythm(examples: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[np.float16]]:
    """Train a network for each class.

    Parameters
    ----------
    examples : sequence of dict
        As `hear_groove` returns them.

    Returns
    -------
    dict of array
        `w1`, `b1`, `w2`, `b2` and `w3`, with the classes along the first axis.
    """
    import keras

    around = np.concatenate([e["around"] for e in examples]).astype(np.float32)
    heard = np.concatenate([e["heard"] for e in examples])
    struck = np.concatenate([e["struck"] for e in examples])
    # Long performances say the same again and again.
    weights = np.concatenate([np.full(len(e["heard"]), len(e["heard"]) ** -0.5) for e in examples])
    weights /= weights.mean()
    own = np.clip(log_odds(heard), -_MOST, _MOST)
    layers = []
    for row, name in enumerate(CLASSES):
        keras.utils.set_random_seed(row)
        told = with_company(around, heard, name)
        network, says = _build(told.shape[1])
        steps = _EPOCHS * -(-len(told) // _BATCH)
        rate = keras.optimizers.schedules.CosineDecay(
            1e-4, steps - steps // 5, warmup_target=_RATE, warmup_steps=steps // 5
        )
        network.compile(
            keras.optimizers.AdamW(rate, weight_decay=_DECAY),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        column = SCORING_CLASSES.index(name)
        network.fit(
            [told, own[:, column : column + 1]], struck[:, row : row + 1].astype(np.float32),
            sample_weight=weights, batch_size=_BATCH, epochs=_EPOCHS, verbose=2,
        )  # fmt: skip
        # In logits of what is heard, which then counts as it is.
        scale = max(float(network.get_layer("own").get_weights()[0].item()), _LEAST_SCALE)
        w1, b1, w2, b2, w3 = says.get_weights()
        layers.append((w1, b1, w2, b2, w3[:, 0] / scale))
    names = ("w1", "b1", "w2", "b2", "w3")
    return {
        name: np.stack(weights).astype(np.float16)
        for name, weights in zip(names, zip(*layers, strict=True), strict=True)
    }


def _build(numbers: int) -> tuple[Any, Any]:
    """What is heard of the class and what the rhythm says of it, added up; and the latter alone."""
    import keras

    told, own = keras.Input((numbers,)), keras.Input((1,))
    hidden = keras.layers.Dropout(_DROPOUT[0])(told)
    hidden = keras.layers.Dense(_HIDDEN[0], activation="relu")(hidden)
    hidden = keras.layers.Dropout(_DROPOUT[1])(hidden)
    hidden = keras.layers.Dense(_HIDDEN[1], activation="relu")(hidden)
    said = keras.layers.Dense(1, use_bias=False)(hidden)
    scaled = keras.layers.Dense(1, kernel_initializer="ones", name="own")(own)
    return keras.Model([told, own], keras.layers.Add()([said, scaled])), keras.Model(told, said)


def _main(
    work: Annotated[Path, typer.Argument(metavar="WORK", help="What is heard is kept here.")],
    shots: Annotated[list[Path], typer.Option("--oneshots", help="Kits; repeatable.")],
    grooves: Annotated[Path, typer.Option()],
    impulses: Annotated[Path, typer.Option()],
    hold_out: Annotated[list[str] | None, typer.Option(help="A kit to leave out.")] = None,
    times: Annotated[int, typer.Option(min=1, help="How often each groove is played.")] = 3,
    processes: Annotated[int, typer.Option(min=1, help="Each reads all kits.")] = 2,
    out: Annotated[Path, typer.Option(help="The .npz to write.")] = Path(__file__).parents[1]
    / "rhythm.npz",
) -> None:
    """Hear the grooves and learn what drummers play around a stroke."""
    try:
        check_writable(out)
        files = [file for file in list_grooves(grooves, split="train") if file.metre == _COMMON]
        if not files:
            raise InputError(f"{grooves}: no 4/4 performance of the train split")
        hearing = Hearing(work, tuple(files), times, tuple(shots), tuple(hold_out or ()), impulses)
        hear_grooves(hearing, processes=processes)
        networks: dict[str, Any] = fit_rhythm(read_heard(hearing))
        with replacing(out) as target, target.open("wb") as stream:
            np.savez_compressed(stream, **networks)
    except InputError as error:
        typer.echo(f"drum2midi: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{out}: {len(CLASSES)} networks")


if __name__ == "__main__":
    typer.run(_main)
