"""A training run: from folders of material to a model file, in one call.

Everything lies in the run's folder (rendered pieces, checkpoints, log), so that
a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drum2midi.errors import InputError
from drum2midi.evaluation import CONFUSION_LABELS
from drum2midi.features import FeatureSettings
from drum2midi.files import check_writable, replacing
from drum2midi.heatmap import draw_confusion
from drum2midi.locks import working_in
from drum2midi.model import Activations, PickSettings, split_outputs
from drum2midi.training.export import export
from drum2midi.training.fit import FitSettings, fit
from drum2midi.training.loudness import fit_dynamics
from drum2midi.training.network import NetworkSettings, average
from drum2midi.training.pieces import Sources, start_renderers
from drum2midi.training.tracking import Tracker, tracked
from drum2midi.training.tune import check_dev_set, check_rendered_set, confusions, tune
from drum2midi.training.weights import read_weights, sizes_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LOG: Final = logging.getLogger(__name__)

_ENOUGH_TO_START: Final = 64


@dataclass(frozen=True)
class RunSettings:
    """All that decides a run, beside its material.

    Attributes
    ----------
    pieces : int
        Pieces of `drum2midi.training.pieces.SECONDS` each to render.
    workers : int
        Processes that render while the network trains.
    members : int
        Networks to train one after another, from seeds that follow each other; the
        model's output is their mean.
    start : Path, optional
        A ``.keras`` file to begin from instead of chance. The network is then as large as its,
        whatever `network` says; `drum2midi.training.widen` makes it larger beforehand.
    """

    pieces: int = 6000
    workers: int = 1
    members: int = 1
    start: Path | None = None
    features: FeatureSettings = field(default_factory=FeatureSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    fit: FitSettings = field(default_factory=FitSettings)


def train(
    sources: Sources,
    run: Path,
    output: Path,
    *,
    settings: RunSettings | None = None,
    dev_set: Path | None = None,
    rendered: Path | None = None,
) -> dict[str, float]:
    """Render, train, tune and export.

    Parameters
    ----------
    sources : Sources
        The material.
    run : Path
        Folder of this run; made if it is not there, continued if it is.
    output : Path
        The ``.onnx`` to write.
    settings : RunSettings, optional
    dev_set : Path, optional
        Real recordings that choose the thresholds; 0.5 each without.
    rendered : Path, optional
        Rendered performances that choose beside them: see `drum2midi.training.tune.tune`.

    Returns
    -------
    dict
        Micro F of each folder of the dev set.

    Raises
    ------
    InputError
        If material or what to begin from is missing, a renderer fails, or another process
        works in the folder.
    """
    settings = settings or RunSettings()
    if output.suffix != ".onnx":
        raise InputError(f"{output}: a model file ends in .onnx")
    check_writable(output)
    if dev_set is not None:
        check_dev_set(dev_set)
    if rendered is not None:
        check_rendered_set(rendered)
    if settings.start is not None:
        sizes = sizes_of(read_weights([settings.start]))
        settings = replace(settings, network=sizes)
    with working_in(run, what="train"):
        return _go_on(sources, run, output, settings, dev_set=dev_set, rendered=rendered)


def _go_on(
    sources: Sources,
    run: Path,
    output: Path,
    settings: RunSettings,
    *,
    dev_set: Path | None,
    rendered: Path | None,
) -> dict[str, float]:
    """Do what is left of a run."""
    pieces = run / "pieces"
    _remember(run, sources, settings)
    crew = start_renderers(
        pieces,
        sources,
        settings.features,
        count=settings.pieces,
        seed=settings.fit.seed,
        workers=settings.workers,
    )
    try:
        _await(pieces, crew, min(_ENOUGH_TO_START, settings.pieces))
        with tracked(run, _facts(sources, settings)) as tracker:
            model = average(
                [_member(run, settings, member, tracker) for member in range(settings.members)]
            )
            if _failed(crew):
                _LOG.warning(
                    "%s: rendering failed, see the messages above: %d of %d pieces were trained on",
                    pieces, len(_rendered(pieces)), settings.pieces,
                )  # fmt: skip
            about = {
                "members": settings.members,
                "network": asdict(settings.network),
                "fit": asdict(settings.fit),
                "held_out_kits": list(sources.without_kits),
            }
            return tune_and_export(
                model, settings.features, output, about, pieces=pieces, dev_set=dev_set,
                rendered=rendered, tracker=tracker, seed=settings.fit.seed,
            )  # fmt: skip
    finally:
        for renderer in crew:
            renderer.terminate()
            renderer.join()


def _member(run: Path, settings: RunSettings, member: int, tracker: Tracker) -> Any:
    """Train one network of the mean."""
    return fit(
        run / "pieces",
        run / f"member-{member}",
        settings.features,
        settings.network,
        replace(settings.fit, seed=settings.fit.seed + member),
        start=settings.start,
        report=lambda logs, step: tracker.metrics(
            {f"member_{member}.{name}": value for name, value in logs.items()}, step=step
        ),
    )


def tune_and_export(
    model: Any,
    features: FeatureSettings,
    output: Path,
    about: Mapping[str, Any],
    *,
    pieces: Path,
    dev_set: Path | None,
    tracker: Tracker,
    rendered: Path | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Choose the thresholds, set the dynamics, export, and log what came out.

    Parameters
    ----------
    model : keras.Model
    features : FeatureSettings
    output : Path
        The ``.onnx`` to write.
    about : mapping
        What trained it; the figures are added.
    pieces : Path
        Rendered pieces to set the dynamics on.
    dev_set : Path, optional
        Real recordings that choose the thresholds; 0.5 each without.
    tracker : Tracker
    rendered : Path, optional
        See `train`.
    seed : int
        Decides the mixes of those pieces.

    Returns
    -------
    dict
        Micro F of each folder of the dev set.
    """
    picking, scores = PickSettings(), dict[str, float]()
    listen = listener(model, features)
    if dev_set is not None:
        picking, scores = tune(listen, dev_set, features, rendered=rendered)
        tracker.metrics({f"micro_f.{name}": score for name, score in scores.items()}, step=0)
        for folder, table in confusions(listen, dev_set, features, picking).items():
            figure = draw_confusion(table, CONFUSION_LABELS, title=folder)
            tracker.figure(figure, f"confusion-{folder}.png")
    about = {**about, "parameters": int(model.count_params()), "dev_set_micro_f": scores}
    dynamics = fit_dynamics(listen, pieces, features, picking, seed=seed)
    export(model, output, features, picking, about, dynamics=dynamics)
    tracker.file(output)
    return scores


def _remember(run: Path, sources: Sources, settings: RunSettings) -> None:
    """Write down what a run is made of; refuse to go on with something else.

    More pieces, workers or members may be asked for: they change nothing that is done.
    """
    facts = _facts(sources, settings)
    text = json.dumps(facts, indent=1, default=str, sort_keys=True)
    path = run / "settings.json"
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        raise InputError(f"{run}: was begun with other material or settings; see {path.name} there")
    with replacing(path) as target:
        target.write_text(text, encoding="utf-8")


def _facts(sources: Sources, settings: RunSettings) -> dict[str, object]:
    return {
        "sources": asdict(sources),
        "start": settings.start,
        "features": asdict(settings.features),
        "network": asdict(settings.network),
        "fit": asdict(settings.fit),
    }


def _await(pieces: Path, crew: Sequence[SpawnProcess], count: int) -> None:
    while len(_rendered(pieces)) < count:
        if _failed(crew):
            raise InputError(f"{pieces}: rendering failed; see the messages above")
        time.sleep(1.0)


def _rendered(pieces: Path) -> list[Path]:
    return list(pieces.glob("*.npz"))


def _failed(crew: Sequence[SpawnProcess]) -> bool:
    return any(renderer.exitcode for renderer in crew)


def listener(model: Any, features: FeatureSettings) -> Callable[[NDArray[np.float32]], Activations]:
    """What a Keras network hears in features (frames, bands)."""

    def listen(frames: NDArray[np.float32]) -> Activations:
        # Keras predicts whole songs in one graph; a loop over frames would be far slower.
        return split_outputs(model.predict(frames[None], verbose=0)[0], features.frame_rate)

    return listen
