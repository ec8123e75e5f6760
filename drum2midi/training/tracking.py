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

EXPERIMENT: Final = "drum2midi"
_ID: Final = "mlflow-run.txt"
_URI: Final = "MLFLOW_TRACKING_URI"


class Tracker:
    """Writes to one MLflow run."""

    def __init__(self, mlflow: Any) -> None:
        self._mlflow = mlflow

    def parameters(self, values: Mapping[str, object]) -> None:
        """Log settings, nested mappings as ``outer.inner``."""
        self._mlflow.log_params(dict(_flat(values)))

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
def tracked(run: Path) -> Iterator[Tracker]:
    """An MLflow run for a training run's folder, gone on with if there was one.

    Parameters
    ----------
    run : Path
        Folder of the training run; made if it is not there.
    """
    import mlflow

    run.mkdir(parents=True, exist_ok=True)
    own = not os.environ.get(_URI)
    if own:
        mlflow.set_tracking_uri(f"sqlite:///{(run / 'mlflow.db').resolve()}")
    for name in ("mlflow", "alembic"):  # tells of every table that it makes
        logging.getLogger(name).setLevel(logging.WARNING)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        mlflow.create_experiment(EXPERIMENT, (run / "mlflow-files").resolve().as_uri())
    mlflow.set_experiment(EXPERIMENT)
    known = run / _ID
    run_id = known.read_text(encoding="utf-8").strip() if known.is_file() else None
    try:
        with mlflow.start_run(run_id=run_id, run_name=None if run_id else run.name) as active:
            known.write_text(active.info.run_id, encoding="utf-8")
            yield Tracker(mlflow)
    finally:
        if own:  # MLflow remembers the store there, and the next run has another
            os.environ.pop(_URI, None)


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)[:500]
