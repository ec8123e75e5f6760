"""Evaluation of models on labelled recordings, and pictures of what was taken for what."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi.cli import main
from drum2midi.drums import CLOSED_HAT, DRUMS, KICK, OPEN_HAT, SNARE
from drum2midi.errors import InputError
from drum2midi.features import log_mel
from drum2midi.model import PickSettings, load_model
from drum2midi.workshop.building import BuildSettings, build_dataset
from drum2midi.workshop.material import Item, Stroke, items_of
from drum2midi.workshop.scoring import (
    THRESHOLDS,
    Listener,
    Naming,
    Report,
    _naming,
    group_strokes,
    hear_alone,
    score,
)
from drum2midi.workshop.sounds import ANYTHING, SIX, classes_of
from drum2midi.workshop.tables import print_score

pytest.importorskip("mir_eval", reason="needs drum2midi[evaluate]")
pytest.importorskip("sklearn", reason="needs drum2midi[evaluate]")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of kick and snare in turn, ``.mid`` beside ``.wav``."""
    folder = tmp_path_factory.mktemp("pairs")
    for index, shift in enumerate((0.0, 0.1)):
        kicks, snares = [0.3 + shift + i for i in range(6)], [0.8 + shift + i for i in range(6)]
        audio = place(thump(), kicks, 7.0) + place(crack(), snares, 7.0)
        soundfile.write(folder / f"{index}.wav", 0.5 * audio / np.abs(audio).max(), RATE)
        track, at = mido.MidiTrack(), 0
        for onset, note in sorted([(t, 36) for t in kicks] + [(t, 38) for t in snares]):
            tick = round(onset * 960)
            track.append(mido.Message("note_on", channel=9, note=note, velocity=90, time=tick - at))
            at = tick
        mido.MidiFile(tracks=[track]).save(folder / f"{index}.mid")
    return folder


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code in (0, None)


def size_of_png(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:])
    return width, height


def test_a_folder_of_pairs_is_scored(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, picture = tmp_path / "figures.json", tmp_path / "confusion.png"
    run("evaluate", str(pairs), "--classes", "six", "--json", str(figures),
        "--picture", str(picture))  # fmt: skip
    assert "strokes found: micro F" in capsys.readouterr().out
    scores = json.loads(figures.read_text())
    finding, naming = scores["finding"], scores["naming"]
    assert finding["micro"]["reference"] == 24
    assert finding["micro"]["f"] > 0.8
    assert np.sum(finding["confusion"]["counts"]) >= 24
    assert naming["accuracy"] > 0.9
    assert {name: row["hits"] for name, row in naming["classes"].items() if row["hits"]} == {
        "kick": 12,
        "snare": 12,
    }
    assert [row["threshold"] for row in naming["thresholds"]] == list(THRESHOLDS)
    recalls = [row["recall"]["kick"] for row in naming["thresholds"]]
    assert recalls == sorted(recalls, reverse=True)
    strict = [row["precision"] for row in finding["thresholds"]]
    assert strict[-1] >= strict[0]
    assert min(size_of_png(picture)) > 200


def test_a_recording_that_cannot_be_read_is_said_before_the_others_are_heard(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder = Path(shutil.copytree(pairs, tmp_path / "pairs"))
    (folder / "z.wav").write_bytes(b"noise")
    (folder / "1.mid").rename(folder / "z.mid")
    (folder / "1.wav").unlink()
    monkeypatch.setattr("drum2midi.workshop.scoring.read_audio", None)  # none is heard
    with pytest.raises(SystemExit):
        main(["evaluate", str(folder)])
    assert "z.wav: not audio that can be read" in capsys.readouterr().err


def test_two_transcriptions_have_a_picture_too(pairs: Path, tmp_path: Path) -> None:
    picture, figures = tmp_path / "pair.png", tmp_path / "pair.json"
    run("evaluate", str(pairs / "0.mid"), str(pairs / "1.mid"), "--picture", str(picture),
        "--json", str(figures))  # fmt: skip
    assert min(size_of_png(picture)) > 200
    counts = json.loads(figures.read_text())["confusion"]["counts"]
    assert np.sum(counts) == 24  # 0.1 s apart: every stroke missed, every other one false


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{pairs}", "{pairs}/0.mid"], "a folder is scored with --model"),
        (["{pairs}/0.mid"], "say what to score"),
        (["{out}/nowhere", "--split", "all"], "nowhere: no such file or folder"),
        (["{pairs}", "--split", "test"], "not a data set, which alone has a test split"),
        (["{pairs}", "--picture", "{out}/x.svg"], "a picture ends in .png"),
        (["{pairs}", "--json", "{out}/nowhere/x.json"], "there is no folder"),
        (["{pairs}", "--model", "{out}/x.onnx"], "no such model file"),
        (["{out}"], "no labelled audio"),
        (["{pairs}", "--window", "0.1"], "--window goes with two files"),
        (["{pairs}/0.mid", "{pairs}/1.mid", "--split", "all"], "--split goes with a data set"),
    ],
)
def test_what_cannot_be_scored_is_said(
    arguments: list[str],
    message: str,
    pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", *(text.format(pairs=pairs, out=tmp_path) for text in arguments)])
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_audio_that_breaks_off_is_said(pairs: Path, tmp_path: Path) -> None:
    """What its header says of its length is no longer so."""
    broken = tmp_path / "0.flac"
    soundfile.write(broken, soundfile.read(pairs / "0.wav")[0], RATE)
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    shutil.copy(pairs / "0.mid", tmp_path)
    items, scheme = items_of(tmp_path, None)
    with pytest.raises(InputError, match=r"0\.flac: can be read up to \d\.\d+ s; a stroke is at"):
        score(items, Listener.load(None), classes=scheme)
    with pytest.raises(InputError, match=r"0\.flac: can be read up to"):
        build_dataset([tmp_path], tmp_path / "data", settings=BuildSettings(shares=(100, 0, 0)))
    assert not (tmp_path / "data").exists()


def test_figures_of_naming_by_hand() -> None:
    names = ("a", "b", "c")
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 1, 0]], bool)
    scores = np.array(
        [[0.9, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.0], [0.2, 0.45, 0.3], [0.9, 0.9, 0.0]],
        np.float32,
    )
    naming = _naming(truth, scores, names)
    assert naming is not None
    assert naming.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]  # the chord is not asked
    assert naming.accuracy == 0.75
    assert naming.f1.tolist() == pytest.approx([2 / 3, 0.8, 0.0])
    assert naming.weighted_f1 == pytest.approx((2 * 2 / 3 + 2 * 0.8) / 4)
    at = THRESHOLDS.index(0.5)
    assert naming.curve_precision[at].tolist() == pytest.approx([1.0, 2 / 3, 0.0])
    assert naming.curve_recall[at].tolist() == pytest.approx([2 / 3, 2 / 3, 0.0])
    assert _naming(truth[4:], scores[4:], names) is None


def test_strokes_of_a_chord_are_one_onset() -> None:
    strokes = [Stroke(1.0, (KICK,)), Stroke(1.02, (SNARE,)), Stroke(1.04, (SNARE,))]
    assert [len(group) for group in group_strokes(strokes)] == [2, 1]


def test_labels_that_leave_the_class_open_are_not_asked(pairs: Path) -> None:
    hats = (CLOSED_HAT, OPEN_HAT)
    strokes = (Stroke(0.3, (KICK,)), Stroke(0.8, hats), Stroke(1.3, (KICK,)))
    items = [Item(pairs / "0.wav", strokes)]
    by_drum = score(items, Listener.load(None), classes="drums").naming
    by_six = score(items, Listener.load(None), classes="six").naming
    assert by_drum is not None
    assert by_six is not None
    assert by_drum.support.sum() == 2
    assert by_six.support.sum() == 3
    assert by_six.classes == SIX
    with pytest.raises(InputError, match="no labelled stroke to score"):
        score([Item(pairs / "0.wav", ())], Listener.load(None), classes="six")


def test_a_hit_of_which_nobody_says_anything_is_neither_right_nor_wrong(pairs: Path) -> None:
    strokes = [Stroke(0.3 + i, (KICK,)) for i in range(6)]
    unsaid = [Stroke(0.8 + i, ANYTHING) for i in range(6)]
    asked = {
        name: score([Item(pairs / "0.wav", tuple(some))], Listener.load(None), classes="six")
        for name, some in (("silent", strokes), ("unsaid", [*strokes, *unsaid]))
    }
    found = {name: report.finding for name, report in asked.items()}
    assert found["silent"] is not None
    assert found["unsaid"] is not None
    assert found["silent"].micro.estimated >= 12
    assert found["unsaid"].micro.estimated == found["unsaid"].micro.matched == 6


def test_another_model_gives_other_figures(pairs: Path, tmp_path: Path) -> None:
    """A file whose thresholds are out of reach finds nothing, and is told so."""
    onnx = pytest.importorskip("onnx", reason="needs drum2midi[train]")
    from dataclasses import replace

    from drum2midi.model import METADATA_KEY, describe, shipped_model

    shipped = load_model()
    deaf = replace(shipped.picking, thresholds=(0.9999,) * 5)
    assert isinstance(deaf, PickSettings)
    network = onnx.load(shipped_model())
    del network.metadata_props[:]
    entry = network.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, describe(shipped.features, deaf, {})
    onnx.save(network, tmp_path / "deaf.onnx")
    items, scheme = items_of(pairs, "all")
    finding = score(items, Listener.load(tmp_path / "deaf.onnx"), classes=scheme).finding
    assert finding is not None
    assert finding.micro.matched == 0
    assert finding.confusion[:, -1].sum() == 24
    assert len(DRUMS) == 12


def test_a_lone_hit_is_heard_at_several_levels() -> None:
    network = load_model()
    sound = 0.3 * place(crack(), [0.4], 1.0).astype(np.float32)
    features = log_mel([sound], network.features)
    louder = np.where(features > features.min(), features + np.float32(0.6), features)
    one, other = hear_alone(features, network), hear_alone(louder, network)
    alone = network.activations(features), network.activations(louder)
    assert np.abs(one.drums - alone[0].drums).max() > 0.01  # other levels count too
    change = np.abs(one.classes - other.classes).max()
    assert change < np.abs(alone[0].classes - alone[1].classes).max()


def test_no_figure_is_cut_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve drums whose every count has four digits, on eighty columns."""
    monkeypatch.setenv("COLUMNS", "80")
    names = classes_of("drums")
    count, rng = len(names), np.random.default_rng(0)
    confusion = rng.integers(1000, 9999, (count, count))
    shares, curve = np.full(count, 0.125), np.full((len(THRESHOLDS), count), 0.25)
    naming = Naming(tuple(names), confusion, 0.5, 0.5, shares, shares, shares,
                    confusion.sum(axis=1), curve, curve)  # fmt: skip
    print_score(Report(naming, None))
    lines = capsys.readouterr().out.splitlines()
    assert not any("…" in line for line in lines)
    for name, row in zip(names, confusion.tolist(), strict=True):
        (counts,) = (line for line in lines if line.split()[-count:] == [*map(str, row)])
        assert counts.startswith(name)
    assert sum(line.split()[-len(THRESHOLDS) :] == ["0.25"] * 9 for line in lines) == 2 * count


def test_figures_of_five_digits_wrap_rather_than_be_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    names = classes_of("drums")
    count = len(names)
    confusion = np.full((count, count), 12345)
    shares, curve = np.full(count, 0.125), np.full((len(THRESHOLDS), count), 0.25)
    naming = Naming(tuple(names), confusion, 0.5, 0.5, shares, shares, shares,
                    confusion.sum(axis=1), curve, curve)  # fmt: skip
    print_score(Report(naming, None))
    assert "…" not in capsys.readouterr().out
