"""Rhythm: what is half heard is believed where the rhythm asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drum2midi.rhythm as rhythm
from drum2midi.beats import find_pulse
from drum2midi.drums import CLOSED_HAT, DRUMS, KICK, SCORING_CLASSES, SNARE, Drum
from drum2midi.heeding import heed_recording, pulse_of
from drum2midi.model import Activations, PickSettings
from drum2midi.rhythm import CLASSES, LAGS, NUMBERS, describe_rhythm, heed_rhythm, with_company
from drum2midi.sides import FEWEST, find_moments
from drum2midi.training.pieces import Sources
from drum2midi.transcription import Hit

RATE = 100.0
KD, SD, TT, HH, CY = range(5)
OF = {"K": KICK, "S": SNARE, "H": CLOSED_HAT}


def heard(
    strokes: list[tuple[float, Drum, float]], seconds: float, *, seed: int | None = None
) -> Activations:
    """Activations of strokes: seconds, drum and how surely it is heard."""
    frames = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    noise = rng.uniform(0.0, 0.02, (frames, 5)) if seed is not None else 0.01
    classes = np.zeros((frames, 5), np.float32) + np.asarray(noise, np.float32)
    drums = np.full((frames, len(DRUMS)), 0.01, np.float32)
    for onset, drum, height in strokes:
        at = round(onset * RATE)
        for curves, column in (
            (classes, SCORING_CLASSES.index(drum.scoring)), (drums, DRUMS.index(drum)),
        ):  # fmt: skip
            curves[at - 1 : at + 2, column] = (height / 2, height, height / 2)
    return Activations(classes, drums, np.full_like(drums, 0.6), RATE)


def rock(bars: int, *, beat: float = 0.5, doubtful: dict[tuple[int, int, Drum], float]) -> list:
    """Kicks on 1 and 3, snares on 2 and 4, hats on all eighths; some of other heights."""
    strokes = {}
    for bar in range(bars):
        for eighth in range(8):
            strokes[bar, eighth, CLOSED_HAT] = 0.95
            if eighth % 2 == 0:
                strokes[bar, eighth, (KICK, SNARE)[eighth // 2 % 2]] = 0.95
    strokes |= doubtful
    return [
        (0.5 + beat * (4 * b + e / 2), drum, height) for (b, e, drum), height in strokes.items()
    ]


def height(activations: Activations, bar: int, eighth: int, drum: Drum, beat: float = 0.5) -> float:
    frame = round((0.5 + beat * (4 * bar + eighth / 2)) * RATE)
    return float(activations.classes[frame, SCORING_CLASSES.index(drum.scoring)])


def test_every_lag_is_looked_at_where_it_lies() -> None:
    pulse = np.arange(0.0, 40.0, 0.5)
    at = 20.0
    moment = np.array([round(at * RATE), round(39.0 * RATE)])
    for column, lag in enumerate(LAGS):
        activations = heard([(at + 0.5 * lag, SNARE, 0.9)], 40.0)
        told = describe_rhythm(activations, moment, pulse)
        assert told.dtype == np.float32
        looked = told[0, : 5 * len(LAGS)].reshape(len(LAGS), 5)
        assert looked[column, SD] == pytest.approx(np.log(9) / 4, abs=1e-3)
        assert looked[column, KD] == -1.0
        # Places that are no farther than a stroke is wide share it; all others are silent.
        apart = np.abs(np.array(LAGS) - lag) > 0.15
        assert (looked[apart, SD] == -1.0).all()
    outside = describe_rhythm(activations, moment, pulse)[1, : 5 * len(LAGS)].reshape(-1, 5)
    assert (outside[np.array(LAGS) > 2.1] == 0.0).all()
    assert (outside[np.array(LAGS) < 0.0] != 0.0).all()


@pytest.mark.parametrize("beat", [0.4, 0.6])
def test_a_rhythm_is_described_alike_at_any_tempo(beat: float) -> None:
    def told(beat: float) -> np.ndarray:
        activations = heard(rock(8, beat=beat, doubtful={}), 0.5 + 33 * beat)
        moments = find_moments(activations.classes)
        return describe_rhythm(activations, moments, 0.5 + beat * np.arange(34))

    one, other = told(0.5), told(beat)
    near = np.repeat(np.abs(LAGS) <= 4.0, 5)
    np.testing.assert_allclose(
        one[10:54, : len(near)][:, near], other[10:54, : len(near)][:, near], atol=1e-6
    )
    whole = other[0, 5 * len(LAGS) :]
    assert whole[0] == pytest.approx(np.log(beat / 0.5), abs=1e-4)
    assert whole[1] == pytest.approx(64 / 63 / (beat / 2) / 10, rel=1e-3)
    np.testing.assert_allclose(whole[2:], [0.25, 0.25, 0.0, 1.0, 0.0], atol=1e-6)


def test_a_class_is_told_what_else_is_struck_but_not_what_is_heard_of_itself() -> None:
    activations = np.array([[0.9, 0.8, 0.7, 0.6, 0.4]], np.float32)
    around = np.zeros((1, NUMBERS - 5), np.float32)
    for name in SCORING_CLASSES:
        told = with_company(around, activations, name)
        assert told.shape == (1, NUMBERS)
        hidden = {name, {"SD": "TT", "TT": "SD"}.get(name, name)}
        assert {c for c, v in zip(SCORING_CLASSES, told[0, -5:], strict=True) if v == 0.0} == hidden
    assert told[0, -5] == pytest.approx(np.log(9) / 4, abs=1e-6)


def test_a_doubtful_stroke_is_believed_where_the_rhythm_asks_for_it() -> None:
    asked = {(9, 0, KICK): 0.3, (12, 2, SNARE): 0.3, (15, 3, CLOSED_HAT): 0.3}
    wrong = {(10, 3, KICK): 0.3, (13, 5, SNARE): 0.3, (16, 1, SNARE): 0.3}
    activations = heard(rock(32, doubtful=asked | wrong), 66.0)
    pulse = 0.5 + 0.5 * np.arange(130)
    moved = heed_rhythm(activations, pulse, share=1.0)
    for bar, eighth, drum in asked:
        assert height(moved, bar, eighth, drum) > 0.36, (bar, eighth, drum)
    for bar, eighth, drum in wrong:
        assert height(moved, bar, eighth, drum) < 0.3, (bar, eighth, drum)
    np.testing.assert_array_equal(moved.drums, activations.drums)
    np.testing.assert_array_equal(moved.velocities, activations.velocities)


def test_a_drummers_own_figure_counts_the_more_the_oftener_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tom on the eighth after three, of which the networks say nothing here."""
    monkeypatch.setattr(rhythm, "_say", lambda name, told: np.zeros(len(told)))
    tom = DRUMS[[d.scoring for d in DRUMS].index("TT")]
    figures = {}
    for bars in (6, 60):
        doubtful = {(bar, 5, tom): 0.95 for bar in range(bars)} | {(4, 5, tom): 0.3}
        activations = heard(rock(bars, doubtful=doubtful), 1.0 + 2.0 * bars)
        pulse = 0.5 + 0.5 * np.arange(4 * bars + 1)
        figures[bars] = height(heed_rhythm(activations, pulse, share=1.0), 4, 5, tom)
    assert 0.3 < figures[6] < 0.33
    assert figures[60] > figures[6] + 0.05


def test_nothing_moves_without_share_or_moments_or_pulse() -> None:
    activations = heard(rock(4, doubtful={}), 9.0)
    pulse = 0.5 + 0.5 * np.arange(18)
    assert heed_rhythm(activations, pulse, share=0.0) is activations
    assert heed_rhythm(activations, pulse[:1], share=1.0) is activations
    few = heard([(0.5 * n, KICK, 0.9) for n in range(1, 2 * FEWEST)], 9.0)
    assert heed_rhythm(few, pulse, share=1.0) is few
    none = Activations(*(np.zeros((0, n), np.float32) for n in (5, 12, 12)), RATE)
    assert heed_rhythm(none, pulse, share=1.0) is none


def test_half_a_share_moves_half_as_far() -> None:
    activations = heard(rock(16, doubtful={(9, 0, KICK): 0.3}), 34.0)
    pulse = 0.5 + 0.5 * np.arange(66)

    def logits(share: float) -> np.ndarray:
        moved = heed_rhythm(activations, pulse, share=share) if share else activations
        part = np.clip(moved.classes[850:950].astype(np.float64), 1e-9, 1 - 1e-9)
        return np.log(part / (1 - part))

    np.testing.assert_allclose(2 * (logits(0.5) - logits(0)), logits(1.0) - logits(0), atol=0.02)


@given(st.integers(0, 2**31), st.integers(0, 50), st.floats(0.1, 1.0), st.integers(2, 40))
@settings(max_examples=40, deadline=None)
def test_activations_stay_activations(seed: int, moments: int, share: float, pulses: int) -> None:
    rng = np.random.default_rng(seed)
    frames = 20 * moments + 5
    activations = Activations(
        rng.uniform(0, 1, (frames, 5)).astype(np.float32) ** 3,
        rng.uniform(0, 1, (frames, 12)).astype(np.float32),
        rng.uniform(0, 1, (frames, 12)).astype(np.float32),
        RATE,
    )
    before = activations.classes.copy()
    pulse = rng.uniform(-1, 2) + np.cumsum(rng.uniform(0.2, 0.9, pulses))
    moved = heed_rhythm(activations, pulse, share=share)
    np.testing.assert_array_equal(activations.classes, before)
    assert moved.classes.shape == before.shape
    assert moved.classes.dtype == np.float32
    assert np.isfinite(moved.classes).all()
    assert moved.classes.min() >= 0.0
    assert moved.classes.max() <= 1.0


def test_the_networks_fit_what_they_are_told() -> None:
    shapes = {name: weights.shape for name, weights in rhythm._networks().items()}
    assert shapes["w1"][:2] == (len(CLASSES), NUMBERS)
    assert shapes["b1"][1] == shapes["w2"][1]
    assert shapes["b2"] == shapes["w3"]
    assert rhythm._MODEL.stat().st_size < 400_000


def test_a_pulse_is_found_under_likely_strokes_and_none_under_few() -> None:
    activations = heard(rock(16, doubtful={}), 34.0)
    pulse = pulse_of(activations)
    ratio = 0.5 / np.diff(pulse)[5:-5]
    assert np.allclose(ratio, np.round(ratio), atol=0.02) or np.allclose(2 * ratio, 1, atol=0.02)
    assert not len(pulse_of(heard([(1.0, KICK, 0.9), (1.5, SNARE, 0.9), (2.0, KICK, 0.9)], 3.0)))
    assert not len(find_pulse([Hit(0.1 * n, KICK, 90, 1.0) for n in range(5)]))
    assert not len(find_pulse([]))


def test_heeding_a_recording_heeds_its_rhythm() -> None:
    activations = heard(rock(32, doubtful={(9, 0, KICK): 0.3}), 66.0)
    features = np.full((len(activations.classes), 24), -1.0, np.float32)
    alone = heed_recording(activations, features, PickSettings())
    assert alone is activations
    heeded = heed_recording(activations, features, PickSettings(rhythm=1.0))
    assert height(heeded, 9, 0, KICK) > 0.36


def test_what_is_heard_of_grooves_is_kept_and_learnt_from(sources: Sources, tmp_path: Path) -> None:
    pytest.importorskip("keras")
    options = [
        str(tmp_path / "work"), "--oneshots", str(sources.oneshots[0]), "--grooves",
        str(sources.grooves), "--impulses", str(sources.impulses), "--processes", "1",
        "--times", "2", "--out", str(tmp_path / "rhythm.npz"),
    ]  # fmt: skip
    run = learn(options)
    assert run.exit_code == 0, run.output
    kept = sorted((tmp_path / "work").glob("*.npz"))
    assert [path.name for path in kept] == ["00000.npz", "00001.npz"]
    with np.load(kept[0]) as told:
        assert told["around"].shape[1] == NUMBERS - 5
        assert told["struck"].shape == (len(told["heard"]), len(CLASSES))
        kicks = told["struck"][:, CLASSES.index("KD")].sum()
        assert 3 <= kicks <= 4  # of the groove, so far as there are moments for them
    with np.load(tmp_path / "rhythm.npz") as networks:
        assert networks["w1"].shape[:2] == (len(CLASSES), NUMBERS)
    # A run that goes on hears only what is not there.
    kept[0].unlink()
    before = kept[1].stat().st_mtime_ns
    assert learn(options).exit_code == 0
    assert kept[0].exists()
    assert kept[1].stat().st_mtime_ns == before


def test_networks_learn_what_the_rhythm_says_beyond_what_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("keras")
    from drum2midi.training.rhythm import fit_rhythm

    rng = np.random.default_rng(0)
    examples = []
    for _ in range(100):
        around = rng.uniform(-1, 1, (500, NUMBERS - 5)).astype(np.float16)
        asked = around[:, 7] > 0  # what tells
        struck = np.repeat((asked ^ (rng.random(500) < 0.05))[:, None], len(CLASSES), axis=1)
        own = np.where(struck, 0.6, 0.4)[..., :1] + rng.normal(0, 0.2, (500, 5))
        examples.append(
            {
                "around": around,
                "heard": np.clip(own, 0.01, 0.99).astype(np.float32),
                "struck": struck,
            }
        )
    networks = fit_rhythm(examples)
    monkeypatch.setattr(
        rhythm, "_networks", lambda: {k: v.astype(np.float32) for k, v in networks.items()}
    )
    around = rng.uniform(-1, 1, (400, NUMBERS - 5)).astype(np.float32)
    for name in CLASSES:
        said = rhythm._say(name, with_company(around, np.full((400, 5), 0.3, np.float32), name))
        assert np.corrcoef(said, around[:, 7] > 0)[0, 1] > 0.5
    assert not rhythm._say("CY", np.zeros((3, NUMBERS), np.float32)).any()


def test_training_names_what_is_wrong(tmp_path: Path, sources: Sources) -> None:
    pytest.importorskip("keras")
    work, out = tmp_path / "work", tmp_path / "rhythm.npz"
    given = {
        "--oneshots": str(sources.oneshots[0]), "--grooves": str(sources.grooves),
        "--impulses": str(sources.impulses), "--processes": "1", "--times": "1",
        "--out": str(out),
    }  # fmt: skip

    def refused(because: str, folder: Path = work, **changed: str) -> None:
        options = given | {f"--{name}": value for name, value in changed.items()}
        run = learn([str(folder), *(word for pair in options.items() for word in pair)])
        assert run.exit_code == 1, run.output
        assert because in run.output.replace("\n", "")
        assert not out.exists()

    refused("there is no folder", out=str(tmp_path / "no" / "rhythm.npz"))
    assert not work.exists()
    refused("index.csv", oneshots=str(tmp_path))
    none = tmp_path / "none"
    none.mkdir()
    (none / "info.csv").write_text(
        (sources.grooves / "info.csv").read_text().replace("4-4", "3-4"), encoding="utf-8"
    )
    (none / "a.mid").write_bytes((sources.grooves / "a.mid").read_bytes())
    refused("no 4/4 performance", grooves=str(none))
    file = tmp_path / "file"
    file.write_text("")
    refused("file", folder=file)
    kept = tmp_path / "kept"
    run = learn([str(kept), *(word for pair in given.items() for word in pair)])
    assert run.exit_code == 0, run.output
    out.unlink()
    refused("heard of other grooves or kits, or", folder=kept, **{"hold-out": "another"})
    (kept / ".drum2midi-left.npz").write_bytes(b"")  # of a run that was killed
    (kept / "00000.npz").write_bytes(b"PK")
    refused("00000.npz: damaged", folder=kept)
    np.savez(kept / "00000.npz")
    refused("strokes enough", folder=kept)


def learn(options: list[str]) -> Any:
    """Run the training command."""
    from typer import Typer
    from typer.testing import CliRunner

    import drum2midi.training.rhythm as training

    app = Typer()
    app.command()(training._main)
    return CliRunner().invoke(app, options)
