"""Slices: hits found and cut, the same bytes each time, everything or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, place, thump
from typer.testing import CliRunner

from drum2midi.cli import app, main
from drum2midi.drums import DRUMS
from drum2midi.errors import InputError
from drum2midi.workshop.slices import read_slices
from drum2midi.workshop.slicing import SliceSettings, cut, open_slices, slice_song

TRUE = [0.25 + i / 2 for i in range(16)]


@pytest.mark.parametrize("onsets", ["model", "librosa"])
def test_every_hit_is_found_and_cut(beat_wav: Path, tmp_path: Path, onsets: str) -> None:
    folder = tmp_path / "slices"
    made = slice_song(
        beat_wav, folder, settings=SliceSettings(onsets=onsets, length=0.3, preroll=0.02)
    )
    found = np.array([one.onset for one in made.slices])
    np.testing.assert_allclose(found, TRUE, atol=0.012)
    song, _ = soundfile.read(beat_wav)
    for one in made.slices:
        clip, rate = soundfile.read(one.clip)
        assert (rate, len(clip)) == (RATE, 13230)
        start = round((one.onset - 0.02) * RATE)
        np.testing.assert_allclose(clip, song[start : start + 13230], atol=1e-4)
        suggested = {guess.drum.scoring for guess in one.predictions}
        assert suggested >= {"KD" if round(2 * (one.onset - 0.25)) % 2 == 0 else "SD"}
        for guess in one.predictions:
            assert guess.activation == one.activations[DRUMS.index(guess.drum)] > 0.1
    assert read_slices(folder) == made


def test_clips_are_padded_where_the_song_has_not_begun_or_has_ended(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.5 * place(thump(), [0.02, 0.9], 1.0), RATE)
    made = slice_song(song, tmp_path / "s", settings=SliceSettings(preroll=0.1, length=0.5))
    first, last = (soundfile.read(made.slices[i].clip)[0] for i in (0, -1))
    assert len(first) == len(last) == 22050
    before = round((0.1 - made.slices[0].onset) * RATE)
    assert before > 2000
    assert not first[: before - 5].any()
    assert first[before : before + 3000].any()
    after = round((1.0 - made.slices[-1].onset + 0.1) * RATE)
    assert last[:after].any()
    assert not last[after + 5 :].any()


@pytest.mark.parametrize("block", [1, 7, 100])
def test_cutting_does_not_depend_on_the_blocks(block: int) -> None:
    samples = np.arange(1.0, 51.0, dtype=np.float32)
    blocks = [samples[i : i + block] for i in range(0, 50, block)]
    clips = list(cut(blocks, [-3, 0, 4, 4, 30, 47, 60], 6))
    assert [clip.tolist() for clip in clips] == [
        [0, 0, 0, 1, 2, 3],
        [1, 2, 3, 4, 5, 6],
        [5, 6, 7, 8, 9, 10],
        [5, 6, 7, 8, 9, 10],
        [31, 32, 33, 34, 35, 36],
        [48, 49, 50, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_the_same_song_gives_the_same_bytes(beat_wav: Path, tmp_path: Path) -> None:
    def contents(name: str) -> dict[str, bytes]:
        folder = tmp_path / name
        slice_song(beat_wav, folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    one = contents("one")
    assert one == contents("two")
    assert list(one) == [*(f"clips/{i:04d}.wav" for i in range(1, 17)), "slices.json"]
    assert b"label" not in one["slices.json"]


def test_a_lower_delta_finds_quieter_strokes(tmp_path: Path) -> None:
    loud, quiet = [0.3, 1.3, 2.3], [0.8, 1.8, 2.8]
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.5 * place(thump(), loud, 4) + 0.01 * place(thump(), quiet, 4), RATE)
    counts = [
        len(
            slice_song(
                song, tmp_path / str(delta), settings=SliceSettings(onsets="librosa", delta=delta)
            ).slices
        )
        for delta in (0.5, 0.07, 0.005)
    ]
    assert counts[0] < counts[1] <= counts[2]
    assert counts[2] >= 6


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"onsets": "ear"}, "onsets 'ear': choose model or librosa"),
        ({"length": 0.0}, "length 0.0 is not between"),
        ({"length": float("nan")}, "length nan is not between"),
        ({"preroll": 0.3}, "preroll 0.3 is not between"),
        ({"delta": 2.0}, "delta 2.0 is not between"),
        ({"sensitivity": 3.0}, "sensitivity 3.0 is not between 0 and 1"),
    ],
)
def test_settings_out_of_range_are_said(settings: dict, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SliceSettings(**settings)


def test_a_failure_leaves_nothing(
    beat_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    for onsets in ("model", "librosa"):
        with pytest.raises(InputError, match=r"silent\.wav: no hit to be heard"):
            slice_song(silent, tmp_path / "out", settings=SliceSettings(onsets=onsets))
    with pytest.raises(InputError, match="there is no folder"):
        slice_song(beat_wav, tmp_path / "no" / "out")
    with pytest.raises(InputError, match="sensitivity 3 is not between"):
        slice_song(beat_wav, tmp_path / "out", settings=SliceSettings(sensitivity=3))
    written = []

    def write(path: Path, *_: object, **__: object) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(path)

    monkeypatch.setattr(soundfile, "write", write)
    with pytest.raises(KeyboardInterrupt):
        slice_song(beat_wav, tmp_path / "out")
    assert len(written) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["silent.wav"]


def test_what_is_in_the_folder_is_not_touched(beat_wav: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match="there is something there already"):
        slice_song(beat_wav, tmp_path)
    assert (tmp_path / "kept.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d.update(format="x"), "line 1: not slices of drum2midi"),
        (lambda d: d.update(version=9), "line 1: made by another version"),
        (lambda d: d.update(audio="gone.wav"), "line 1: audio gone.wav is not there"),
        (lambda d: d.pop("length"), r"line 1: not slices of drum2midi \('length'\)"),
        (lambda d: d["slices"].clear(), "has no slices in it"),
        (lambda d: d["slices"][2].update(clip="clips/no.wav"), "audio clips/no.wav is not there"),
        (lambda d: d["slices"][2].pop("onset"), r"not a slice \('onset'\)"),
        (lambda d: d["slices"].append(7), "not a slice"),
    ],
)
def test_a_damaged_folder_is_said(
    beat_wav: Path, tmp_path: Path, change: object, reason: str
) -> None:
    folder = tmp_path / "slices"
    slice_song(beat_wav, folder)
    document = json.loads((folder / "slices.json").read_text())
    change(document)
    (folder / "slices.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=reason):
        read_slices(folder)


def test_the_command_slices(beat_wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "hits"
    result = CliRunner().invoke(app, ["slice", str(beat_wav), "-o", str(folder)])
    assert (result.exit_code, result.output) == (0, f"{folder}: 16 hits\n")
    assert len(read_slices(folder).slices) == 16
    with pytest.raises(SystemExit):
        main(["slice", str(beat_wav), "-o", str(folder)])
    assert capsys.readouterr().err == (
        f"drum2midi: cannot write {folder}: there is something there already\n"
    )


def test_a_link_is_no_new_folder(beat_wav: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(InputError, match=r"cannot write .*link: it is a link; give a new folder"):
        slice_song(beat_wav, tmp_path / "link")


def test_a_delta_without_librosa_is_said(beat_wav: Path, tmp_path: Path) -> None:
    told = ["slice", str(beat_wav), "-o", str(tmp_path / "hits"), "--delta", "0.02"]
    with pytest.raises(InputError, match="--delta goes with --onsets librosa"):
        CliRunner().invoke(app, told, catch_exceptions=False)


def test_a_song_is_sliced_beside_itself_once(
    beat_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = tmp_path / "song.wav"
    song.write_bytes(beat_wav.read_bytes())
    folder, made = open_slices(song)
    assert folder == tmp_path / "song-slices"
    assert sorted(path.name for path in folder.iterdir()) == ["clips", "slices.json"]
    monkeypatch.setattr("drum2midi.workshop.slicing.slice_song", None)
    assert open_slices(song) == open_slices(folder) == (folder, made)
    song.rename(tmp_path / "first.wav")
    (tmp_path / "song.flac").write_bytes(b"another")
    with pytest.raises(InputError, match=r"line 1: audio \.\./song\.wav is not there"):
        open_slices(tmp_path / "song.flac")
    (tmp_path / "first.wav").rename(song)
    with pytest.raises(InputError, match=r"slices of .*song\.wav, not of .*song\.flac"):
        open_slices(tmp_path / "song.flac")
    with pytest.raises(InputError, match="not a folder that drum2midi slice wrote"):
        open_slices(tmp_path)


def test_librosa_that_cannot_start_is_told(
    beat_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where numba has nowhere to write: another user's machine, a service."""
    onset = pytest.importorskip("librosa").onset

    def detect(**_: object) -> None:
        raise RuntimeError("cannot cache function '__o_fold': no locator available")

    monkeypatch.setattr(onset, "onset_detect", detect)
    with pytest.raises(
        InputError, match=r"librosa cannot start \(.*NUMBA_CACHE_DIR names a folder"
    ):
        slice_song(beat_wav, tmp_path / "out", settings=SliceSettings(onsets="librosa"))
