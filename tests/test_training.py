"""The training system on material made here: five minutes of work in miniature."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PIECES, RATE, crack, place, thump

from drum2midi import drums
from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.dynamics import weigh
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings, mel_power
from drum2midi.locks import working_in
from drum2midi.model import Activations, PickSettings, load_model
from drum2midi.training import accompany, effects, examples, render
from drum2midi.training.examples import CROP, batches, compose
from drum2midi.training.grooves import Groove, Stroke, list_grooves, read_groove
from drum2midi.training.loudness import fit_dynamics
from drum2midi.training.oneshots import Instrument, OneShot, draw_kit, load_library
from drum2midi.training.pieces import (
    SECONDS,
    Piece,
    Renderer,
    Sources,
    load_material,
    load_piece,
    piece_path,
    programme,
    save_piece,
    scatter,
)
from drum2midi.transcription import Hit, Metre

SETTINGS = FeatureSettings()


def test_grooves_are_read_with_their_beats(sources: Sources) -> None:
    (file,) = list_grooves(sources.grooves, split="train")
    groove = read_groove(file)
    assert groove is not None
    assert (groove.bpm, groove.metre, groove.name) == (120.0, Metre(4, 4), "d1_s1_1")
    assert groove.strokes[:2] == (
        Stroke(0.25, drums.KICK, 90),
        Stroke(0.5, drums.CLOSED_HAT, 90),
    )


def test_material_that_is_missing_is_named(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"index\.csv: no such file"):
        load_library(tmp_path)
    with pytest.raises(InputError, match="no one-shot of the kick"):
        load_library(*sources.oneshots, without=("tones",))
    with pytest.raises(InputError, match=r"info\.csv: no such file"):
        list_grooves(tmp_path, split="train")
    with pytest.raises(InputError, match="no performance of the split 'test'"):
        list_grooves(sources.grooves, split="test")


def test_layers_follow_the_velocity(sources: Sources) -> None:
    kit = draw_kit(load_library(*sources.oneshots), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    loud = [kit[drums.SNARE].draw(0.0, rng).level_db for _ in range(200)]
    soft = [kit[drums.SNARE].draw(-14.0, rng).level_db for _ in range(200)]
    assert np.mean(loud) > -3.0
    assert np.mean(soft) < -9.0


def test_strokes_sound_exactly_where_they_are_said_to(sources: Sources) -> None:
    kit = draw_kit(load_library(*sources.oneshots), np.random.default_rng(0))
    strokes = [Stroke(0.5, drums.SNARE, 100), Stroke(1.2345, drums.KICK, 60)]
    performance = render.render(
        strokes, kit, [np.array([1.0], np.float32)], np.random.default_rng(2),
        seconds=2.0, rate=RATE, window=2048,
    )  # fmt: skip
    for stroke, written in zip(performance.strokes, strokes, strict=True):
        assert stroke.onset == pytest.approx(written.onset + render.ATTACK, abs=1.0 / RATE)
        at = round(stroke.onset * RATE)
        # Tuning moves an attack within the one-shot by a tenth of a millisecond or two.
        before, after = performance.audio[at - 60 : at - 10], performance.audio[at : at + 400]
        assert np.abs(before).max() < 2e-3 * np.abs(after).max()
    assert performance.alone.shape == performance.together.shape == (2, 2048)
    np.testing.assert_allclose(performance.alone, performance.together, atol=1e-6)


def test_without_treatment_a_drum_sounds_as_it_was_recorded(sources: Sources) -> None:
    kit = draw_kit(load_library(*sources.oneshots), np.random.default_rng(0))
    (layer, *_) = kit[drums.KICK].layers
    likeness = {}
    for treatment in (0.0, 1.0):
        heard = [
            render.render(
                [Stroke(0.5, drums.KICK, 127)], {drums.KICK: replace(kit[drums.KICK],
                layers=(layer,))}, [np.array([1.0], np.float32)], np.random.default_rng(seed),
                seconds=1.5, rate=RATE, window=2048, treatment=treatment,
            ).alone[0]
            for seed in range(8)
        ]  # fmt: skip
        recorded = layer.samples[:2048].astype(np.float32)
        likeness[treatment] = [
            float(recorded @ one / np.linalg.norm(recorded) / np.linalg.norm(one)) for one in heard
        ]
    assert min(likeness[0.0]) > 0.999 > 0.9 > min(likeness[1.0])


def test_the_next_stroke_on_the_hats_chokes_an_open_one() -> None:
    strokes = [
        Stroke(0.0, drums.OPEN_HAT, 90),
        Stroke(0.1, drums.SNARE, 90),
        Stroke(0.3, drums.PEDAL_HAT, 90),
    ]
    assert render._choked_after(strokes, 0) == pytest.approx(0.3)
    assert render._choked_after(strokes, 1) is None
    assert render._choked_after(strokes, 2) is None
    # One open hat goes on sounding in the next.
    again = [strokes[0], Stroke(0.2, drums.OPEN_HAT, 90), Stroke(0.6, drums.CLOSED_HAT, 90)]
    assert render._choked_after(again, 0) == pytest.approx(0.6)


def test_variation_keeps_the_timing() -> None:
    groove = Groove(
        "g", 120, Metre(4, 4), tuple(Stroke(0.5 * i, drums.SNARE, 90) for i in range(40))
    )
    rng = np.random.default_rng(3)
    for _ in range(20):
        varied = render.vary(groove, rng)
        beats = np.array([s.onset for s in varied.strokes]) * varied.bpm / 60
        np.testing.assert_allclose(beats, np.round(beats), atol=1e-9)


@pytest.fixture(scope="module")
def piece(sources: Sources) -> Piece:
    return Renderer(load_material(sources, rate=RATE), SETTINGS, seed=1).piece(4)


def test_a_piece_is_made_from_its_number_alone(sources: Sources, piece: Piece) -> None:
    again = Renderer(load_material(sources, rate=RATE), SETTINGS, seed=1).piece(4)
    other = Renderer(load_material(sources, rate=RATE), SETTINGS, seed=1).piece(5)
    for name in Piece.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(piece, name), getattr(again, name))
    assert not np.array_equal(piece.drums, other.drums)
    assert piece.drums.shape == (1 + int(SECONDS * 100), 96)
    assert np.all(np.diff(piece.frames) >= 0)
    assert 0.0 <= piece.share.min() <= piece.share.max() <= 1.0


def test_pieces_survive_the_disk(piece: Piece, tmp_path: Path) -> None:
    path = piece_path(tmp_path, 7)
    save_piece(piece, path)
    assert [file.name for file in tmp_path.iterdir()] == ["000007.npz"]
    np.testing.assert_array_equal(load_piece(path).share, piece.share)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a rendered piece"):
        load_piece(path)


def test_truth_has_a_bump_at_every_stroke(piece: Piece) -> None:
    features, truth = compose(piece, None, SETTINGS, np.random.default_rng(0))
    outputs = truth.shape[1] // 2
    assert features.shape == (len(truth), 96)
    audible = 0
    for frame, drum, velocity in zip(piece.frames, piece.drum, piece.velocity, strict=True):
        at = round(float(frame))
        column = len(SCORING_CLASSES) + int(drum)
        if at >= len(truth) or truth[at, outputs + column] == 0.0:
            continue
        audible += 1
        assert truth[at, column] >= 0.8
        group = SCORING_CLASSES.index(DRUMS[drum].scoring)
        assert truth[at, group] >= 0.8
        assert truth[:, outputs - len(DRUMS) + int(drum)].max() >= velocity / 127 - 1e-6
    assert audible > 0.8 * np.sum(piece.frames < len(truth))
    assert truth[:, :outputs].max() <= 1.0


def test_batches(piece: Piece, tmp_path: Path) -> None:
    save_piece(piece, piece_path(tmp_path, 0))
    features, truth = next(batches(tmp_path, SETTINGS, batch=3, seed=0, pool=8))
    assert features.shape == (3, CROP, 96)
    assert truth.shape == (3, CROP, 58)
    again, _ = next(batches(tmp_path, SETTINGS, batch=3, seed=0, pool=8))
    np.testing.assert_array_equal(features, again)


def test_train_from_material_to_a_model_that_transcribes(
    sources: Sources, beat_wav: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    pytest.importorskip("tf2onnx", reason="needs drum2midi[train]")
    import keras

    from drum2midi.training import export
    from drum2midi.training.fit import FitSettings
    from drum2midi.training.network import NetworkSettings
    from drum2midi.training.run import RunSettings, train

    small = RunSettings(
        pieces=2,
        members=2,
        network=NetworkSettings(filters=(2, 2, 2), context=8, recurrent=4),
        fit=FitSettings(steps=2, batch=2, steps_an_epoch=2),
    )
    output = tmp_path / "small.onnx"
    train(sources, tmp_path / "run", output, settings=small)
    trained = (tmp_path / "run" / "member-0" / "model.keras").stat().st_mtime_ns
    train(sources, tmp_path / "run", output, settings=small)
    assert (tmp_path / "run" / "member-0" / "model.keras").stat().st_mtime_ns == trained
    with pytest.raises(InputError, match="was begun with other material or settings"):
        train(sources, tmp_path / "run", output, settings=replace(small, fit=FitSettings(steps=4)))
    _check_tracking(tmp_path / "run")
    model = load_model(output)
    assert model.features == SETTINGS
    assert model.about["fit"]["steps"] == 2
    activations = model.activations(np.zeros((500, 96), np.float32))
    assert activations.drums.shape == (500, 12)

    members = [
        keras.models.load_model(tmp_path / "run" / f"member-{i}" / "model.keras", compile=False)
        for i in range(2)
    ]
    noise = np.random.default_rng(1).normal(size=(1, 100, 96)).astype(np.float32)
    mean = np.mean([np.asarray(member(noise)) for member in members], axis=0)
    np.testing.assert_allclose(model.activations(noise[0]).classes, mean[0, :, :5], atol=1e-5)

    # Long songs go through in chunks, and nobody hears where.
    features = np.random.default_rng(0).normal(size=(7000, 96)).astype(np.float32)
    whole = model._session.run(None, {model._input: features[None]})[0][0]
    np.testing.assert_allclose(model.activations(features).classes, whole[:, :5], atol=1e-4)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "TOLERANCE", -1.0)
        refused = tmp_path / "refused.onnx"
        with pytest.raises(InputError, match="ONNX and Keras differ"):
            export.export(members[0], refused, SETTINGS, model.picking, {})
        assert not refused.exists()
    members[0].set_weights([np.full_like(part, np.nan) for part in members[0].get_weights()])
    with pytest.raises(InputError, match="ONNX and Keras differ by nan"):
        export.export(members[0], refused, SETTINGS, model.picking, {})
    assert not refused.exists()


def test_what_training_began_from_keeps_its_share(sources: Sources, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.training.fit import FitSettings, fit
    from drum2midi.training.network import NetworkSettings, build_network

    tiny = NetworkSettings(filters=(2, 2, 2), context=8, recurrent=4)
    renderer = Renderer(load_material(sources, rate=RATE), SETTINGS, seed=3)
    save_piece(renderer.piece(0), piece_path(tmp_path, 0))
    began = build_network(SETTINGS.bands, tiny)
    began.save(tmp_path / "began.keras")
    ends = {}
    for keep in (0.0, 0.25, 1.0):
        model = fit(
            tmp_path, tmp_path / str(keep), SETTINGS, tiny,
            FitSettings(steps=2, batch=2, steps_an_epoch=2, keep=keep),
            start=tmp_path / "began.keras",
        )  # fmt: skip
        ends[keep] = model.get_weights()
    for first, kept, quarter, trained in zip(
        began.get_weights(), ends[1.0], ends[0.25], ends[0.0], strict=True
    ):
        np.testing.assert_array_equal(kept, first)
        np.testing.assert_allclose(quarter, 0.25 * first + 0.75 * trained, rtol=1e-4, atol=1e-6)
    assert any(np.abs(a - b).max() > 1e-5 for a, b in zip(ends[0.0], ends[1.0], strict=True))
    with pytest.raises(InputError, match=r"began\.keras: of another network"):
        fit(
            tmp_path, tmp_path / "other", SETTINGS, replace(tiny, context=9), FitSettings(),
            start=tmp_path / "began.keras",
        )  # fmt: skip


def test_a_stop_at_the_worst_moments_loses_nothing(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    import keras

    from drum2midi.training import fit as fitting
    from drum2midi.training.fit import FitSettings, fit
    from drum2midi.training.network import NetworkSettings

    tiny = NetworkSettings(filters=(2, 2, 2), context=8, recurrent=4)
    renderer = Renderer(load_material(sources, rate=RATE), SETTINGS, seed=3)
    save_piece(renderer.piece(0), piece_path(tmp_path, 0))
    run = tmp_path / "run"
    heard, batches = [], fitting.batches

    def listened(*folders: Any, **options: Any) -> Any:
        for batch in batches(*folders, **options):
            heard.append(batch[0])
            yield batch

    monkeypatch.setattr(fitting, "batches", listened)

    def go() -> None:
        fit(tmp_path, run, SETTINGS, tiny, FitSettings(steps=4, batch=2, steps_an_epoch=2))

    def epochs() -> list[str]:
        return [line.split(",")[0] for line in (run / "log.csv").read_text().splitlines()[1:]]

    save = keras.Model.save

    def full(model: Any, path: Path, *rest: Any, **more: Any) -> None:
        if "latest" not in str(path):
            raise OSError(28, "No space left on device")
        save(model, path, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(keras.Model, "save", full)
        with pytest.raises(InputError, match=r"cannot write .*model\.keras: No space left"):
            go()
    assert epochs() == ["0", "1"]
    before = len(heard)
    weights = run / "backup" / "latest.weights.h5"
    weights.write_bytes(weights.read_bytes()[:2000])  # cut while it was written
    go()
    assert epochs() == ["0", "1", "1"]  # the epoch before is there still
    assert not any(np.array_equal(new, old) for new in heard[before:] for old in heard[:before])
    assert not (run / "backup").exists()
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []


def test_renderers_that_die_while_it_trains_are_told_of(
    sources: Sources,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    pytest.importorskip("mlflow", reason="needs drum2midi[train]")
    from drum2midi.training import run as training

    class Dead:
        exitcode = 1

        def terminate(self) -> None: ...

        def join(self) -> None: ...

    pieces = tmp_path / "run" / "pieces"
    pieces.mkdir(parents=True)
    for number in range(64):
        piece_path(pieces, number).touch()
    monkeypatch.setattr(training, "start_renderers", lambda *_, **__: [Dead()])
    monkeypatch.setattr(training, "fit", lambda *_, **__: None)
    monkeypatch.setattr(training, "tune_and_export", lambda *_, **__: {"drums": 0.5})
    settings = training.RunSettings(pieces=70)
    scores = training.train(sources, tmp_path / "run", tmp_path / "x.onnx", settings=settings)
    assert scores == {"drums": 0.5}
    (told,) = [record.getMessage() for record in caplog.records if record.name == training.__name__]
    assert told.endswith("see the messages above: 64 of 70 pieces were trained on")
    piece_path(pieces, 0).unlink()
    with pytest.raises(InputError, match="pieces: rendering failed; see the messages above"):
        training.train(sources, tmp_path / "run", tmp_path / "x.onnx", settings=settings)


def test_a_run_is_as_large_as_what_it_begins_from(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.training import run as training
    from drum2midi.training.network import NetworkSettings, build_network

    def stop(*_: object, **__: object) -> None:
        raise InputError("that is enough")

    monkeypatch.setattr(training, "start_renderers", stop)
    sizes = NetworkSettings(filters=(2, 3, 4), context=8, recurrent=5, recurrent_layers=2)
    start = tmp_path / "began.keras"
    settings = training.RunSettings(start=start)
    with pytest.raises(InputError, match=r"began\.keras: not weights of a network"):
        training.train(sources, tmp_path / "run", tmp_path / "x.onnx", settings=settings)
    assert not (tmp_path / "run").exists()
    build_network(SETTINGS.bands, sizes).save(start)
    with pytest.raises(InputError, match="that is enough"):
        training.train(sources, tmp_path / "run", tmp_path / "x.onnx", settings=settings)
    remembered = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert remembered["network"] == json.loads(json.dumps(asdict(sizes)))
    with (
        working_in(tmp_path / "run", what="train"),
        pytest.raises(InputError, match="run: another drum2midi train is at work in it"),
    ):
        training.train(sources, tmp_path / "run", tmp_path / "x.onnx", settings=settings)


def _check_tracking(run: Path) -> None:
    """One MLflow run, though training was called twice, with settings, curve and model."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("drum2midi")
    assert experiment is not None
    (tracked,) = client.search_runs([experiment.experiment_id])
    assert tracked.data.params["network.recurrent"] == "4"
    assert tracked.data.params["fit.steps"] == "2"
    (point,) = client.get_metric_history(tracked.info.run_id, "member_0.loss")
    assert (point.step, point.value > 0.0) == (2, True)
    assert [file.path for file in client.list_artifacts(tracked.info.run_id)] == ["small.onnx"]


def test_a_blend_is_louder_where_both_sound(sources: Sources) -> None:
    library = load_library(*sources.oneshots)
    plain = draw_kit(library, np.random.default_rng(0))
    blended = draw_kit(library, np.random.default_rng(0), blends=1.0)
    assert {one.name for one in plain.values()} == set(PIECES)
    for drum, instrument in blended.items():
        first, second = instrument.name.split("+")
        assert first == second == plain[drum].name  # the library has one instrument a drum
        for layer in instrument.layers:
            assert np.abs(layer.samples).max() == pytest.approx(1.0, abs=1e-3)


def _instrument(kit: str) -> Instrument:
    shot = OneShot(np.ones(10, np.float16), 0.0)
    return Instrument(kit, kit, (shot,), 1.0)


def test_what_a_kit_lacks_is_all_of_one_other_kit() -> None:
    full = {drum: [_instrument(kit) for kit in "bcd"] for drum in drums.DRUMS}
    lacking = (drums.OPEN_HAT, drums.PEDAL_HAT)
    library = {
        drum: [*more, *([] if drum in lacking else [_instrument("a")])]
        for drum, more in full.items()
    }
    seen = set()
    for seed in range(60):
        kit = draw_kit(library, np.random.default_rng(seed), loyalty=1.0)
        base = kit[drums.SNARE].kit
        assert kit[drums.CLOSED_HAT].kit == base
        assert kit[drums.OPEN_HAT].kit == kit[drums.PEDAL_HAT].kit
        assert (kit[drums.OPEN_HAT].kit == base) == (base != "a")
        seen.add(base)
        kit = draw_kit(library, np.random.default_rng(seed), loyalty=0.0, blends=1.0)
        for one in ("HIGH_TOM", "MID_TOM", "FLOOR_TOM"):
            assert kit[getattr(drums, one)].name == kit[drums.HIGH_TOM].name
    assert seen == set("abcd")


def test_drums_of_one_instrument_are_tuned_and_levelled_together() -> None:
    apart = []
    for seed in range(200):
        tastes = render._draw_tastes(np.random.default_rng(seed), treatment=1.0)
        closed, opened = tastes[drums.CLOSED_HAT], tastes[drums.OPEN_HAT]
        apart.append(abs(closed.semitones - opened.semitones))
        if closed.level == opened.level:
            assert (closed.colour, closed.damped) == (opened.colour, opened.damped)
            assert apart[-1] < 2.0
        assert tastes[drums.KICK].level != closed.level
    assert 0.65 < np.mean(np.array(apart) < 1.2) < 0.95


def test_damping_leaves_cymbals_and_open_hats_what_they_are() -> None:
    second = OneShot(np.ones(3 * RATE, np.float16), 0.0)
    ring = Instrument("a", "a", (second,), 1.0)
    taste = render._Taste(0.0, 0.0, 0.05, 0.0, 0.0, None)  # as much as there is
    for drum, least in ((drums.CRASH, 0.5), (drums.OPEN_HAT, 0.99), (drums.CLOSED_HAT, 0.0)):
        rng = np.random.default_rng(0)
        player = render._Player(ring, drum, taste, rng, rate=RATE, treatment=1.0)
        sound = player.play(127, rng)
        assert sound[RATE // 2] / sound[RATE // 1000] >= least
        washes = drum is not drums.CLOSED_HAT
        assert (abs(sound[-RATE // 100]) < 0.01 * abs(sound[RATE // 1000])) or not washes


def test_a_soft_kick_that_no_layer_has_is_duller_and_of_a_snare_hardly() -> None:
    noise = np.random.default_rng(0).normal(size=RATE // 2) * np.exp(-np.arange(RATE // 2) / 3000)
    noise[: int(render.ATTACK * RATE)] = 0.0
    loud = OneShot((noise / np.abs(noise).max()).astype(np.float16), 0.0)
    only = Instrument("a", "a", (loud,), 1.0)
    taste = render._Taste(0.0, 0.0, 0.0, 0.0, 0.0, None)

    def slope(drum: drums.Drum, seed: int, *, dulled: bool) -> float:
        """Decibels an octave by which a stroke at 1/10 of the velocity is duller, 1 to 8 kHz."""
        rng = np.random.default_rng(seed)
        player = render._Player(only, drum, taste, rng, rate=RATE, treatment=0.0, dulled=dulled)
        soft, hard = (np.abs(np.fft.rfft(player.play(v, rng))) for v in (13, 127))
        hertz = np.fft.rfftfreq(RATE // 2, 1.0 / RATE)
        change = 20.0 * np.log10(soft / hard)
        low, high = (np.median(change[np.abs(hertz - at) < 300.0]) for at in (1000.0, 8000.0))
        return float(low - high) / 3.0

    kicks = [slope(drums.KICK, seed, dulled=True) for seed in range(30)]
    assert 0.5 < np.mean(np.array(kicks) > 0.5) < 0.9  # machines only turn it down
    assert max(kicks) > 5.0
    snares = [slope(drums.SNARE, seed, dulled=True) for seed in range(30)]
    assert max(snares) < 1.5
    assert min(snares) < -0.5
    assert abs(slope(drums.KICK, 0, dulled=False)) < 0.1


def test_dulling_adds_nothing_before_the_attack_and_keeps_the_peak() -> None:
    click = np.zeros(RATE // 10, np.float32)
    click[int(render.ATTACK * RATE)] = 0.8
    dull = render.make_duller(click, 6.0, RATE)
    assert np.abs(dull[: int(render.ATTACK * RATE)]).max() < 1e-6
    assert np.abs(dull).max() == pytest.approx(0.8, rel=1e-6)
    # Six decibels for each of the four octaves from 500 Hz to 8 kHz.
    change = np.abs(np.fft.rfft(dull)) / np.abs(np.fft.rfft(click))
    hertz = np.fft.rfftfreq(len(click), 1.0 / RATE)
    fall = 20.0 * np.log10(np.interp(8000.0, hertz, change) / np.interp(500.0, hertz, change))
    assert fall == pytest.approx(-24.0, abs=0.5)


def test_a_stroke_that_a_low_pass_takes_away_is_not_asked_for(piece: Piece) -> None:
    power = np.full((1000, 96), 1e-9, np.float32)
    power[300:310, 60:] = 1.0  # a hat
    power[::50, :20] = 1.0  # and what else sounds
    share = np.zeros((1, 96), np.float32)
    share[0, 60:] = 1.0
    hat = replace(
        piece, frames=np.array([300.0], np.float32), share=share.astype(np.float16),
        drum=np.array([int(drums.DRUMS.index(drums.CLOSED_HAT))], np.int8),
        velocity=np.array([90], np.int8),
    )  # fmt: skip
    gain = np.ones((1, 96), np.float32)
    gain[0, 55:] = 1e-6
    floor = np.float32(10.0 ** (SETTINGS.floor_db / 10.0))
    heard = {
        name: examples._truth(hat, power * g, power * g + 10.0 * floor)[:, :17].max()
        for name, g in (("all", np.float32(1.0)), ("low", gain))
    }
    assert heard["all"] > 0.8
    assert heard["low"] > 0.8  # ten decibels over the floor it is still to be seen
    gain[0, 55:] = 1e-9
    assert examples._truth(hat, power * gain, power * gain + floor)[:, :17].max() == 0.0


def test_scattered_strokes_follow_no_groove() -> None:
    seconds = 20.0
    for seed in range(8):
        strokes, beats = scatter(np.random.default_rng(seed), seconds=seconds)
        onsets = np.array([stroke.onset for stroke in strokes])
        assert len(strokes) > 8
        assert np.all(np.diff(onsets) > 0)
        assert onsets[-1] < seconds < beats[-1]
        assert all(1 <= stroke.velocity <= 127 for stroke in strokes)
        for drum in {stroke.drum for stroke in strokes}:
            own = [stroke.onset for stroke in strokes if stroke.drum is drum]
            assert np.all(np.diff(own) > 0.05)


@pytest.mark.parametrize("seed", range(6))
def test_programmed_drums_have_two_velocities_each_at_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    played, _ = scatter(rng, seconds=20.0)
    strokes = programme(played, rng)
    assert [s.onset for s in strokes] == [s.onset for s in played if s.velocity >= 35]
    assert all(1 <= s.velocity <= 127 for s in strokes)
    for drum in {s.drum for s in strokes}:
        own = {s.velocity for s in strokes if s.drum is drum}
        assert len(own) == 1 or (len(own) == 2 and max(own) - min(own) == 20)


@pytest.mark.parametrize("seed", range(8))
def test_a_sequence_goes_on_as_evenly_as_a_machine(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    seen: list[tuple[int, list[accompany._Event]]] = []

    def perform(_: object, program: int, events: list[accompany._Event], length: int) -> np.ndarray:
        seen.append((program, list(events)))
        return np.zeros(length, np.float32)

    monkeypatch.setattr(accompany.Band, "_perform", perform)
    band = object.__new__(accompany.Band)  # without its synthesiser
    band._key, band._roots, band._chord = 7, np.array([0, 5, 7, 9]), (0, 4, 7, 10)
    beats = 0.5 * np.arange(40)
    band._sequence(beats, np.random.default_rng(seed), RATE)
    ((program, events),) = seen
    assert 0 <= program < 116
    assert program != 47  # timpani are drums
    assert events
    assert all(0 <= event.key <= 127 and event.stop > event.start for event in events)
    places = np.array([event.start / 0.5 * 12 for event in events])  # twelfths of a beat
    assert np.all(np.abs(places - np.round(places)) < 0.5)
    assert np.all(np.diff(places) > 0)


# Two seeds each that draw mp3, Vorbis and AAC.
@pytest.mark.parametrize("seed", [11, 14, 1, 6, 0, 2])
def test_a_codec_neither_shifts_nor_shortens(seed: int) -> None:
    clicks = place(crack(), [0.5], 2.0) + place(thump(), [1.2], 2.0)
    decoded = effects.encode(clicks, np.random.default_rng(seed), rate=RATE)
    assert decoded.shape == clicks.shape
    assert not np.array_equal(decoded, clicks)
    late = np.argmax(np.correlate(decoded[RATE // 4 : RATE], clicks[RATE // 4 : RATE], "same"))
    assert abs(late - (RATE - RATE // 4) // 2) <= 1
    assert np.corrcoef(decoded, clicks)[0, 1] > 0.8


@pytest.mark.parametrize("seed", [0, 2])
def test_nor_does_it_shift_what_begins_late(seed: int) -> None:
    clicks = place(crack(), [8.0], 10.0)
    decoded = effects.encode(clicks, np.random.default_rng(seed), rate=RATE)
    near = slice(int(7.8 * RATE), int(8.4 * RATE))
    late = np.argmax(np.correlate(decoded[near], clicks[near], "same"))
    assert abs(late - (near.stop - near.start) // 2) <= 1


def test_minutes_can_be_encoded() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, 240 * RATE).astype(np.float32)
    assert effects.encode(noise, np.random.default_rng(1), rate=RATE).shape == noise.shape


def test_silence_stays_silence_in_every_effect() -> None:
    rng = np.random.default_rng(0)
    silence = np.zeros(2000, np.float32)
    for treated in (
        effects.equalise(silence, rng, depth_db=3.0, rate=RATE),
        effects.encode(silence, rng, rate=RATE),
        effects.low_pass(silence, 4000.0, rate=RATE),
    ):
        assert np.abs(treated).max() < 1e-12


def test_a_wider_network_begins_as_the_narrow_one() -> None:
    pytest.importorskip("keras")
    from drum2midi.training.network import NetworkSettings, build_network
    from drum2midi.training.widen import widen

    small = build_network(24, NetworkSettings((4, 5), 6, 3))
    large = build_network(24, NetworkSettings((6, 7), 9, 5))
    features = np.random.default_rng(0).normal(size=(2, 40, 24)).astype(np.float32)
    for layer in small.layers:  # statistics as after training
        if "batch_normalization" in layer.name:
            width = len(layer.get_weights()[0])
            layer.set_weights([np.random.default_rng(i).uniform(0.5, 2, width) for i in range(4)])
    expected = small.predict(features, verbose=0)
    assert np.ptp(expected) > 0.05
    assert np.abs(widen(small, large).predict(features, verbose=0) - expected).max() < 1e-6
    with pytest.raises(ValueError, match="narrower"):
        widen(large, small)


def test_separation_keeps_the_kit_and_leaves_a_trace_of_the_rest() -> None:
    rng = np.random.default_rng(1)
    kit = np.full((50, 24), 1e-6, np.float32)
    kit[20:24] = 1.0
    band = np.full((50, 24), 0.1, np.float32)
    separated = examples._separate(kit, kit + band, rng)
    assert separated[21].mean() > 0.3
    assert separated[40].mean() < 0.02
    assert separated[40].mean() > 1e-6


@pytest.mark.parametrize("semitones", [-2.0, -0.5, 0.0, 1.0, 2.5])
@pytest.mark.parametrize("hertz", [90.0, 200.0, 700.0, 1500.0, 8000.0])
def test_tuning_bands_is_tuning_what_sounds(hertz: float, semitones: float) -> None:
    def tone(pitch: float) -> np.ndarray:
        time = np.arange(44100) / 44100.0
        return mel_power([np.sin(2.0 * np.pi * pitch * time).astype(np.float32)], SETTINGS)[50]

    def place(power: np.ndarray) -> float:
        return float(power @ np.arange(96) / power.sum())

    warp = examples.tune_bands(SETTINGS, semitones)
    np.testing.assert_allclose(warp.sum(axis=0), 1.0, rtol=1e-6)
    assert warp.min() >= 0.0
    higher = tone(hertz * 2.0 ** (semitones / 12.0))
    assert place(tone(hertz) @ warp) == pytest.approx(place(higher), abs=0.25)


def _steady_piece(frames: int = 400) -> Piece:
    onsets = np.arange(10.0, frames, 20.0, dtype=np.float32)
    return Piece(
        drums=np.zeros((frames, 96), np.float16), band=np.zeros((frames, 96), np.float16),
        frames=onsets, drum=np.zeros(len(onsets), np.uint8),
        velocity=np.full(len(onsets), 90, np.uint8), share=np.ones((len(onsets), 96), np.float16),
    )  # fmt: skip


def test_a_kit_rests_where_it_is_silent_and_comes_in_with_a_stroke() -> None:
    piece, kinds = _steady_piece(), set()
    for seed in range(60):
        part, kit = examples._rest(
            piece, np.ones((400, 96), np.float32), np.random.default_rng(seed)
        )
        left = set(part.frames.tolist())
        for onset in piece.frames.tolist():
            loud = kit[int(onset) + 1 : int(onset) + 4].min() > 0.9
            assert loud == (onset in left) or kit[int(onset), 0] == 1.0  # cut as it is struck
        silent = kit[:, 0] < 1e-6
        kinds.add((bool(silent[0]), bool(silent[-1])))
        if silent[0] and not silent[-1]:
            entry = int(np.flatnonzero(~silent)[0])
            assert entry + examples.BEFORE in left
            assert min(left) == entry + examples.BEFORE
    assert kinds >= {(True, True), (True, False), (False, True)}


def test_what_lingers_decays_and_begins_with_the_stroke() -> None:
    power = np.zeros((200, 3), np.float32)
    power[50] = 1.0
    longer = [examples._linger(power, 100.0, np.random.default_rng(seed)) for seed in range(40)]
    touched = [one for one in longer if one[51, 0] > 0.0]
    assert 2 <= len(touched) <= 20  # a quarter of the pieces
    for one in touched:
        assert not one[:50].any()
        assert 1.0 < one[50, 0] < 2.0
        np.testing.assert_allclose(one[52:] / one[51:-1], one[52, 0] / one[51, 0], rtol=1e-3)


def test_velocities_are_learnt_from_how_loud_strokes_are(sources: Sources, tmp_path: Path) -> None:
    """A listener that hears every stroke as equally hard; loudness must tell them apart."""
    renderer = Renderer(load_material(sources, rate=RATE), SETTINGS, seed=7)
    for number in range(6):
        save_piece(renderer.piece(number), piece_path(tmp_path, number))
    pieces = [load_piece(path) for path in sorted(tmp_path.glob("*.npz"))]
    heard = iter(pieces)

    def listen(features: np.ndarray) -> Activations:
        piece = next(heard)
        classes = np.zeros((len(features), len(SCORING_CLASSES)), np.float32)
        drum = np.zeros((len(features), len(DRUMS)), np.float32)
        frames = np.clip(np.round(piece.frames).astype(int), 0, len(features) - 1)
        groups = [SCORING_CLASSES.index(DRUMS[index].scoring) for index in piece.drum]
        classes[frames, groups] = drum[frames, piece.drum] = 0.9
        return Activations(classes, drum, np.full_like(drum, 0.5), SETTINGS.frame_rate)

    fitted = fit_dynamics(listen, tmp_path, SETTINGS, PickSettings())
    scattered = max(pieces, key=lambda piece: float(piece.velocity.std()))
    features, _ = compose(scattered, None, SETTINGS, np.random.default_rng(9))
    alike = [
        Hit(float(frame) / SETTINGS.frame_rate, DRUMS[index], 64)
        for frame, index in zip(scattered.frames, scattered.drum, strict=True)
    ]
    told = np.array([hit.velocity for hit in weigh(alike, features, SETTINGS, fitted)])
    assert np.corrcoef(told, scattered.velocity)[0, 1] > 0.5
