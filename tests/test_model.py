from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from drum2midi import transcribe
from drum2midi.audio import read_audio
from drum2midi.casting import cast_parts
from drum2midi.drums import DRUMS, KICK, SCORING_CLASSES, SNARE
from drum2midi.dynamics import TOLD, WEIGHTS, weigh
from drum2midi.errors import InputError
from drum2midi.features import QUIET_FRAMES, in_silence, log_mel
from drum2midi.heeding import heed_recording
from drum2midi.model import METADATA_KEY, _chunks, load_model, shipped_model, without_silence
from drum2midi.onsets import pick_hits
from drum2midi.transcription import Hit

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "examples" / "groove.flac"
GOLDEN = HERE / "golden_activations.npz"


def test_the_shipped_model_says_what_it_is() -> None:
    model = load_model()
    assert model.features.sample_rate == 44100
    assert len(model.picking.thresholds) == len(SCORING_CLASSES)
    assert all(0.0 < threshold < 1.0 for threshold in model.picking.thresholds)
    assert model.about["parameters"] < 5_000_000
    assert shipped_model().stat().st_size < 12_000_000


def test_golden_activations() -> None:
    """Four seconds of the example, as they were when the model was exported."""
    model = load_model()
    audio = read_audio(EXAMPLE, sample_rate=model.features.sample_rate, end=4.0)
    activations = model.activations(log_mel([audio.samples], model.features))
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(activations.classes, golden["classes"], atol=2e-3)
        np.testing.assert_allclose(activations.drums, golden["drums"], atol=2e-3)
        np.testing.assert_allclose(activations.velocities, golden["velocities"], atol=2e-3)


def test_a_song_is_heard_the_same_in_chunks() -> None:
    model = load_model()
    audio = read_audio(EXAMPLE, sample_rate=44100)
    features = np.tile(log_mel([audio.samples], model.features), (4, 1))
    told: list[float] = []
    activations = model.activations(features, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert activations.classes.shape == (len(features), 5)
    once = model.activations(features[: len(features) // 4])
    # Away from its ends, each repetition is heard as the first: no chunk's edge shows.
    length = len(features) // 4
    hits = pick_hits(activations, model.picking)
    first = [h for h in pick_hits(once, model.picking) if 1.0 < h.onset < length / 100 - 1.0]
    for turn in range(4):
        start = turn * length / 100
        again = [h for h in hits if 1.0 < h.onset - start < length / 100 - 1.0]
        assert abs(len(again) - len(first)) <= 2


@pytest.mark.parametrize("frames", [0, 1, 2999, 3000, 3001, 24_000, 100_001])
def test_chunks_keep_every_frame_once_and_read_around_it(frames: int) -> None:
    kept = np.zeros(frames, int)
    lengths = set()
    for keep, read in _chunks(frames):
        kept[keep] += 1
        lengths.add(read.stop - read.start)
        assert 0 <= read.start <= max(0, keep.start - 400)
        assert min(frames, keep.stop + 400) <= read.stop <= frames
    assert (kept == 1).all()
    assert len(lengths) == min(1, frames)


def test_each_stage_can_be_called_alone() -> None:
    model = load_model()
    audio = read_audio(EXAMPLE, sample_rate=model.features.sample_rate)
    features = log_mel(in_silence([audio.samples], model.features), model.features)
    activations = model.activations(features)
    heeded = heed_recording(activations, features, model.picking)
    hits = cast_parts(pick_hits(heeded, model.picking), activations)
    assert model.dynamics is not None
    heard = weigh(hits, features, model.features, model.dynamics)
    quiet = QUIET_FRAMES / model.features.frame_rate
    assert transcribe(EXAMPLE).hits == tuple(replace(h, onset=h.onset - quiet) for h in heard)
    inside = without_silence(activations)
    assert len(inside.classes) == 1 + len(audio.samples) // 441
    np.testing.assert_array_equal(inside.drums, activations.drums[QUIET_FRAMES:-QUIET_FRAMES])


def test_a_loop_that_begins_with_a_stroke_begins_with_it(tmp_path: Path) -> None:
    """Cut at the kick on the first beat of a bar, as producers cut loops."""
    whole = transcribe(EXAMPLE)
    audio = read_audio(EXAMPLE, sample_rate=44100)
    kicks = [hit.onset for hit in whole.hits if hit.drum is KICK]
    for bar in whole.grid.bars[1:4]:
        start = min(kicks, key=lambda onset: abs(onset - bar.beats[0]))
        first = round(44100 * start)
        soundfile.write(tmp_path / "loop.wav", audio.samples[first : first + 4 * 44100], 44100)
        loop = transcribe(tmp_path / "loop.wav")
        assert loop.hits[0].onset < 0.006
        assert KICK in {hit.drum for hit in loop.hits if hit.onset == loop.hits[0].onset}
        assert loop.grid.bars[0].beats[0] < 0.01


def test_what_is_cut_off_makes_no_stroke_at_the_end(tmp_path: Path) -> None:
    """A direct current that stops, and a snare of which 3 ms are left."""
    audio = read_audio(EXAMPLE, sample_rate=44100, end=6.0)
    whole = [hit.onset for hit in transcribe(EXAMPLE).hits]
    snare = next(h.onset for h in transcribe(EXAMPLE).hits if h.drum is SNARE and h.onset > 2.0)
    for samples in (audio.samples[: 4 * 44100] + 0.1, audio.samples[: round(44100 * snare) + 132]):
        soundfile.write(tmp_path / "cut.wav", samples, 44100, subtype="FLOAT")
        last = transcribe(tmp_path / "cut.wav").hits[-1].onset
        assert 1.0 < last < len(samples) / 44100 - 0.04
        assert min(abs(last - onset) for onset in whole) < 0.01


def test_a_transcription_cannot_be_changed() -> None:
    song = transcribe(EXAMPLE, end=5.0)
    assert isinstance(song.hits[0], Hit)
    with pytest.raises(AttributeError):
        song.title = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        song.hits[0].velocity = 1  # type: ignore[misc]


def altered(path: Path, **changes: object) -> Path:
    """A copy of the shipped model with other metadata."""
    onnx = pytest.importorskip("onnx", reason="needs drum2midi[train]")
    network = onnx.load(shipped_model())
    entry = next(prop for prop in network.metadata_props if prop.key == METADATA_KEY)
    facts = json.loads(entry.value)
    for key, value in changes.items():
        facts[key] = {**facts[key], **value} if isinstance(value, dict) else value
    entry.value = json.dumps(facts)
    if not changes:
        del network.metadata_props[:]
    onnx.save(network, path)
    return path


def test_a_model_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"m\xe9.onnx")
    for threshold in (0.3, 0.9):
        altered(path, picking={"thresholds": [threshold] * 5})
        assert load_model(path).picking.thresholds == (threshold,) * 5
        assert load_model(path) is load_model(path)


def test_weights_of_dynamics_from_files_of_before(tmp_path: Path) -> None:
    levels = [1.0, *(0.1 * i for i in range(TOLD - 2))]
    ranks = [float(i) for i in range(TOLD - 1)]
    together = [0.0] * (WEIGHTS - 2 * TOLD)
    for index, (row, wanted) in enumerate(
        [
            (levels, [*levels, 0.0, *[0.0] * TOLD, *together]),
            ([*levels, *ranks], [*levels, 0.0, *ranks, 0.0, *together]),
            ([*levels, 2.0, *ranks, 3.0], [*levels, 2.0, *ranks, 3.0, *together]),
        ]
    ):
        model = load_model(altered(tmp_path / f"{index}.onnx", dynamics={"weights": [row] * 5}))
        assert model.dynamics is not None
        assert set(model.dynamics.weights) == {tuple(wanted)}


def test_models_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a model of drum2midi"):
        load_model(altered(tmp_path / "a.onnx"))
    with pytest.raises(InputError, match="made for another version"):
        load_model(altered(tmp_path / "b.onnx", format=99))
    fewer = [drum.name for drum in DRUMS[:-1]]
    with pytest.raises(InputError, match="made for another version"):
        load_model(altered(tmp_path / "c.onnx", drums=fewer))
    with pytest.raises(InputError, match=r"e\.onnx: made for another version of drum2midi$"):
        load_model(altered(tmp_path / "e.onnx", classes=["CY", "HH", "TT", "SD", "KD"]))
    with pytest.raises(InputError, match="4 thresholds for 5 classes"):
        load_model(altered(tmp_path / "f.onnx", picking={"thresholds": [0.5] * 4}))
    with pytest.raises(InputError, match="its description cannot be read"):
        load_model(altered(tmp_path / "g.onnx", picking={"thresholds": ["high"] * 5}))
    with pytest.raises(InputError, match="does not take its features' 64 bands"):
        load_model(altered(tmp_path / "d.onnx", features={"bands": 64}))
    with pytest.raises(InputError, match="no such model file"):
        load_model(tmp_path / "none.onnx")
