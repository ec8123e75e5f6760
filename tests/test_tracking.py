"""Tracking: what MLflow keeps of a run, over stops, other settings and broken stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from drum2midi.errors import InputError
from drum2midi.training.tracking import tracked

mlflow: Any = pytest.importorskip("mlflow", reason="needs drum2midi[train]")


def kept(run: Path) -> list[Any]:
    """Runs in a folder's store, the oldest first."""
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{run / 'mlflow.db'}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    return sorted(client.search_runs(experiments), key=lambda one: one.info.start_time)


def loss_of(run: Path, run_id: str) -> list[tuple[int, float]]:
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{run / 'mlflow.db'}")
    return [(point.step, point.value) for point in client.get_metric_history(run_id, "loss")]


def test_a_run_goes_on_and_one_of_other_settings_is_another(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for step, settings in ((1, {"rate": 0.1}), (2, {"rate": 0.1}), (3, {"rate": 0.2})):
        with tracked(run, {"fit": settings, "long": "x" * 600}) as tracker:
            tracker.metrics({"loss": 1.0 / step}, step=step)
    first, second = kept(run)
    assert first.data.params == {"fit.rate": "0.1", "long": "x" * 500}
    assert second.data.params == {"fit.rate": "0.2", "long": "x" * 500}
    assert loss_of(run, first.info.run_id) == [(1, 1.0), (2, 0.5)]
    assert loss_of(run, second.info.run_id) == [(3, 1.0 / 3.0)]


def test_a_run_that_the_store_does_not_know_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "mlflow-run.txt").write_text("0123456789abcdef0123456789abcdef")
    with tracked(tmp_path, {}):
        pass
    (first,) = kept(tmp_path)
    mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").delete_run(first.info.run_id)
    with tracked(tmp_path, {}) as tracker:
        tracker.metrics({"loss": 2.0}, step=1)
    (second,) = kept(tmp_path)
    assert second.info.run_id != first.info.run_id
    assert (tmp_path / "mlflow-run.txt").read_text() == second.info.run_id


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    message = r"mlflow\.db: not a store of figures that MLflow can open .*move it away"
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=message), tracked(torn, {}):
        pytest.fail("a run was begun")
    half = tmp_path / "half"  # as a kill leaves it while the tables are made
    half.mkdir()
    with sqlite3.connect(half / "mlflow.db") as store:
        store.execute("create table experiments (name text)")
    with pytest.raises(InputError, match=message), tracked(half, {}):
        pytest.fail("a run was begun")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write .*run"), tracked(tmp_path / "file/run", {}):
        pytest.fail("a run was begun")
