"""Tuning: what is chosen on real recordings, and that it is the best there is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi import drums
from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.errors import InputError
from drum2midi.features import QUIET_FRAMES, FeatureSettings
from drum2midi.model import Activations
from drum2midi.training.tune import tune

SETTINGS = FeatureSettings()


def around(listen: Callable[[np.ndarray], Activations]) -> Callable[[np.ndarray], Activations]:
    """What hears nothing in the silence around, and inside it what `listen` hears."""

    def all_of_it(features: np.ndarray) -> Activations:
        inside = listen(features[QUIET_FRAMES:-QUIET_FRAMES])
        pads = ((QUIET_FRAMES, QUIET_FRAMES), (0, 0))
        return Activations(
            np.pad(inside.classes, pads), np.pad(inside.drums, pads),
            np.pad(inside.velocities, pads, constant_values=0.6), inside.frame_rate,
        )  # fmt: skip

    return all_of_it


def test_thresholds_are_chosen_on_recordings(tmp_path: Path) -> None:
    for name in ("annotations", "drums"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=r"no annotations/\*\.mid"):
        tune(lambda _: None, tmp_path, SETTINGS)  # type: ignore[arg-type,return-value]
    track = mido.MidiTrack()
    for key in (36, 38, 36, 38):
        track.append(mido.Message("note_on", note=key, velocity=90, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "annotations" / "a.mid")
    audio = place(thump(), [0.5, 1.5], 3.0) + place(crack(), [1.0, 2.0], 3.0)
    soundfile.write(tmp_path / "drums" / "a.wav", 0.3 * audio, RATE)

    def listen(features: np.ndarray) -> Activations:
        """Peaks 10 ms late: true kicks at 0.35 and false ones at 0.2, true snares at 0.9."""
        classes = np.zeros((len(features), 5), np.float32)
        for column, height, times in (
            (0, 0.35, (0.51, 1.51)), (0, 0.2, (0.8, 2.2, 2.5)), (1, 0.9, (1.01, 2.01)),
        ):  # fmt: skip
            for at in times:
                bell = np.exp(-0.5 * ((np.arange(len(classes)) - at * 100) / 0.8) ** 2)
                classes[:, column] = np.maximum(classes[:, column], height * bell)
        drum = np.zeros((len(features), len(DRUMS)), np.float32)
        return Activations(classes, drum, drum, 100.0)

    picking, scores = tune(around(listen), tmp_path, SETTINGS)
    assert scores == {"drums": 1.0}
    assert 0.2 < picking.thresholds[0] <= 0.35
    assert picking.delay == pytest.approx(0.01, abs=1e-3)


def test_how_clearly_open_a_hat_must_be_is_chosen_on_recordings(tmp_path: Path) -> None:
    for name in ("annotations", "drums"):
        (tmp_path / name).mkdir()
    track = mido.MidiTrack()
    for key in (46, 42, 46, 42):
        track.append(mido.Message("note_on", note=key, velocity=90, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "annotations" / "a.mid")
    soundfile.write(tmp_path / "drums" / "a.wav", place(crack(), [0.5], 3.0), RATE)
    closed, opened = DRUMS.index(drums.CLOSED_HAT), DRUMS.index(drums.OPEN_HAT)

    def listen(features: np.ndarray) -> Activations:
        """Every hat leans to open, those that are by more."""
        classes = np.zeros((len(features), 5), np.float32)
        heard = np.zeros((len(features), len(DRUMS)), np.float32)
        for second, lead in ((0.5, 0.5), (1.0, 0.15), (1.5, 0.5), (2.0, 0.15)):
            frame = round(second * 100)
            classes[frame, SCORING_CLASSES.index("HH")] = 0.9
            heard[frame, [closed, opened]] = 0.4, 0.4 + lead
        return Activations(classes, heard, heard, 100.0)

    picking, _ = tune(around(listen), tmp_path, SETTINGS)
    assert picking.open_margin == pytest.approx(0.2)


def test_a_rendered_set_says_beside_the_recordings_how_open_a_hat_must_be(tmp_path: Path) -> None:
    """There all four are open and lean to it by less than the recordings' closed ones."""
    for name in ("annotations", "drums", "set/audio", "set/truth"):
        (tmp_path / name).mkdir(parents=True)
    track = mido.MidiTrack()
    for key in (46, 42, 46, 42):
        track.append(mido.Message("note_on", note=key, velocity=90, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "annotations" / "a.mid")
    soundfile.write(tmp_path / "drums" / "a.wav", place(crack(), [0.5], 3.0), RATE)
    soundfile.write(tmp_path / "set/audio/b.flac", place(crack(), [0.5], 4.0), RATE)
    hits = [[second, 46, 90] for second in (0.5, 1.0, 1.5, 2.0)]
    facts = {"bpm": 120.0, "metre": [4, 4], "start": 0.5, "hits": hits}
    (tmp_path / "set/truth/b.json").write_text(json.dumps(facts))
    closed, opened = DRUMS.index(drums.CLOSED_HAT), DRUMS.index(drums.OPEN_HAT)

    def listen(features: np.ndarray) -> Activations:
        leads = (0.5, 0.15, 0.5, 0.15) if len(features) < 350 else (0.12, 0.12, 0.12, 0.12)
        classes = np.zeros((len(features), 5), np.float32)
        heard = np.zeros((len(features), len(DRUMS)), np.float32)
        for number, lead in enumerate(leads, 1):
            classes[50 * number, SCORING_CLASSES.index("HH")] = 0.9
            heard[50 * number, [closed, opened]] = 0.4, 0.4 + lead
        return Activations(classes, heard, heard, 100.0)

    alone, _ = tune(around(listen), tmp_path, SETTINGS)
    both, _ = tune(around(listen), tmp_path, SETTINGS, rendered=tmp_path / "set")
    assert alone.open_margin == pytest.approx(0.2)
    assert both.open_margin < 0.12


def test_a_rendered_set_chooses_beside_the_recordings(tmp_path: Path) -> None:
    """In it kicks are fainter, and a foot plays the hats; false strokes are fainter still."""
    for name in ("annotations", "drums", "set/audio", "set/truth"):
        (tmp_path / name).mkdir(parents=True)
    track = mido.MidiTrack()
    for key in (36, 42):
        track.append(mido.Message("note_on", note=key, velocity=90, time=480))
    mido.MidiFile(tracks=[track]).save(tmp_path / "annotations" / "a.mid")
    soundfile.write(tmp_path / "drums" / "a.wav", place(thump(), [0.5, 1.0], 3.0), RATE)
    soundfile.write(tmp_path / "set/audio/b.flac", place(thump(), [0.5, 1.0], 4.0), RATE)
    hits = [[0.5, 36, 90], [1.0, 44, 40], [1.5, 36, 90], [2.0, 44, 40]]
    facts = {"bpm": 120.0, "metre": [4, 4], "start": 0.5, "hits": hits}

    def listen(features: np.ndarray) -> Activations:
        real = len(features) < 350
        kick, hat, foot = (
            DRUMS.index(drum) for drum in (drums.KICK, drums.CLOSED_HAT, drums.PEDAL_HAT)
        )
        strokes = (
            [(0.5, kick, 0.9), (1.0, hat, 0.9), (0.7, kick, 0.25), (1.4, hat, 0.7)]
            if real
            else [(0.5, kick, 0.4), (1.0, foot, 0.5), (1.5, kick, 0.4), (2.0, foot, 0.5)]
        )
        classes = np.zeros((len(features), 5), np.float32)
        heard = np.zeros((len(features), len(DRUMS)), np.float32)
        for second, drum, height in strokes:
            column = SCORING_CLASSES.index(DRUMS[drum].scoring)
            classes[round(100 * second), column] = heard[round(100 * second), drum] = height
        return Activations(classes, heard, heard + 0.6, 100.0)

    with pytest.raises(InputError, match=r"set: no truth/\*\.json in this folder"):
        tune(around(listen), tmp_path, SETTINGS, rendered=tmp_path / "set")
    (tmp_path / "set/truth/b.json").write_text(json.dumps(facts))
    alone, _ = tune(around(listen), tmp_path, SETTINGS)
    both, scores = tune(around(listen), tmp_path, SETTINGS, rendered=tmp_path / "set")
    assert scores == {"drums": 1.0, "rendered": 1.0}
    assert 0.25 < both.thresholds[0] <= 0.4
    assert 0.7 < both.thresholds[SCORING_CLASSES.index("HH")] <= 0.9
    assert 0.0 < both.pedal <= 0.5
    assert alone.pedal == 0.0


def _snares(onsets: np.ndarray) -> mido.MidiTrack:
    """Kicks and snares in turn at given seconds, ticks of a millisecond."""
    track, now = mido.MidiTrack(), 0
    for index, tick in enumerate(np.round(1000 * onsets).astype(int).tolist()):
        note = (36, 38)[index % 2]
        track.append(mido.Message("note_on", note=note, velocity=90, time=tick - now))
        now = tick
    return track


def test_how_far_to_heed_repeats_is_chosen_on_recordings(tmp_path: Path) -> None:
    """Bars of two snares, every third of them faint and as loud as false ones in between."""
    for name in ("annotations", "drums"):
        (tmp_path / name).mkdir()
    onsets = 0.5 + np.arange(24) * 0.5
    mido.MidiFile(tracks=[_snares(onsets)], ticks_per_beat=500).save(
        tmp_path / "annotations" / "a.mid"
    )
    soundfile.write(tmp_path / "drums" / "a.wav", place(crack(), onsets, 13.0), RATE)
    rng = np.random.default_rng(1)
    false = rng.uniform(0.7, 12.0, 6)

    def listen(features: np.ndarray) -> Activations:
        classes = np.full((len(features), 5), 0.002, np.float32)
        for index, onset in enumerate(onsets):
            column = SCORING_CLASSES.index(("KD", "SD")[index % 2])
            classes[round(onset * 100), column] = 0.3 if index % 6 == 1 else 0.9
        for second in false:
            classes[round(second * 100), SCORING_CLASSES.index("SD")] = 0.35
        heard = np.zeros((len(features), len(DRUMS)), np.float32)
        return Activations(classes, heard, heard + 0.6, 100.0)  # no ghost strokes

    without, plain = tune(around(listen), tmp_path, SETTINGS, recurrences=(0.0,))
    heeding, scores = tune(around(listen), tmp_path, SETTINGS)
    assert without.recurrence == 0.0
    assert heeding.recurrence > 0.0
    assert scores["drums"] > plain["drums"] + 0.02
    # Nothing to win where every stroke is clear: then they are taken as heard.
    onsets, false = np.sort(rng.uniform(0.5, 12.0, 24)), np.zeros(0)
    mido.MidiFile(tracks=[_snares(onsets)], ticks_per_beat=500).save(
        tmp_path / "annotations" / "a.mid"
    )
    assert tune(around(listen), tmp_path, SETTINGS)[0].recurrence == 0.0
