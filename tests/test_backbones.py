"""Backbones: a dense head on a frozen network, small enough to train here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi.classifier import ImageSettings, hit_image, load_classifier, load_models
from drum2midi.drums import KICK, SNARE
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.model import load_model
from drum2midi.pipeline import transcribe
from drum2midi.transcription import Hit
from drum2midi.workshop.building import BuildSettings, build_dataset
from drum2midi.workshop.dataset import Dataset
from drum2midi.workshop.material import items_of
from drum2midi.workshop.scoring import Listener, score

SMALL = ImageSettings(mel=FeatureSettings(window=1024, hop=300, bands=32), frames=32)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Thirty clips of a thump and thirty of a crack, each at its own speed."""
    folder = tmp_path_factory.mktemp("hits")
    rng = np.random.default_rng(0)
    for name, sound in (("kick", thump()), ("snare", crack())):
        (folder / "clips" / name).mkdir(parents=True)
        for index in range(30):
            pitch = float(rng.uniform(0.8, 1.25))
            at = np.arange(int(len(sound) / pitch)) * pitch
            hit = np.interp(at, np.arange(len(sound)), sound)
            clip = 0.5 * place(hit.astype(np.float32), [0.01], 0.3)
            soundfile.write(folder / "clips" / name / f"{index}.wav", clip, RATE)
    settings = BuildSettings(shares=(60, 20, 20), classes="six", augmented=0)
    return build_dataset([folder / "clips"], folder / "data", settings=settings)


@pytest.fixture(scope="module")
def backbone(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    pytest.importorskip("tf2onnx", reason="needs drum2midi[train]")
    from drum2midi.workshop.backbone import train_backbone
    from drum2midi.workshop.bases import BackboneSettings

    output = tmp_path_factory.mktemp("model") / "mobile.onnx"
    settings = BackboneSettings(name="mobilenet", random=True, epochs=10, patience=10, batch=8)
    trained = train_backbone(
        dataset, output, run=output.with_suffix(".run"), settings=settings, images=SMALL
    )
    assert trained.classes == ("kick", "snare")
    assert trained.epochs == 10
    assert trained.parameters > 3_000_000
    return output


def test_a_picture_is_square_and_relative(dataset: Dataset) -> None:
    samples = np.concatenate((np.zeros(2000, np.float32), thump()))
    onset = 2000 / RATE
    picture = hit_image(samples, onset, ImageSettings())
    assert picture.shape == (256, 256)
    assert picture.min() == 0.0
    assert picture.max() == 255.0
    np.testing.assert_allclose(hit_image(0.1 * samples, onset, ImageSettings()), picture, atol=0.2)
    # Low bands, which are the first rows, sound; the beginning and what is beyond are silent.
    assert picture[:40].mean() > 2.0 * picture[128:].mean()
    assert hit_image(np.zeros(100, np.float32), 0.0, ImageSettings()).max() == 0.0


def test_it_tells_kicks_from_snares(dataset: Dataset, backbone: Path) -> None:
    items, scheme = items_of(dataset.folder, "test")
    report = score(items, Listener.load(backbone), classes=scheme)
    assert report.finding is None  # clips of one hit: nothing to find
    assert report.naming is not None
    assert report.naming.accuracy >= 0.9
    assert report.naming.support.tolist() == [0, 0, 6, 0, 6, 0]


def test_it_names_what_our_network_finds(backbone: Path, beat_wav: Path) -> None:
    network, classifier = load_models(backbone)
    assert classifier is not None
    assert network is load_model()
    assert [one.drum for one in classifier.classes] == [KICK, SNARE]
    song = transcribe(beat_wav, model=backbone)
    names = [hit.drum.name for hit in song.hits]
    assert names.count("kick") >= 6
    assert names.count("snare") >= 6
    assert set(names) == {"kick", "snare"}
    samples = soundfile.read(beat_wav, dtype="float32")[0]
    shy, keen = (
        classifier.name([Hit(0.25, SNARE, 70)], samples, sensitivity=s) for s in (0.0, 1.0)
    )
    assert len(shy) <= len(keen)
    assert shy[0].velocity == 70
    with pytest.raises(InputError, match="names hits but finds none"):
        load_model(backbone)


def test_a_run_that_is_done_is_not_done_again(dataset: Dataset, backbone: Path) -> None:
    from drum2midi.workshop.backbone import train_backbone
    from drum2midi.workshop.bases import BackboneSettings

    run = backbone.with_suffix(".run")
    times = {path.name: path.stat().st_mtime_ns for path in run.glob("*.npz")}
    assert set(times) == {"train.npz", "validation.npz"}
    with pytest.raises(InputError, match="was begun with other material or settings"):
        train_backbone(
            dataset, backbone, run=run, images=SMALL,
            settings=BackboneSettings(name="mobilenet", random=True),
        )  # fmt: skip


def test_a_loss_that_is_no_number_is_said(dataset: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.workshop.backbone import train_backbone
    from drum2midi.workshop.bases import BackboneSettings

    settings = BackboneSettings(name="mobilenet", random=True, epochs=2, rate=1e38)
    with pytest.raises(InputError, match=r"run: the loss was no number .* lower --rate"):
        train_backbone(
            dataset, tmp_path / "x.onnx", run=tmp_path / "run", settings=settings, images=SMALL
        )
    assert not (tmp_path / "x.onnx").exists()


def test_the_head_is_the_articles(backbone: Path) -> None:
    import keras

    from drum2midi.workshop.backbone import build_head
    from drum2midi.workshop.bases import BackboneSettings

    features = np.random.default_rng(0).normal(3.0, 0.01, (50, 8)).astype(np.float32)
    head = build_head(features, 6, BackboneSettings(random=False))
    assert [type(layer).__name__ for layer in head.layers] == [
        "InputLayer", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    assert head.layers[1].units == 256
    assert head.layers[1].activation is keras.activations.relu
    assert head.layers[3].activation is keras.activations.sigmoid
    standardised = build_head(features, 6, BackboneSettings(random=True)).layers[1](features)
    np.testing.assert_allclose(np.std(standardised, axis=0), 1.0, rtol=1e-2)

    trained = keras.models.load_model(backbone.with_suffix(".run") / "best.keras")
    assert trained.loss == "binary_crossentropy"
    assert isinstance(trained.optimizer, keras.optimizers.Adam)


def test_weights_that_cannot_be_had_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from keras.src.utils import file_utils

    from drum2midi.workshop.bases import BackboneSettings, build_base

    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(file_utils, "urlretrieve", no_network)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(InputError, match="ImageNet weights of mobilenet-v2 cannot be fetched"):
        build_base(BackboneSettings(name="mobilenet-v2"), SMALL)
    with pytest.raises(InputError, match=r"none of keras\.applications, which has ConvNeXtBase"):
        build_base(BackboneSettings(name="hal-9000"), SMALL)
    broken = tmp_path / "broken_notop.h5"
    broken.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"broken_notop\.h5: not weights of mobilenet"):
        build_base(BackboneSettings(name="mobilenet", weights=broken), SMALL)


def test_weights_from_a_file(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.workshop.bases import BackboneSettings, build_base

    base, _ = build_base(BackboneSettings(name="mobilenet", random=True, seed=1), SMALL)
    base.save_weights(tmp_path / "some.weights.h5")
    settings = BackboneSettings(name="mobilenet", weights=tmp_path / "some.weights.h5", seed=2)
    again, _ = build_base(settings, SMALL)
    assert not again.trainable_weights
    for one, other in zip(base.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_class_that_train_lacks_is_named(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.workshop.backbone import train_backbone
    from drum2midi.workshop.bases import BackboneSettings

    for name in ("kick", "ride"):
        for index in range(2):
            path = tmp_path / "clips" / name / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            level = 0.5 - 0.1 * index - 0.05 * (name == "ride")  # no clip is another's copy
            soundfile.write(path, level * place(thump(), [0.01], 0.3), RATE)
    settings = BuildSettings(shares=(50, 50, 0), augmented=0, classes="six")
    data = build_dataset([tmp_path / "clips"], tmp_path / "data", settings=settings)
    moved = [
        entry for entry in data.entries
        if entry.split == "validation" or entry.strokes[0].sound == (KICK,)
    ]  # fmt: skip
    lacking = Dataset(data.folder, data.classes, tuple(moved), data.digest)
    with pytest.raises(InputError, match="the class ride is empty in train, but validation has"):
        train_backbone(
            lacking, tmp_path / "x.onnx", run=tmp_path / "run",
            settings=BackboneSettings(name="mobilenet", random=True),
        )  # fmt: skip


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model file"):
        load_classifier(tmp_path / "nowhere.onnx")
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not an ONNX model"):
        load_models(tmp_path / "x.onnx")
