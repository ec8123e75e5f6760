"""Fine-tuning: targets, not forgetting, a kill in the middle, and the whole workshop in small."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi.audio import stream_audio
from drum2midi.cli import main
from drum2midi.drums import (
    CLOSED_HAT,
    DRUMS,
    HIGH_TOM,
    KICK,
    OPEN_HAT,
    PEDAL_HAT,
    SCORING_CLASSES,
    SNARE,
)  # fmt: skip
from drum2midi.errors import InputError
from drum2midi.features import QUIET_FRAMES, FeatureSettings, in_silence, log_mel
from drum2midi.locks import working_in
from drum2midi.model import PickSettings, load_model
from drum2midi.workshop.building import BuildSettings, build_dataset
from drum2midi.workshop.dataset import Dataset, Entry
from drum2midi.workshop.fine_tune import FineTuneSettings, find_base, fine_tune
from drum2midi.workshop.labels import Label, Labels, write_labels
from drum2midi.workshop.material import Stroke
from drum2midi.workshop.sounds import ANYTHING
from drum2midi.workshop.targets import CROP, Example, crop, example, frame_truth, plan, take, whole
from drum2midi.workshop.thresholds import choose_thresholds

QUICK = FineTuneSettings(epochs=12, batch=2, patience=12)


def write_song(folder: Path, name: str, shift: float) -> tuple[Path, list[tuple[float, str]]]:
    """Kick on 1 and 3, snare on 2 and 4; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    kicks, snares = [0.3 + shift + i for i in range(6)], [0.8 + shift + i for i in range(6)]
    audio = place(thump(), kicks, 7.0) + place(crack(), snares, 7.0)
    path = folder / f"{name}.flac"
    soundfile.write(path, 0.5 * audio / np.abs(audio).max(), RATE)
    return path, sorted([(t, "kick") for t in kicks] + [(t, "snare") for t in snares])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    drums = {"kick": KICK, "snare": SNARE}
    for index in range(4):
        audio, truth = write_song(folder / "songs", f"song{index}", 0.05 * index)
        labels = tuple(Label(time, (drums[name],), 100) for time, name in truth)
        write_labels(Labels(audio, labels), audio.with_suffix(".json"))
    settings = BuildSettings(shares=(50, 25, 25), augmented=0)
    return build_dataset([folder / "songs"], folder / "data", settings=settings)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small network that knows nothing yet: the .keras, its .onnx beside it."""
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    pytest.importorskip("tf2onnx", reason="needs drum2midi[train]")
    import keras

    from drum2midi.training.export import export
    from drum2midi.training.network import NetworkSettings, build_network

    keras.utils.set_random_seed(0)
    model = build_network(96, NetworkSettings(filters=(2, 2, 2), context=8, recurrent=4))
    path = tmp_path_factory.mktemp("base") / "small.keras"
    model.save(path)
    export(model, path.with_suffix(".onnx"), FeatureSettings(), PickSettings(), {})
    return path


def test_truth_says_no_more_than_the_label() -> None:
    hats = (CLOSED_HAT, OPEN_HAT, PEDAL_HAT)
    truth = frame_truth([Stroke(1.0, hats), Stroke(2.0, (SNARE,), 64)], 300, 100.0)
    outputs = truth.shape[1] // 2
    target, weight = truth[:, :outputs], truth[:, outputs:]
    drum = {d: len(SCORING_CLASSES) + i for i, d in enumerate(DRUMS)}
    hat = SCORING_CLASSES.index("HH")
    assert target[100, hat] == 1.0
    assert all(weight[100, drum[d]] == 0.0 for d in hats)  # which of them is not said
    assert weight[100, drum[KICK]] == 1.0
    assert target[200, drum[SNARE]] == 1.0
    loudness = len(SCORING_CLASSES) + len(DRUMS) + DRUMS.index(SNARE)
    assert target[200, loudness] == pytest.approx(64 / 127)
    assert weight[100, len(SCORING_CLASSES) + len(DRUMS) :].max() == 0.0  # no velocity, no lesson
    assert target.sum(axis=1).nonzero()[0].tolist() == [*range(98, 104), *range(198, 204)]


def test_a_recording_is_heard_in_silence_as_the_pipeline_hears_it(tmp_path: Path) -> None:
    path, _ = write_song(tmp_path, "a", 0.0)
    settings = FeatureSettings()
    heard = example(Entry(path, path, "train", 0, 0, (Stroke(0.3, (KICK,), 90),), 7.0), settings)
    audio = stream_audio(path, sample_rate=settings.sample_rate)
    expected = log_mel(in_silence(audio, settings), settings).astype(np.float16)
    np.testing.assert_array_equal(heard.features, expected)
    kick = len(SCORING_CLASSES) + DRUMS.index(KICK)
    assert int(heard.truth[:, kick].argmax()) == 30 + QUIET_FRAMES


def test_truth_says_nothing_where_the_class_is_open() -> None:
    """Nor of a hit of which nobody has said anything; what is sure beside it stands."""
    strokes = [Stroke(1.0, (SNARE, HIGH_TOM)), Stroke(2.0, ANYTHING), Stroke(2.01, (KICK,))]
    truth = frame_truth(strokes, 300, 100.0)
    outputs = truth.shape[1] // 2
    target, weight = truth[:, :outputs], truth[:, outputs:]
    open_here = [SCORING_CLASSES.index("SD"), SCORING_CLASSES.index("TT")]
    assert weight[100, open_here].tolist() == [0.0, 0.0]
    assert weight[100, SCORING_CLASSES.index("HH")] == 1.0
    kick = SCORING_CLASSES.index("KD")
    assert target[201, kick] == 1.0
    assert weight[201, kick] > 1.0
    others = [i for i in range(len(SCORING_CLASSES)) if i != kick]
    assert weight[200, others].tolist() == [0.0] * 4


def test_epochs_depend_on_their_number_alone() -> None:
    rng = np.random.default_rng(0)
    examples = [
        Example(rng.normal(size=(n, 4)).astype(np.float16), np.ones((n, 6), np.float16))
        for n in (1000, 150)
    ]
    first, second, again = (plan(examples, batch=2, seed=1, epoch=epoch) for epoch in (0, 1, 1))
    assert [len(places) for places in first] == [2, 1]
    assert sorted(index for places in first for index, _ in places) == [0, 0, 1]
    assert second == again != first
    assert take(examples, first[0])[0].shape == (2, CROP, 4)
    features, truth = crop(examples[1], 100)
    assert features.shape == (CROP, 4)
    assert truth[:50].min() == 1.0
    assert truth[50:].max() == 0.0  # beyond the end nothing is learnt
    assert whole(examples)[0].shape == (4, CROP, 4)


def test_fine_tuning_keeps_statistics_and_learns(
    dataset: Dataset, base: Path, tmp_path: Path
) -> None:
    import keras

    output = tmp_path / "mine.onnx"
    settings = FineTuneSettings(epochs=3, batch=2, rate=3e-3)
    result = fine_tune(
        dataset, output, run=tmp_path / "run", base=find_base(base), settings=settings
    )
    assert result.epochs == 3
    assert result.loss_before is not None
    assert result.loss_after is not None
    assert result.loss_after < result.loss_before
    assert result.picking == PickSettings()  # a dozen strokes choose no thresholds
    before = keras.models.load_model(base, compile=False)
    after = keras.models.load_model(output.with_suffix(".keras"), compile=False)
    changed = {
        type(old).__name__: any(
            not np.array_equal(a, b)
            for a, b in zip(old.get_weights(), new.get_weights(), strict=True)
        )
        for old, new in zip(before.layers, after.layers, strict=True)
        if old.weights
    }
    assert changed == {
        "Conv2D": True, "BatchNormalization": False, "Conv1D": True, "Bidirectional": True,
        "Dense": True,
    }  # fmt: skip
    frames = np.random.default_rng(0).normal(size=(1, 300, 96)).astype(np.float32)
    heard = load_model(output).activations(frames[0])
    np.testing.assert_allclose(heard.classes, np.asarray(after(frames))[0, :, :5], atol=1e-4)
    assert load_model(output).about["dataset"] == dataset.digest

    with pytest.raises(InputError, match="was begun with other material or settings"):
        fine_tune(dataset, output, run=tmp_path / "run", base=find_base(base), settings=QUICK)


def test_a_run_that_is_killed_goes_on_as_if_it_had_not(
    dataset: Dataset, base: Path, tmp_path: Path
) -> None:
    import keras

    run = tmp_path / "killed"
    command = [sys.executable, "-m", "drum2midi", "train", "--from", str(dataset.folder), "-o",
               str(tmp_path / "killed.onnx"), "--run", str(run), "--from-model", str(base),
               "--epochs", "12", "--patience", "12", "--rate", "0.003"]  # fmt: skip
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    )
    progress = run / "progress.json"
    while process.poll() is None and not (
        progress.is_file() and json.loads(progress.read_text())["epochs"] >= 2
    ):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    done = json.loads(progress.read_text())["epochs"]
    assert 2 <= done < 12, errors.decode()
    assert not (tmp_path / "killed.onnx").exists()

    settings = FineTuneSettings(epochs=12, patience=12, rate=0.003)
    for name in ("killed", "whole"):
        fine_tune(
            dataset, tmp_path / f"{name}.onnx", run=tmp_path / name, base=find_base(base),
            settings=settings,
        )  # fmt: skip
    resumed, uninterrupted = (
        keras.models.load_model(tmp_path / f"{name}.keras", compile=False).get_weights()
        for name in ("killed", "whole")
    )
    for one, other in zip(resumed, uninterrupted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    with (run / "log.csv").open() as lines:
        assert {int(row["epoch"]) for row in csv.DictReader(lines)} >= set(range(done, 12))


def test_two_never_train_in_one_folder(dataset: Dataset, base: Path, tmp_path: Path) -> None:
    with (
        working_in(tmp_path / "run", what="train"),
        pytest.raises(InputError, match="run: another drum2midi train is at work in it"),
    ):
        fine_tune(dataset, tmp_path / "a.onnx", run=tmp_path / "run", base=find_base(base))
    assert not list((tmp_path / "run").iterdir())
    (tmp_path / "a.keras").mkdir()
    with pytest.raises(InputError, match=r"a\.keras: it is a folder"):
        fine_tune(dataset, tmp_path / "a.onnx", run=tmp_path / "run", base=find_base(base))


def test_it_stops_early_when_it_gets_no_better(
    dataset: Dataset, base: Path, tmp_path: Path
) -> None:
    settings = FineTuneSettings(epochs=30, batch=2, patience=1, rate=0.5)
    result = fine_tune(
        dataset, tmp_path / "x.onnx", run=tmp_path / "run", base=find_base(base), settings=settings
    )
    assert result.epochs < 30
    assert result.best_epoch == result.epochs - 1


def test_a_loss_that_is_no_number_is_said(dataset: Dataset, base: Path, tmp_path: Path) -> None:
    settings = FineTuneSettings(epochs=2, batch=2, patience=2, rate=1e38)
    for _ in range(2):  # the same call says the same again
        with pytest.raises(InputError, match=r"run: the loss was no number .* lower --rate"):
            fine_tune(
                dataset, tmp_path / "x.onnx", run=tmp_path / "run", base=find_base(base),
                settings=settings,
            )  # fmt: skip
    assert not (tmp_path / "x.onnx").exists()


def test_without_a_validation_split_too(dataset: Dataset, base: Path, tmp_path: Path) -> None:
    alone = replace(dataset, entries=dataset.of("train"))
    settings = FineTuneSettings(epochs=3, batch=2, rate=1e38)
    with pytest.raises(InputError, match=r"run: the loss was no number .* lower --rate"):
        fine_tune(
            alone, tmp_path / "x.onnx", run=tmp_path / "run", base=find_base(base),
            settings=settings,
        )  # fmt: skip
    assert json.loads((tmp_path / "run" / "progress.json").read_text())["epochs"] == 1


def test_figures_go_to_mlflow_over_a_stop(
    dataset: Dataset, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs drum2midi[train]")
    from drum2midi.workshop.keeper import Keeper

    run = tmp_path / "run"
    settings = FineTuneSettings(epochs=3, batch=2, patience=3)

    def go() -> None:
        fine_tune(dataset, tmp_path / "x.onnx", run=run, base=find_base(base), settings=settings)

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(
            Keeper, "on_epoch_begin", lambda self, epoch, logs=None: epoch and stopped()
        )
        with pytest.raises(KeyboardInterrupt):
            go()
    go()
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{run / 'mlflow.db'}")
    (known,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    for name in ("loss", "val_loss"):
        points = client.get_metric_history(known.info.run_id, name)
        assert [point.step for point in points] == [1, 2, 3]
    assert known.data.params["rate"] == "0.0003"


def test_quiet_says_nothing(dataset: Dataset, base: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "drum2midi", "train", "--from", str(dataset.folder), "-q", "-o",
         str(tmp_path / "x.onnx"), "--from-model", str(base), "--epochs", "1"],
        capture_output=True, check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert said.stdout == b""


def test_a_base_needs_its_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"lost\.keras: no such file"):
        find_base(tmp_path / "lost.keras")
    (tmp_path / "lost.keras").write_bytes(b"")
    with pytest.raises(InputError, match=r"lost\.onnx: no such file"):
        find_base(tmp_path / "lost.keras")
    monkeypatch.setattr(
        "drum2midi.workshop.fine_tune.shipped_model", lambda: tmp_path / "drums.onnx"
    )
    with pytest.raises(InputError, match=r"say with --from-model where models/drums\.keras"):
        find_base()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say with --from which data set to learn from; or, to train from nothing, also "
             "--oneshots, --grooves, --impulses, --run"),
        (["--epochs", "3"], "--epochs goes with --from DATASET"),
        (["--from", "x", "--oneshots", "y"], "--oneshots trains from nothing"),
        (["--random-weights"], "--random-weights goes with --from DATASET"),
        (["--from", "x", "--soundfont", "y"], "--soundfont trains from nothing"),
        (["--from", "x", "--members", "2"], "--members trains from nothing"),
        (["--from", "x", "--keep", "0.5"], "--keep trains from nothing"),
        (["--oneshots", "x", "--grooves", "x", "--impulses", "x", "--run", "x", "--keep", "0.5"],
         "--keep goes with --from-model"),
        (["--oneshots", "x", "--grooves", "x", "--impulses", "x", "--run", "x",
          "--rendered-set", "x"], "--rendered-set goes with --dev-set"),
        (["--from", "x", "--random-weights"], "go with --backbone NAME"),
        (["--from", "nowhere"], "nowhere: not a data set"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["train", "-o", str(tmp_path / "x.onnx"), *arguments])
    assert message in capsys.readouterr().err


def test_what_is_said_of_a_training_from_nothing_reaches_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("tf2onnx", reason="needs drum2midi[train]")
    from drum2midi.training import run as training

    asked: list[training.RunSettings] = []

    def train(*_: object, settings: training.RunSettings, **__: object) -> dict[str, float]:
        asked.append(settings)
        return {}

    monkeypatch.setattr(training, "train", train)
    folders = ["--oneshots", "x", "--grooves", "x", "--impulses", "x", "--run", "x"]
    more = ["--from-model", "began.keras", "--keep", "0.25", "--rate", "0.001", "--steps", "7"]
    for arguments in ([], more):
        with pytest.raises(SystemExit) as ended:
            main(["train", "-o", str(tmp_path / "x.onnx"), *folders, *arguments])
        assert ended.value.code == 0
    plain, said = asked
    assert plain == training.RunSettings()
    assert said.start == Path("began.keras")
    assert (said.fit.keep, said.fit.rate, said.fit.steps) == (0.25, 0.001, 7)


def test_thresholds_are_chosen_for_the_share_of_repeats_that_the_model_has(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mir_eval", reason="needs drum2midi[evaluate]")
    entry = max(dataset.entries, key=lambda entry: len(entry.strokes))
    asked = []

    def tune(
        *_: object, recurrences: tuple[float, ...], base: PickSettings
    ) -> tuple[PickSettings, dict[str, float]]:
        asked.append((recurrences, base.timbre))
        return PickSettings(thresholds=(0.3,) * 5, pedal=0.2, delay=0.002), {}

    monkeypatch.setattr("drum2midi.training.tune.tune", tune)
    before = PickSettings(thresholds=(0.6,) * 5, pedal=0.5, recurrence=0.25, timbre=0.5)
    before = replace(before, open_margin=0.1)
    again = entry.strokes * (1 + 200 // len(entry.strokes))
    many = replace(entry, strokes=tuple(sorted(again, key=lambda stroke: stroke.onset)))
    after = choose_thresholds(None, [many], before, FeatureSettings())
    assert asked == [((0.25,), 0.5)]
    assert after.timbre == 0.5
    assert (after.recurrence, after.open_margin, after.delay) == (0.25, 0.1, 0.002)
    assert after.thresholds[0] == 0.3
    # Those of the hats and of their pedal go together.
    assert (after.thresholds[3], after.pedal) in {(0.3, 0.2), (0.6, 0.5)}


def test_the_workshop_from_slices_to_a_new_transcription(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slice, label, build, fine-tune, evaluate, transcribe, all by the commands."""
    pytest.importorskip("tf2onnx", reason="needs drum2midi[train]")
    pytest.importorskip("mir_eval", reason="needs drum2midi[evaluate]")
    drums = {"kick": KICK, "snare": SNARE}
    for index in range(3):
        audio, truth = write_song(tmp_path / "songs", f"song{index}", 0.07 * index)
        hits = tmp_path / f"hits{index}"
        run("slice", str(audio), "-o", str(hits), "-q")
        found = [row["onset"] for row in json.loads((hits / "slices.json").read_text())["slices"]]
        labels = []
        for onset in found:  # the scripted ear
            time_, name = min(truth, key=lambda stroke: abs(stroke[0] - onset))
            labels.append(Label(onset, (drums[name],) if abs(time_ - onset) < 0.03 else (), 90))
        write_labels(Labels(audio, tuple(labels)), hits / "labels.json")
    data, model = str(tmp_path / "data"), str(tmp_path / "mine.onnx")
    sources = [str(tmp_path / f"hits{index}" / "labels.json") for index in range(3)]
    run("dataset", "build", *sources, "-o", data, "--split", "1,1,1", "--augment", "0", "-q")
    run("train", "--from", data, "-o", model, "--epochs", "1")
    assert "best of 1 epochs is 1, validation loss" in capsys.readouterr().out
    figures = tmp_path / "figures.json"
    run("evaluate", data, "--model", model, "--json", str(figures), "-q")
    scores = json.loads(figures.read_text())
    assert scores["finding"]["micro"]["f"] > 0.8
    run("transcribe", str(tmp_path / "songs" / "song0.flac"), "--model", model, "-o",
        str(tmp_path / "song.csv"), "-q")  # fmt: skip
    with (tmp_path / "song.csv").open() as lines:
        heard = [row["drum"] for row in csv.DictReader(lines)]
    assert heard.count("kick") >= 5
    assert heard.count("snare") >= 5


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code in (0, None)
