"""Music that nobody annotated: what is surely heard is asked for, what is half heard is not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drum2midi.audio import read_audio
from drum2midi.drums import CLOSED_HAT, CRASH, CROSS_STICK, DRUMS, FLOOR_TOM, KICK, PEDAL_HAT, SNARE
from drum2midi.errors import InputError
from drum2midi.features import FeatureSettings, in_silence, log_mel, normalise
from drum2midi.model import load_model
from drum2midi.pipeline import transcribe
from drum2midi.training.heard import _piece, cut, hear_music, list_recordings, read_pieces
from drum2midi.training.pieces import SECONDS, Piece, save_piece
from drum2midi.transcription import Hit

SETTINGS = FeatureSettings()
FUNK = Path(__file__).parent.parent / "examples" / "funk.ogg"


def long_piece(sure: int, doubtful: int, *, seconds: float = SECONDS) -> Piece:
    """Kicks at even distances that are sure, and snares that are not."""
    frames = int(seconds * SETTINGS.frame_rate) + 1
    share = np.repeat(np.array([1.0] * sure + [0.0] * doubtful, np.float16)[:, None], 96, axis=1)
    at = np.concatenate(
        [np.linspace(0, frames - 1, sure), np.linspace(0, frames - 1, doubtful)]
    ).astype(np.float32)
    drums = np.array([DRUMS.index(KICK)] * sure + [DRUMS.index(SNARE)] * doubtful, np.uint8)
    rng = np.random.default_rng(3)
    return Piece(
        drums=rng.normal(-40.0, 10.0, (frames, 96)).astype(np.float16),
        band=np.zeros((0, 96), np.float16),
        frames=at,
        drum=drums,
        velocity=np.full(len(at), 90, np.uint8),
        share=share,
    )


def test_what_is_surely_heard_is_what_is_written() -> None:
    """Of the example the sure strokes are the written ones where the network has its peaks."""
    model = load_model(None)
    music = hear_music(FUNK, model)
    written = transcribe(FUNK).hits
    sure = music.share[:, 0] > 0
    assert set(np.unique(music.share).tolist()) == {0.0, 1.0}
    quiet = len(next(iter(in_silence([], model.features)))) / model.features.sample_rate
    seconds = music.frames / model.features.frame_rate - model.picking.delay - quiet
    for drum in (KICK, SNARE, CLOSED_HAT):
        told = seconds[sure & (music.drum == DRUMS.index(drum))]
        truth = np.array([hit.onset for hit in written if hit.drum is drum])
        assert 0.9 * len(truth) <= len(told) <= len(truth)
        assert np.abs(told[:, None] - truth).min(axis=1).max() < 0.01
    assert 0 < (~sure).sum() < 0.5 * sure.sum()
    power = np.exp(music.drums.astype(np.float64) * np.log(10.0) / 10.0)
    audio = read_audio(FUNK, sample_rate=SETTINGS.sample_rate).samples
    np.testing.assert_allclose(
        normalise(power.astype(np.float32), SETTINGS),
        log_mel(in_silence([audio], SETTINGS), SETTINGS),
        atol=0.01,
    )


def test_a_doubtful_stroke_has_no_share_and_a_sure_one_is_not_told_twice() -> None:
    sure = [Hit(1.0, KICK, 100, 0.9), Hit(2.0, SNARE, 90, 0.9)]
    doubtful = [Hit(1.01, KICK, 100, 0.9), Hit(2.0, KICK, 60, 0.2), Hit(2.0, SNARE, 90, 0.9)]
    piece = _piece(np.ones((300, 96), np.float32), SETTINGS, sure, doubtful, 0.02)
    np.testing.assert_allclose(piece.frames, [102.0, 202.0, 202.0])
    named = [
        (DRUMS[drum], share) for drum, share in zip(piece.drum, piece.share[:, 0], strict=True)
    ]
    assert named == [(KICK, 1.0), (SNARE, 1.0), (KICK, 0.0)]
    np.testing.assert_allclose(piece.drums, 0.0, atol=1e-3)


def test_what_songs_are_often_wrong_about_is_doubtful_however_surely_heard() -> None:
    sure = [Hit(1.0, drum, 100, 0.99) for drum in (PEDAL_HAT, FLOOR_TOM, CROSS_STICK, CRASH)]
    piece = _piece(np.ones((300, 96), np.float32), SETTINGS, sure, sure, 0.0)
    told = dict(zip((DRUMS[drum] for drum in piece.drum), piece.share[:, 0], strict=True))
    assert told == {PEDAL_HAT: 0.0, FLOOR_TOM: 0.0, CROSS_STICK: 0.0, CRASH: 1.0}


def test_where_nothing_is_heard_there_is_nothing_to_learn() -> None:
    length = int(SECONDS * SETTINGS.frame_rate) + 1
    piece = _piece(np.ones((length, 96), np.float32), SETTINGS, [], [], 0.0)
    assert piece.share.shape == (0, 96)
    assert list(cut(piece, SETTINGS)) == []


@pytest.mark.parametrize(
    ("sure", "doubtful", "kept"), [(24, 12, 1), (23, 0, 0), (24, 13, 0), (300, 150, 1), (0, 0, 0)]
)
def test_only_where_somebody_surely_drums(sure: int, doubtful: int, kept: int) -> None:
    assert len(list(cut(long_piece(sure, doubtful), SETTINGS))) == kept


def test_cutting_loses_no_stroke_and_moves_none() -> None:
    music = long_piece(120, 10, seconds=3 * SECONDS)
    pieces = list(cut(music, SETTINGS))
    length = int(SECONDS * SETTINGS.frame_rate) + 1
    assert [len(piece.drums) for piece in pieces] == [length] * 2  # the rest is too short
    for number, piece in enumerate(pieces):
        again = piece.frames + number * length
        inside = (music.frames >= number * length) & (music.frames < (number + 1) * length)
        np.testing.assert_array_equal(again, music.frames[inside])
        np.testing.assert_array_equal(piece.drum, music.drum[inside])
        np.testing.assert_array_equal(
            piece.drums, music.drums[number * length : (number + 1) * length]
        )


def test_music_survives_its_file(tmp_path: Path) -> None:
    music = long_piece(60, 5)
    save_piece(music, tmp_path / "a.npz")
    (piece,) = read_pieces(tmp_path, SETTINGS)
    for name in ("drums", "band", "frames", "drum", "share"):
        np.testing.assert_array_equal(getattr(piece, name), getattr(music, name))


def test_how_hard_was_only_guessed() -> None:
    music = long_piece(60, 5)
    assert set(music.velocity) == {90}
    (piece,) = cut(music, SETTINGS)
    assert set(piece.velocity) == {0}


def test_snares_are_not_learnt_from_music() -> None:
    music = long_piece(60, 5)
    drum = np.full_like(music.drum, DRUMS.index(CLOSED_HAT))
    drum[::3] = DRUMS.index(SNARE)
    (piece,) = cut(replace(music, drum=drum), SETTINGS)
    snares = piece.drum == DRUMS.index(SNARE)
    assert len(piece.drum) == 65
    assert set(piece.share[snares].ravel()) == {0.0}
    np.testing.assert_array_equal(piece.share[~snares], music.share[: len(drum)][~snares])


def test_what_is_no_music_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no music that was heard"):
        read_pieces(tmp_path, SETTINGS)
    save_piece(long_piece(60, 5), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: has 96 bands, not 40"):
        read_pieces(tmp_path, FeatureSettings(bands=40))


def test_the_command_hears_a_folder_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "funk.ogg").write_bytes(FUNK.read_bytes())
    (folder / "broken.wav").write_text("no sound")
    command = [sys.executable, "-m", "drum2midi.training.heard", str(tmp_path / "out"), str(folder)]
    for _ in range(2):  # the second time it is there already
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "broken.wav" in result.stderr
        assert result.stdout == f"{tmp_path / 'out'}: 1 of 2 recordings\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["music-funk.ogg.npz"]


def test_two_recordings_of_one_name_are_told(tmp_path: Path) -> None:
    for name in ("a/music/title.ogg", "b/music/title.ogg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"title\.ogg, music-title\.ogg; give folders"):
        list_recordings([tmp_path / "a" / "music", tmp_path / "b" / "music"])
    assert [name for _, name in list_recordings([tmp_path / "a", tmp_path / "b"])] == [
        "a-music-title.ogg",
        "b-music-title.ogg",
    ]


def test_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    command = [sys.executable, "-m", "drum2midi.training.heard", str(tmp_path / "o"), str(missing)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == f"drum2midi: {missing}: no recordings\n"
