"""Data sets: splits, balance, augmentation, and the same bytes for the same seed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import RATE, crack, place, thump

from drum2midi.cli import main
from drum2midi.drums import CRASH, KICK, SNARE
from drum2midi.errors import InputError
from drum2midi.workshop import building
from drum2midi.workshop.augment import augment
from drum2midi.workshop.building import BuildSettings, build_dataset
from drum2midi.workshop.dataset import class_counts, read_dataset
from drum2midi.workshop.material import Recording, Stroke, items_of
from drum2midi.workshop.splits import SPLITS, copies, split_songs

PLAIN = BuildSettings(augmented=0, shares=(50, 25, 25))


def write_song(folder: Path, name: str, *, kicks: int = 4, snares: int = 4) -> Path:
    """A song and its labels, a kick and a snare in turn every quarter of a second."""
    folder.mkdir(parents=True, exist_ok=True)
    onsets = [0.3 + 0.25 * i for i in range(kicks + snares)]
    times = {"kick": onsets[:kicks], "snare": onsets[kicks:]}
    seconds = onsets[-1] + 0.5
    audio = place(thump(), times["kick"], seconds) + place(crack(), times["snare"], seconds)
    level = 0.3 + 0.001 * (zlib.crc32(name.encode()) % 100)  # no two songs are copies
    soundfile.write(folder / f"{name}.flac", level * audio, RATE)
    rows = [
        json.dumps({"time": time, "drums": [drum], "velocity": 100})
        for drum, some in times.items()
        for time in some
    ]
    text = f'{{"format": "drum2midi-labels", "version": 1, "audio": "{name}.flac", "labels": [\n'
    path = folder / f"{name}.json"
    path.write_text(text + ",\n".join(rows) + "\n]}\n")
    return path


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for index in range(8):
        write_song(folder, f"song{index}", kicks=2 + index % 3, snares=2)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_split_gets_its_share_of_every_class() -> None:
    rng = np.random.default_rng(0)
    counts = {f"song{i}": rng.poisson([40, 30, 5, 1]) for i in range(40)}
    splits = split_songs(counts, (0.7, 0.15, 0.15), seed=3)
    assert splits == split_songs(counts, (0.7, 0.15, 0.15), seed=3)
    total = np.sum(list(counts.values()), axis=0)
    for split, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
        own = np.sum([counts[song] for song, where in splits.items() if where == split], axis=0)
        np.testing.assert_allclose(own / total, share, atol=0.06)


def test_a_class_of_one_song_is_for_training() -> None:
    counts = {f"song{i}": np.array([10, 5 * (i == 4)]) for i in range(6)}
    for seed in range(5):
        assert split_songs(counts, (0.5, 0.25, 0.25), seed=seed)["song4"] == "train"


def test_too_few_songs_are_said() -> None:
    counts = {"one": np.array([3]), "two": np.array([3])}
    with pytest.raises(InputError, match="2 songs cannot be shared out between train and valid"):
        split_songs(counts, (0.8, 0.1, 0.1), seed=0)
    assert sorted(split_songs(counts, (0.5, 0, 0.5), seed=0).values()) == ["test", "train"]


def test_upsampling_repeats_the_rare() -> None:
    counts = np.array([[1, 0, 0]] * 12 + [[0, 1, 0]] * 3 + [[0, 0, 1]] * 4)
    taken = copies(counts)
    assert taken[:12].tolist() == [1] * 12
    assert (taken[:, None] * counts).sum(axis=0).min() >= 0.95 * 12
    assert taken[12:15].tolist() == [4, 4, 4]  # evenly, not one of them often
    stuck = copies(np.array([[10, 1], [10, 0]]))  # what would add more of the common class
    assert stuck.tolist() == [1, 1]


def test_a_data_set_is_whole_and_songs_are_not_divided(songs: Path, tmp_path: Path) -> None:
    dataset = build_dataset([songs], tmp_path / "data", settings=PLAIN)
    assert len(dataset.entries) == 8
    assert [len(dataset.of(split)) for split in SPLITS] == [4, 2, 2]
    assert len({entry.song for entry in dataset.entries}) == 8
    entry = dataset.entries[0]
    samples, rate = soundfile.read(entry.audio)
    assert rate == RATE
    assert len(samples) / RATE == pytest.approx(entry.seconds, abs=1e-4)
    assert {stroke.velocity for stroke in entry.strokes} == {100}
    assert class_counts(entry.strokes, "six").tolist()[2] >= 2
    for split in SPLITS:
        assert (
            class_counts([s for e in dataset.of(split) for s in e.strokes], "six").tolist().count(0)
            == 4
        )


def test_the_same_seed_gives_the_same_bytes(songs: Path, tmp_path: Path) -> None:
    pytest.importorskip("audiomentations", reason="needs drum2midi[dataset]")
    settings = BuildSettings(shares=(50, 25, 25), augmented=1, balance=True, seed=4)
    one = build_dataset([songs], tmp_path / "one", settings=settings)
    two = build_dataset([songs], tmp_path / "two", settings=settings)
    assert digests(one.folder) == digests(two.folder)
    assert one.digest == two.digest
    other = build_dataset(
        [songs], tmp_path / "other", settings=BuildSettings(shares=(50, 25, 25), seed=5)
    )
    assert digests(other.folder) != digests(one.folder)


def test_only_train_is_augmented(songs: Path, tmp_path: Path) -> None:
    pytest.importorskip("audiomentations", reason="needs drum2midi[dataset]")
    settings = BuildSettings(shares=(50, 25, 25), augmented=2)
    dataset = build_dataset([songs], tmp_path / "data", settings=settings)
    assert [entry.variant for entry in dataset.of("train")] == [0, 1, 2] * 4
    assert {e.variant for split in SPLITS[1:] for e in dataset.of(split)} == {0}
    plain, variant = dataset.of("train")[:2]
    assert plain.song == variant.song
    assert plain.audio.read_bytes() != variant.audio.read_bytes()
    items, scheme = items_of(dataset.folder, "all")
    assert (len(items), scheme) == (8, "drums")  # variants are not scored


def test_labels_go_with_what_augmentation_does() -> None:
    pytest.importorskip("audiomentations", reason="needs drum2midi[dataset]")
    onsets = [0.5 + 0.5 * i for i in range(14)]
    audio = 0.5 * place(crack(), onsets, 8.0)
    strokes = [Stroke(onset, (SNARE,), 90) for onset in onsets]
    moved, lost = 0, 0
    for seed in range(25):
        samples, kept = augment(audio, strokes, rate=RATE, seed=seed)
        assert len(samples) == len(audio)
        assert np.abs(samples).max() <= 1.0
        assert [s.onset for s in kept] == sorted(s.onset for s in kept)
        moved += bool(kept) and kept[0].onset not in onsets
        lost += len(kept) < len(strokes)
        for stroke in kept:
            at = round(stroke.onset * RATE)
            if at < 1500 or at > len(samples) - 3000:
                continue  # a shift may cut a stroke at the seam in two
            before = np.abs(samples[at - 1200 : at - 300]).mean()
            after = np.abs(samples[at : at + 900]).mean()
            assert after > 2.0 * before
    assert moved > 5
    assert lost > 3
    again, _ = augment(audio, strokes, rate=RATE, seed=24)
    np.testing.assert_array_equal(again, samples)


def test_no_label_comes_round_from_behind_the_end() -> None:
    audio = np.random.default_rng(0).normal(0.0, 0.1, 4 * RATE).astype(np.float32)
    strokes = (Stroke(1.0, (KICK,)), Stroke(4.05, (SNARE,)))
    moved = [augment(audio, strokes, rate=RATE, seed=seed)[1] for seed in range(40)]
    assert {stroke.sound for kept in moved for stroke in kept if stroke.onset < 0.5} <= {(KICK,)}
    assert all(len(kept) <= 2 for kept in moved)


def test_copies_of_a_song_are_of_one_split(songs: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for index in range(4):
        for name in (f"song{index}", f"copy of song{index}"):
            (both / f"{name}.flac").write_bytes((songs / f"song{index}.flac").read_bytes())
            text = (songs / f"song{index}.json").read_text()
            (both / f"{name}.json").write_text(text.replace(f"song{index}.flac", f"{name}.flac"))
    dataset = build_dataset([both], tmp_path / "data", settings=PLAIN)
    assert len(dataset.entries) == 8
    where: dict[int, set[str]] = {}
    for entry in dataset.entries:
        where.setdefault(entry.song, set()).add(entry.split)
    assert sorted(map(len, where.values())) == [1, 1, 1, 1]


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "the other way round"])
def test_songs_that_share_copies_with_a_third_are_one(tmp_path: Path, turned: bool) -> None:
    def recording(song: str, content: str, split: str | None = None) -> Recording:
        path = tmp_path / f"{song}-{content}.wav"
        path.write_text(content)
        return Recording(path.stem, path, (), song, path, "", "", split)

    held = ("a kick", "b snare", "c hat", "b hat", "a snare", "d ride")
    mine = [recording(*one.split()) for one in held]
    published = recording("p", "hat", "test")
    found = [*mine, published][:: -1 if turned else 1]
    songs = {r.song for r in building._with_copies_together(found)}
    assert songs == {"p", "d"}
    alone = {r.song for r in building._with_copies_together(mine[:: -1 if turned else 1])}
    assert len(alone) == 2
    assert "d" in alone


def test_a_song_of_ones_own_beside_published_ones_is_for_training(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = building.read_sources

    def published(sources: Sequence[Path]) -> list[Recording]:
        found = real(sources)
        splits = ("train", "validation", "test", None)
        return [replace(r, split=splits[min(i, 3)]) for i, r in enumerate(found[:4])]

    monkeypatch.setattr(building, "read_sources", published)
    dataset = build_dataset([songs], tmp_path / "data", settings=PLAIN)
    assert [entry.split for entry in dataset.entries] == ["train", "train", "validation", "test"]


def test_a_clip_of_nothing_is_kept_as_such(tmp_path: Path) -> None:
    for name, onset in (("a", 0.1), ("b", 0.1), ("c", 0.1), ("none", 5.0)):
        soundfile.write(tmp_path / f"{name}.wav", 0.4 * place(thump(), [onset], 0.5), RATE)
    rows = [[f"{name}.wav", "kick"] for name in "abc"] + [["none.wav", []]]
    (tmp_path / "clips.json").write_text(json.dumps(rows))
    settings = BuildSettings(augmented=0, shares=(50, 50, 0))
    dataset = build_dataset([tmp_path / "clips.json"], tmp_path / "data", settings=settings)
    assert sorted(len(entry.strokes) for entry in dataset.entries) == [0, 1, 1, 1]
    (tmp_path / "clips.json").write_text(json.dumps(rows[3:]))
    with pytest.raises(InputError, match=r"clips\.json: no labelled stroke"):
        build_dataset([tmp_path / "clips.json"], tmp_path / "none", settings=settings)
    (tmp_path / "index.csv").write_text("file,piece,kit\na.wav,clap,k\n")
    with pytest.raises(InputError, match=f"{tmp_path.name}: no labelled stroke"):
        build_dataset([tmp_path], tmp_path / "none", settings=settings)


def test_a_clip_keeps_its_only_hit() -> None:
    pytest.importorskip("audiomentations", reason="needs drum2midi[dataset]")
    clip = 0.5 * place(thump(), [0.01], 0.3)
    state = np.random.get_state()[1].copy()  # type: ignore[union-attr]  # noqa: NPY002
    for seed in range(40):
        _, kept = augment(clip, [Stroke(0.01, (KICK,))], rate=RATE, seed=seed)
        assert len(kept) == 1
        assert 0.01 <= kept[0].onset <= 0.07
    # Nobody else's dice are thrown.
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_labels_that_leave_the_drum_open_survive_the_disk(tmp_path: Path) -> None:
    for folder in ("hi-hat", "kick", "tom high or tom mid"):
        for index in range(4):
            path = tmp_path / "clips" / folder / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            level = 0.3 + 0.01 * index + 0.1 * (folder == "kick") - 0.1 * (folder == "hi-hat")
            soundfile.write(path, level * place(thump(), [0.01], 0.2), RATE)
    settings = BuildSettings(augmented=0, classes="six", shares=(50, 25, 25))
    dataset = build_dataset([tmp_path / "clips"], tmp_path / "data", settings=settings)
    assert sorted({len(e.strokes[0].sound) for e in dataset.entries}) == [1, 2, 3]
    for split, each in zip(SPLITS, (2, 1, 1), strict=True):
        counts = class_counts([s for e in dataset.of(split) for s in e.strokes], "six")
        assert counts.tolist() == [0, each, each, 0, 0, each]


def test_errors_name_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(3):
        write_song(tmp_path / "songs", f"song{index}")
    labels = tmp_path / "songs" / "song1.json"
    good = labels.read_text()
    out = tmp_path / "data"

    def expect(message: str, text: str) -> None:
        labels.write_text(text)
        with pytest.raises(InputError, match=message):
            build_dataset([tmp_path / "songs"], out, settings=PLAIN)
        labels.write_text(good)
        assert [path.name for path in tmp_path.iterdir()] == ["songs"]

    lines = good.splitlines()
    crash = [*lines[:2], lines[2].replace("kick", "crash"), *lines[3:]]
    expect(r"song1\.json, line 3: the only example of the class crash", "\n".join(crash))
    expect(r"song1\.json, line 2: .*time", good.replace('"time": 0.3,', '"time": "early",', 1))
    expect(r"song1\.json, line 1: audio nowhere\.flac", good.replace("song1.flac", "nowhere.flac"))
    expect(r"song1\.json, line \d+: not JSON", good[:-10])
    expect(r"song1\.json: no labelled stroke", f"{lines[0]}\n]}}")
    expect(r"song1\.json: song0\.flac has labels already, in .*song0\.json",
           good.replace("song1.flac", "song0.flac"))  # fmt: skip
    out.mkdir()
    (out / "mine.txt").write_text("")
    with pytest.raises(InputError, match="there is something there already"):
        build_dataset([tmp_path / "songs"], out, settings=PLAIN)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="it is the current folder"):
        build_dataset([tmp_path / "songs"], Path(), settings=PLAIN)
    with pytest.raises(InputError, match="three shares, of train"):
        BuildSettings(shares=(1e308, 1e308, 1.0))
    with pytest.raises(InputError, match="three shares, of train"):
        BuildSettings(shares=(0, 1, 1))
    with pytest.raises(InputError, match="three shares, of train"):
        BuildSettings(shares=(0.8, float("nan"), 0.1))


def test_a_recording_is_labelled_once_for_scoring_too(tmp_path: Path) -> None:
    labels = write_song(tmp_path, "song")
    (tmp_path / "song-again.json").write_bytes(labels.read_bytes())
    with pytest.raises(InputError, match=r"song\.json: song\.flac has labels already, in .*again"):
        items_of(tmp_path, None)


def test_a_data_set_that_was_changed_is_refused(songs: Path, tmp_path: Path) -> None:
    folder = build_dataset([songs], tmp_path / "data", settings=PLAIN).folder
    manifest = folder / "manifest.json"
    good = manifest.read_text()
    labels = folder / "labels" / "00002.txt"
    text = labels.read_text()
    labels.write_text(text.replace("kick", "ride"))
    with pytest.raises(InputError, match=r"manifest\.json, line 3: labels/00002\.txt has changed"):
        read_dataset(folder)
    labels.write_text(text)
    (folder / "audio" / "00003.flac").rename(folder / "audio" / "3.flac")
    with pytest.raises(InputError, match=r"line 4: audio/00003\.flac is not there"):
        read_dataset(folder)
    (folder / "audio" / "3.flac").rename(folder / "audio" / "00003.flac")
    for was, becomes, message in (
        ('"split": "train"', '"split": "exam"', "line 2: split 'exam' is not one of"),
        ('"audio_sha256"', '"sha"', "line 2: not a recording of a data set"),
        ('"variant": 0', '"variant": "none"', "line 2: not a recording of a data set"),
        ('"version": 1,', "", r'manifest\.json, line 1: has no "version"'),
    ):
        manifest.write_text(good.replace(was, becomes, 1))
        with pytest.raises(InputError, match=message):
            read_dataset(folder)
    with pytest.raises(InputError, match=r"not a data set: no manifest\.json"):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match="split 'exam' is not one of"):
        items_of(folder, "exam")


def test_the_command_says_what_it_made(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "data")
    main_of("dataset", "build", str(songs), "-o", target, "--augment", "0", "--split", "2,1,1")
    said = capsys.readouterr().out
    assert "train: 4 songs, 4 recordings" in said
    main_of("dataset", "show", target)
    assert capsys.readouterr().out == said
    for arguments, message in (
        (["dataset", "make", target], "say build or show"),
        (["dataset", "show", target, "--split", "80,10,10"], "--split goes with build"),
        (["dataset", "show", target, "-o", f"{target}2"], "--output goes with build"),
        (["dataset", "build", target], "say with -o where"),
        (["dataset", "build", target, "-o", f"{target}2", "--augment", "0", "--split", "80"],
         "three numbers such as 80,10,10"),
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            main(arguments)
        assert message in capsys.readouterr().err


def main_of(*arguments: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert stopped.value.code in (0, None)


def test_a_crash_that_few_songs_have_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(3):
        path = write_song(tmp_path / "songs", f"song{index}")
        if index == 1:
            lines = path.read_text().splitlines()
            for number in (2, 3):
                lines[number] = lines[number].replace("kick", CRASH.name)
            path.write_text("\n".join(lines))
    dataset = build_dataset([tmp_path / "songs"], tmp_path / "data", settings=PLAIN)
    assert "too few songs have crash: none in validation" in caplog.text
    counts = class_counts([s for e in dataset.of("train") for s in e.strokes], "six")
    assert counts.tolist()[0] == 2
