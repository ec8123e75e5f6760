"""Tuning: what is chosen on real recordings, and that it is the best there is."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi import drums
from drum2midi.drums import DRUMS, SCORING_CLASSES
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings
from drum2midi.model import Activations
from drum2midi.training.tune import tune

SETTINGS = FeatureSettings()


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

    picking, scores = tune(listen, tmp_path, SETTINGS)
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

    picking, _ = tune(listen, tmp_path, SETTINGS)
    assert picking.open_margin == pytest.approx(0.2)


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

    without, plain = tune(listen, tmp_path, SETTINGS, recurrences=(0.0,))
    heeding, scores = tune(listen, tmp_path, SETTINGS)
    assert without.recurrence == 0.0
    assert heeding.recurrence > 0.0
    assert scores["drums"] > plain["drums"] + 0.02
    # Nothing to win where every stroke is clear: then they are taken as heard.
    onsets, false = np.sort(rng.uniform(0.5, 12.0, 24)), np.zeros(0)
    mido.MidiFile(tracks=[_snares(onsets)], ticks_per_beat=500).save(
        tmp_path / "annotations" / "a.mid"
    )
    assert tune(listen, tmp_path, SETTINGS)[0].recurrence == 0.0
