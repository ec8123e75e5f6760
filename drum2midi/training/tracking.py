"""Tracking: what a training run was made of and how it went, kept by MLflow.

The store is a database in the run's own folder unless ``MLFLOW_TRACKING_URI``
names another; ``mlflow ui --backend-store-uri sqlite:///RUN/mlflow.db`` shows it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from drum2midi.errors import InputError
from drum2midi.files import replacing

EXPERIMENT: Final = "drum2midi"
_ID: Final = "mlflow-run.txt"
_URI: Final = "MLFLOW_TRACKING_URI"


class Tracker:
    """Writes to one MLflow run."""

    def __init__(self, mlflow: Any) -> None:
        self._mlflow = mlflow

    def metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Log figures of one step: a point of each curve."""
        self._mlflow.log_metrics({name: float(value) for name, value in values.items()}, step=step)

    def file(self, path: Path) -> None:
        """Log a file: a model, a figure."""
        self._mlflow.log_artifact(str(path))

    def figure(self, figure: Any, name: str) -> None:
        """Log a matplotlib figure as a picture of that file name."""
        self._mlflow.log_figure(figure, name)


@contextmanager
def tracked(run: Path, settings: Mapping[str, object]) -> Iterator[Tracker]:
    """An MLflow run for a training run's folder, gone on with if there was one.

    One of other settings, or one that the store does not know any more, is left as it is, and a
    new one begun.

    Parameters
    ----------
    run : Path
        Folder of the training run; made if it is not there.
    settings : mapping
        Parameters of the run; nested mappings are logged as ``outer.inner``.

    Raises
    ------
    InputError
        If the folder cannot be made or the store not be opened.
    """
    import mlflow

    parameters = dict(_flat(settings))
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {run}: {error.strerror}") from None
    own = not os.environ.get(_URI)
    store = run / "mlflow.db"
    if own:
        mlflow.set_tracking_uri(f"sqlite:///{store.resolve()}")
    try:
        _open(mlflow, run, str(store) if own else os.environ[_URI])
        run_id = _begun(mlflow, run / _ID, parameters)
        with mlflow.start_run(run_id=run_id, run_name=None if run_id else run.name) as active:
            with replacing(run / _ID) as target:
                target.write_text(active.info.run_id, encoding="utf-8")
            if run_id is None:
                mlflow.log_params(parameters)
            yield Tracker(mlflow)
    finally:
        if own:  # MLflow remembers the store there, and the next run has another
            os.environ.pop(_URI, None)


def _open(mlflow: Any, run: Path, store: str) -> None:
    """Choose our experiment of the store; make both if they are not there."""
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):  # tells of every table that it makes
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            mlflow.create_experiment(EXPERIMENT, (run / "mlflow-files").resolve().as_uri())
        mlflow.set_experiment(EXPERIMENT)
    # MLflow lets through what the database and its migrations raise.
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, CommandError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{store}: not a store of figures that MLflow can open ({reason}); move it away, and "
            "the run goes on with a new one"
        ) from error


def _begun(mlflow: Any, known: Path, parameters: Mapping[str, str]) -> str | None:
    """The run that was begun with just these parameters, if the store has it."""
    if not known.is_file():
        return None
    run_id = known.read_text(encoding="utf-8").strip()
    try:
        begun = mlflow.get_run(run_id)
    except mlflow.exceptions.MlflowException:
        return None
    alive = begun.info.lifecycle_stage == "active"
    return run_id if alive and begun.data.params == parameters else None


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)[:500]
