"""Training on a GPU, in miniature and on the CPU: cargo, mixing, the twin, and a few steps."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import mido
import numpy as np
import pytest
import soundfile

from drum2midi.drums import DRUMS
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings, normalise
from drum2midi.training import examples
from drum2midi.training.device import cargo
from drum2midi.training.network import ACTIVATIONS, OUTPUTS, NetworkSettings, build_network
from drum2midi.training.oneshots import load_library
from drum2midi.training.pieces import Piece, Renderer, Sources, save_piece

torch = pytest.importorskip("torch", reason="needs PyTorch")

from drum2midi.training.device import mixing  # noqa: E402
from drum2midi.training.device.fit import (  # noqa: E402
    DeviceSettings,
    Pool,
    _begin,
    _beside,
    _endless,
    _render,
    _take,
    loss,
)
from drum2midi.training.device.sweep import both_ways  # noqa: E402
from drum2midi.training.device.twin import Twin  # noqa: E402

SETTINGS = FeatureSettings()
TINY = NetworkSettings(filters=(2, 3, 4), context=10, recurrent=6, recurrent_layers=2)


@pytest.fixture(scope="module")
def packed(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cargo")
    cargo.pack(
        folder, oneshots=sources.oneshots, grooves=sources.grooves, impulses=sources.impulses
    )
    return folder


@pytest.fixture(scope="module")
def piece(sources: Sources, packed: Path) -> Piece:
    return Renderer(cargo.unpack(packed), SETTINGS, seed=1).piece(4)


def test_oneshots_survive_the_journey(sources: Sources, packed: Path) -> None:
    before = load_library(*sources.oneshots, sample_rate=cargo.RATE)
    after = cargo.unpack(packed).library
    assert list(after) == list(before) == list(DRUMS)
    for drum in DRUMS:
        for old, new in zip(before[drum], after[drum], strict=True):
            assert (old.kit, old.name, old.weight) == (new.kit, new.name, new.weight)
            for one, other in zip(old.layers, new.layers, strict=True):
                assert one.level_db == other.level_db
                samples = one.samples[: len(other.samples)].astype(float)
                # Lossy, but the same sound at the same place.
                assert np.corrcoef(samples, other.samples.astype(float))[0, 1] > 0.98


def test_a_sound_is_cut_where_it_has_died_away() -> None:
    sound = np.exp(-np.arange(5 * cargo.RATE) / (0.02 * cargo.RATE)).astype(np.float32)
    kept = cargo.trim(sound)
    # 55 dB below the peak come after 6.33 time constants, and 10 ms more are kept.
    assert len(kept) / cargo.RATE == pytest.approx(6.333 * 0.02 + 0.01, abs=1e-3)
    assert kept[-1] == 0.0
    np.testing.assert_array_equal(kept[: len(kept) - 441], sound[: len(kept) - 441])


@pytest.mark.parametrize(("bpm", "expected"), [(120.0, 0.5), (100.0, 0.6), (66.0, 60.0 / 132.0)])
def test_clips_keep_time_with_the_beats(bpm: float, expected: float) -> None:
    """A click on every beat of a clip at 120 comes on the beats asked for, or between them."""
    clicks = np.zeros(int(16.0 * cargo.RATE), np.float16)
    clicks[:: cargo.RATE // 2] = 1.0
    clips = cargo.Clips((clicks,), (120.0,))
    beats = 0.25 + np.arange(40) * 60.0 / bpm
    out = clips.play(beats, np.random.default_rng(2), seconds=12.0)
    assert len(out) == 12 * cargo.RATE
    assert np.abs(out).max() == pytest.approx(1.0)
    loud = np.flatnonzero(np.abs(out) > 0.5)
    onsets = loud[np.append(True, np.diff(loud) > 1000)] / cargo.RATE
    np.testing.assert_allclose(onsets, 0.25 + expected * np.arange(len(onsets)), atol=2e-3)
    assert len(onsets) == int((12.0 - 0.25) / expected) + 1


def test_a_clip_of_no_known_tempo_is_nearly_as_fast_as_it_was() -> None:
    time = np.arange(16 * cargo.RATE) / cargo.RATE
    clips = cargo.Clips((np.sin(2 * np.pi * 500.0 * time).astype(np.float16),), (0.0,))
    pitches = []
    for seed in range(12):
        out = clips.play(np.arange(40) * 0.31, np.random.default_rng(seed), seconds=12.0)
        pitches.append(np.count_nonzero(np.diff(np.signbit(out))) / 2 / 12.0)
    assert 0.03 < np.std(np.log(np.array(pitches) / 500.0)) < 0.1
    assert abs(np.mean(np.log(np.array(pitches) / 500.0))) < 0.05


def test_bands_of_songs_and_music_without_drums_travel_as_clips(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = []

    def play_band(band: mido.MidiFile, soundfont: Path, seconds: float) -> np.ndarray:
        played.append((soundfont.name, seconds))
        level = np.where(np.arange(int(seconds * cargo.RATE)) < 20 * cargo.RATE, 0.5, 0.0)
        return np.asarray(level * np.sin(0.1 * np.arange(len(level))), np.float32)

    monkeypatch.setattr(cargo, "play_band", play_band)
    monkeypatch.setattr(cargo, "_accompany", lambda *_: [])
    midi = mido.MidiFile(ticks_per_beat=96)
    kit = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600_000)])
    for beat in range(100):
        note = 38 if beat % 2 else 36
        kit.append(mido.Message("note_on", channel=9, note=note, velocity=90, time=0))
        kit.append(mido.Message("note_off", channel=9, note=note, time=96))
    midi.tracks.append(kit)
    midi.save(tmp_path / "song.mid")
    (tmp_path / "calm").mkdir()
    hum = np.sin(0.05 * np.arange(20 * cargo.RATE))
    soundfile.write(tmp_path / "calm" / "hum.ogg", hum, cargo.RATE)
    cargo.pack(
        tmp_path / "cargo", oneshots=sources.oneshots, grooves=sources.grooves,
        impulses=sources.impulses, soundfonts=[Path("a.sf2"), Path("b.sf2")],
        songs=[tmp_path / "song.mid"] * 2, drumless=tmp_path / "calm",
    )  # fmt: skip
    (clips,) = cargo.unpack(tmp_path / "cargo").bands
    # 59.4 s until the last stroke; eight bars of 2.4 s are the clip's step, and one that is silent
    # is none.
    assert [name for name, _ in played] == ["a.sf2", "b.sf2"]
    assert played[0][1] == pytest.approx(59.4)
    assert clips.tempi == (100.0, 100.0, 100.0, 100.0, 0.0)
    assert {len(sound) for sound in clips.sounds} == {20 * cargo.RATE}
    assert all(np.abs(sound).max() == pytest.approx(1.0, abs=0.1) for sound in clips.sounds)


def test_a_sound_does_not_end_in_the_next_ones_attack(tmp_path: Path) -> None:
    """The codec spreads a click over what comes before it."""
    rng = np.random.default_rng(0)
    time = np.arange(cargo.RATE // 2) / cargo.RATE
    hits = [
        cargo.trim((rng.normal(size=len(time)) * np.exp(-time / 0.03)).astype(np.float32))
        for _ in range(60)
    ]
    hits = [hit / np.abs(hit).max() for hit in hits]
    lengths = cargo._write(tmp_path, "shots", hits)
    read = cargo._read(tmp_path, "shots", lengths, map)
    assert [len(sound) for sound in read] == [len(hit) for hit in hits]
    ends = [float(np.abs(sound[-132:]).max()) for sound in read]
    assert 20.0 * np.log10(max(ends)) < -45.0


def test_a_folder_that_is_no_cargo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cargo\.json: no such file; pack a cargo first"):
        cargo.unpack(tmp_path)
    (tmp_path / "cargo.json").write_text("{}")
    with pytest.raises(InputError, match=r"cargo\.json: of another version .* pack it again"):
        cargo.unpack(tmp_path)


def _batch(piece: Piece, frames: int) -> mixing.Batch:
    kit = torch.from_numpy(piece.drums[:frames])[None]
    return mixing.Batch(
        kit, kit, torch.tensor([False]), torch.from_numpy(piece.frames)[None],
        torch.from_numpy(piece.drum.astype(np.int64))[None],
        torch.from_numpy(piece.velocity.astype(np.float32))[None],
        torch.from_numpy(piece.share)[None],
    )  # fmt: skip


def test_a_one_shot_is_cut_where_it_may_be_no_longer() -> None:
    sound = np.ones(10 * cargo.RATE, np.float32)
    assert len(cargo.trim(sound)) == cargo.LONGEST * cargo.RATE
    assert len(cargo.trim(sound, 6.0)) == 6 * cargo.RATE
    assert len(cargo.trim(sound[: cargo.RATE], 6.0)) == cargo.RATE


def test_truth_and_levels_are_those_of_the_cpu(piece: Piece) -> None:
    frames = 1000
    power = 10.0 ** (piece.drums[:frames].astype(np.float32) / 10.0)
    ours = mixing.normalise(torch.from_numpy(power)[None], SETTINGS)[0].numpy()
    # A sum in single precision, in an order that torch's threads choose.
    np.testing.assert_allclose(ours, normalise(power, SETTINGS), atol=1e-5)

    batch, tensor = _batch(piece, frames), torch.from_numpy(power)[None]
    here = mixing._truth(
        batch, batch.share.float(), tensor, tensor, examples.TARGET_WIDTH
    )[0].numpy()  # fmt: skip
    early = piece.frames < frames
    cut = replace(piece, frames=piece.frames[early], drum=piece.drum[early],
                  velocity=piece.velocity[early], share=piece.share[early])  # fmt: skip
    there = examples._truth(cut, power, power)
    assert there[:-5, :OUTPUTS].max() > 0.9
    np.testing.assert_allclose(here[:-5], there[:-5], atol=1e-5)


def test_a_velocity_that_is_not_known_teaches_nothing(piece: Piece) -> None:
    frames = 1000
    power = 10.0 ** (piece.drums[:frames].astype(np.float32) / 10.0)
    unknown = replace(piece, velocity=np.zeros_like(piece.velocity))
    batch, tensor = _batch(unknown, frames), torch.from_numpy(power)[None]
    here = mixing._truth(batch, batch.share.float(), tensor, tensor, 1.0)[0].numpy()
    there = examples._truth(unknown, power, power)
    for truth in (here, there):
        assert not truth[:, OUTPUTS + ACTIVATIONS :].any()
        assert truth[:, :ACTIVATIONS].max() > 0.9


def test_a_kit_that_rests_is_silent_and_its_strokes_are_none(piece: Piece) -> None:
    torch.manual_seed(3)
    one = _batch(piece, 900)
    many = 200
    batch = mixing.Batch(
        *(torch.cat([part] * many) for part in (one.kit, one.band)), torch.ones(many, dtype=bool),
        *(torch.cat([part] * many) for part in (one.onset, one.drum, one.velocity, one.share)),
    )  # fmt: skip
    gain, drum = mixing._rest(batch, 900, 100)
    rested = (gain < 1.0).any(1)
    assert 0.08 < rested.float().mean() < 0.24
    torch.testing.assert_close(drum[~rested], batch.drum[~rested])
    inside = (batch.onset >= 0) & (batch.onset < 890) & (batch.drum >= 0)
    at = (batch.onset.ceil().long() + 1).clamp(0, 899)
    loud = gain.gather(1, at) > 0.9
    # What is struck as the kit is stopped is the only doubt.
    wrong = inside & (loud != (drum >= 0)) & (gain.gather(1, at) < 0.1)
    assert not wrong[rested].any()
    entries = [row for row in range(many) if gain[row, 0] < 1e-6 and gain[row, -1] == 1.0]
    assert entries
    for row in entries:
        entry = int((gain[row] == 1.0).nonzero()[0, 0])
        assert entry + examples.BEFORE in batch.onset[row].floor().tolist()


def test_a_mix_is_finite_and_has_both_kit_and_band(piece: Piece) -> None:
    torch.manual_seed(1)
    one = _batch(piece, 600)
    # The other piece is loud where the first is not: in its highest bands, all the time.
    band = torch.full_like(one.kit, -80.0)
    band[:, :, 90:] = 0.0
    both = [torch.cat([part] * 8) for part in (one.kit, band)]
    rest = [torch.cat([part] * 8) for part in (one.onset, one.drum, one.velocity, one.share)]
    told = {}
    for heard in (False, True):
        batch = mixing.Batch(*both, torch.full((8,), heard), *rest)
        features, truth = mixing.compose(batch, SETTINGS, width=1.0)
        assert features.shape == (8, 600, 96)
        assert truth.shape == (8, 600, 2 * OUTPUTS)
        assert torch.isfinite(features).all()
        assert torch.isfinite(truth).all()
        told[heard] = float(features[:, :, 90:].mean())
    assert told[True] > told[False] + 0.3


def test_a_pump_turns_down_and_lets_go_slowly() -> None:
    torch.manual_seed(0)
    power = torch.full((4, 300, 96), 1e-3)
    power[:, 100:103] = 1.0
    gain = 10.0 * torch.log10(mixing._pump(power) / power)[:, :, 0]
    assert gain.max() <= 1e-4
    assert (gain[:, 100] < -5.0).all()
    loss_db = -gain[:, 103:]
    assert (loss_db[:, 1:] <= loss_db[:, :-1] + 1e-4).all()
    steps = loss_db[:, 0] / -gain[:, 102]
    assert ((steps > 0.49) & (steps < 0.96)).all()


def test_the_pool_lends_what_it_was_given(piece: Piece) -> None:
    torch.manual_seed(0)
    settings = DeviceSettings(crop=300, capacity=2)
    pool = Pool(settings, torch.device("cpu"))
    for _ in range(3):
        pool.add(piece)
    assert pool.added == 3
    batch = pool.draw(5, examples.Mix())
    assert batch.kit.shape == (5, 400, 96)
    assert not batch.mixed.any()  # none of the pieces has a band
    silence = torch.full((160, 96), -120.0, dtype=torch.float16)
    kit = torch.cat((silence, torch.from_numpy(piece.drums)))
    first = []
    for index in range(5):
        start = 160 + round(float(piece.frames[0] - batch.onset[index, 0]))
        torch.testing.assert_close(batch.kit[index], kit[start : start + 400])
        first.append(start)
    starts = [
        160 + round(float(piece.frames[0] - onset))
        for _ in range(400)
        for onset in pool.draw(8, examples.Mix()).onset[:, 0]
    ]
    # Of those from before 60 on, .6 s of silence and less is learnt from after the first second.
    assert 0.03 < np.mean([start < 60 for start in starts]) < 0.07
    assert min(starts) < 10
    assert max(starts) > len(kit) - 400 - 5
    assert len(set(first)) > 1
    assert int((batch.drum[0] >= 0).sum()) == len(piece.frames)


def test_the_loss_falls_to_what_the_targets_leave() -> None:
    target = torch.zeros(1, 50, OUTPUTS)
    target[0, 20, :3] = 1.0
    truth = torch.cat((target, torch.ones_like(target)), dim=2)
    right = torch.where(target > 0.5, 20.0, -20.0)
    assert float(loss(right, truth)) < 1e-6
    assert float(loss(-right, truth)) > 10.0


def test_the_twin_computes_what_keras_does() -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    torch.manual_seed(2)
    twin = Twin(SETTINGS.bands, TINY)
    for name, value in [*twin.named_parameters(), *twin.named_buffers()]:
        if value.dtype == torch.float32:
            low, high = (0.5, 2.0) if "var" in name else (-0.3, 0.3)
            value.data.uniform_(low, high)
    twin.eval()
    model = build_network(SETTINGS.bands, TINY)
    model.set_weights(twin.keras_weights())
    features = np.random.default_rng(0).normal(size=(2, 60, SETTINGS.bands)).astype(np.float32)
    with torch.no_grad():
        ours = torch.sigmoid(twin(torch.from_numpy(features))).numpy()
    np.testing.assert_allclose(ours, np.asarray(model(features)), atol=2e-6)
    assert np.ptp(ours) > 0.1


@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)], ids=["exact", "rounded"]
)
def test_both_ways_at_once_are_pytorchs_recurrent_layers(dtype: torch.dtype, near: float) -> None:
    torch.manual_seed(3)
    recurrent = torch.nn.GRU(5, 7, num_layers=2, batch_first=True, bidirectional=True)
    x, weighed = torch.randn(3, 40, 5, requires_grad=True), torch.randn(3, 40, 14)
    known = [x, *recurrent.parameters()]
    theirs, _ = recurrent(x)
    ours = both_ways(recurrent, x, dtype)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, atol=near, rtol=0.0)
    gradients = (torch.autograd.grad((y * weighed).sum(), known) for y in (ours, theirs))
    for mine, true in zip(*gradients, strict=True):
        assert mine.shape == true.shape
        assert float((mine - true).norm() / true.norm()) < near


def test_the_twin_learns_the_same_under_autocast() -> None:
    """On a processor the recurrent layers then go another way."""
    torch.manual_seed(4)
    twin = Twin(SETTINGS.bands, TINY).eval()
    features = torch.randn(2, 60, SETTINGS.bands)
    plain = twin(features)
    with torch.autocast("cpu", torch.bfloat16):
        quick = twin(features)
    torch.testing.assert_close(quick.float(), plain, atol=0.05, rtol=0.05)


def surely_heard(piece: Piece) -> Piece:
    """A piece with strokes enough, each two dozen times over, which have all power."""
    return replace(
        piece,
        frames=np.tile(piece.frames, 24),
        drum=np.tile(piece.drum, 24),
        velocity=np.tile(piece.velocity, 24),
        share=np.ones((24 * len(piece.frames), piece.share.shape[1]), np.float16),
    )


def test_a_run_leaves_weights_that_keras_takes(packed: Path, piece: Piece, tmp_path: Path) -> None:
    """A few steps by the command itself; what it writes becomes a model of the settings' size."""
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.training.device.finish import _curve, build
    from drum2midi.training.weights import read_weights

    run, music = tmp_path / "run", tmp_path / "music"
    music.mkdir()
    save_piece(surely_heard(piece), music / "song.npz")
    subprocess.run(
        [sys.executable, "-m", "drum2midi.training.device.fit", str(packed), str(run),
         "--minutes", "0.05", "--workers", "1", "--batch", "2", "--capacity", "3",
         "--heard", str(music)],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (run / "log.csv").read_text().startswith("step,seconds,pieces,loss\n")
    last = run / "weights-100.npz"
    model, features, about = build([last])
    assert features == SETTINGS
    assert about["heard"] == "music"  # not whose folder it is in
    assert about["network"]["recurrent_layers"] == 2
    assert model.count_params() < 5_000_000
    logged = list(_curve(run / "log.csv"))
    assert [row["step"] for row in logged] == [100.0 * (i + 1) for i in range(len(logged))]
    (run / "log.csv").write_text("step,seconds,pieces,loss\n100,2.5,64,0.5\n")
    assert list(_curve(run / "log.csv")) == [
        {"step": 100.0, "seconds": 2.5, "pieces": 64.0, "loss": 0.5}
    ]
    once, twice = read_weights([last]), read_weights([last, last])
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(one, other)

    # A run may go on from there, and from what Keras has kept.
    model.save(tmp_path / "kept.keras")
    for one, other in zip(once, read_weights([tmp_path / "kept.keras"]), strict=True):
        np.testing.assert_array_equal(one, other)
    begun = _begin(DeviceSettings(start=(str(last), str(tmp_path / "kept.keras"))))
    for one, other in zip(once, begun.keras_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
    with pytest.raises(InputError, match=r"weights-100\.npz: weights of another network"):
        _begin(DeviceSettings(network=TINY, start=(str(last),)))

    (tmp_path / "bad.npz").write_text("no")
    with pytest.raises(InputError, match=r"bad\.npz: not weights of a network"):
        read_weights([tmp_path / "bad.npz"])
    with pytest.raises(InputError, match=r"settings\.json: not the settings of a run"):
        build([tmp_path / "bad.npz"])


def test_sizes_are_told_from_weights() -> None:
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.training.weights import sizes_of

    odd = NetworkSettings(filters=(2, 3), context=18, recurrent=6, recurrent_layers=1)
    for sizes in (TINY, odd):
        assert sizes_of(build_network(SETTINGS.bands, sizes).get_weights()) == sizes
    with pytest.raises(InputError, match="no weights of a network"):
        sizes_of([np.zeros((3, 4), np.float32)])


def test_a_run_goes_on_from_a_network_that_was_widened(packed: Path, tmp_path: Path) -> None:
    """Both by their commands: what is trained has the size of what it begins from."""
    pytest.importorskip("tensorflow", reason="needs drum2midi[train]")
    from drum2midi.training.device.finish import build
    from drum2midi.training.weights import read_weights

    small, large, run = tmp_path / "small.keras", tmp_path / "large.keras", tmp_path / "run"
    build_network(SETTINGS.bands, TINY).save(small)

    def widen(target: Path, filters: str) -> tuple[int, str]:
        """Status and errors of the command."""
        ran = subprocess.run(
            [sys.executable, "-m", "drum2midi.training.widen", str(small), str(target),
             "--filters", filters, "--context", "12", "--recurrent", "8"],
            capture_output=True, text=True,
        )  # fmt: skip
        return ran.returncode, ran.stderr

    status, _ = widen(large, "3,4,5")
    assert status == 0
    subprocess.run(
        [sys.executable, "-m", "drum2midi.training.device.fit", str(packed), str(run),
         "--start", str(large), "--minutes", "0.01", "--workers", "1", "--batch", "2",
         "--capacity", "3"],
        check=True,
    )  # fmt: skip
    model, _, about = build([run / "weights-100.npz"])
    assert about["network"]["filters"] == [3, 4, 5]
    before = [part.shape for part in read_weights([large])]
    assert [part.shape for part in model.get_weights()] == before
    for target, filters, status, message in (
        (large, "3;4", 2, "is not like 32,48,64"),
        (tmp_path / "none" / "large.keras", "3,4,5", 1, "large.keras: there is no folder"),
        (large, "1,4,5", 1, " is narrower than conv2d"),
    ):
        ended, errors = widen(target, filters)
        assert ended == status
        assert message in errors


def test_renderers_stop_after_the_pieces_that_were_asked_for(packed: Path) -> None:
    pieces: queue.SimpleQueue[Piece] = queue.SimpleQueue()
    for worker, count in ((0, 2), (1, 1)):
        _render(cargo.unpack(packed), DeviceSettings(workers=2, pieces=3), worker, pieces)
        assert pieces.qsize() == count
        while not pieces.empty():
            pieces.get()


def test_a_crew_that_has_no_more_to_render_is_not_dead(piece: Piece) -> None:
    pool = Pool(DeviceSettings(crop=300, capacity=2), torch.device("cpu"))
    pieces: queue.SimpleQueue[Piece] = queue.SimpleQueue()
    pieces.put(piece)
    _take(pool, pieces, [SimpleNamespace(exitcode=None), SimpleNamespace(exitcode=1)], wait=True)
    assert pool.added == 1
    _take(pool, pieces, [SimpleNamespace(exitcode=0)], wait=False)
    assert pool.added == 1
    with pytest.raises(InputError, match="the processes that render died"):
        _take(pool, pieces, [SimpleNamespace(exitcode=0), SimpleNamespace(exitcode=-9)], wait=True)


def test_music_comes_again_and_again_and_is_the_share_that_was_asked_for(piece: Piece) -> None:
    music = [replace(piece, frames=piece.frames + i) for i in range(5)]
    heard = _endless(music, np.random.default_rng(0))
    first = [next(heard) for _ in range(10)]
    for pass_ in (first[:5], first[5:]):
        assert {id(one) for one in pass_} == {id(one) for one in music}
    assert [_beside(count, 0.25, music) for count in (0, 2, 3, 300)] == [0, 0, 1, 100]
    assert _beside(300, 0.25, []) == 0
    assert list(_endless([], np.random.default_rng(0))) == []


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "drum2midi.training.device.fit", str(tmp_path), str(tmp_path / "o")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.strip().endswith("cargo.json: no such file; pack a cargo first")
