"""That the stages are joined as they should be: each is tested by itself elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from drum2midi import pipeline
from drum2midi.audio import read_audio
from drum2midi.harmony import SAMPLE_RATE, hear_harmony
from drum2midi.transcription import Grid

GROOVE = Path(__file__).parents[1] / "examples" / "groove.flac"


@pytest.mark.parametrize(("start", "end"), [(0.0, None), (2.0, 6.0)])
def test_bars_are_found_with_the_harmony_of_the_passage(
    start: float, end: float | None, beat_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drums, rate = soundfile.read(beat_wav)
    drums = np.tile(drums, -(-8 * rate // len(drums)))[: 8 * rate]
    time = np.arange(len(drums)) / rate
    # Another note every second, so that every passage sounds different.
    tone = 0.1 * np.sin(2 * np.pi * 220 * 2 ** (np.floor(time) * 5 % 12 / 12) * time)
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.8 * drums + tone, rate)
    heard: dict[str, Any] = {}

    def track_beats(*args: Any, **options: Any) -> Grid:
        heard.update(options)
        return original(*args, **options)

    original = pipeline.track_beats
    monkeypatch.setattr(pipeline, "track_beats", track_beats)
    pipeline.transcribe(song, start=start, end=end)
    passage = read_audio(song, sample_rate=SAMPLE_RATE, start=start, end=end)
    expected = hear_harmony([passage.samples])
    np.testing.assert_allclose(heard["harmony"].frames, expected.frames, atol=1e-3)


def test_a_stroke_where_passages_meet_is_in_one_of_them(beat_wav: Path) -> None:
    whole = pipeline.transcribe(beat_wav).hits
    for cut in (whole[6].onset, whole[6].onset + 0.004, round(whole[9].onset, 2)):
        before = pipeline.transcribe(beat_wav, end=cut).hits
        after = pipeline.transcribe(beat_wav, start=cut).hits
        onsets = [hit.onset for hit in before] + [cut + hit.onset for hit in after]
        assert onsets == pytest.approx([hit.onset for hit in whole], abs=0.012)


def test_the_grid_is_told_of_doubtful_strokes_that_are_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, Any] = {}

    def track_beats(hits: Any, **options: Any) -> Grid:
        told.update(options, hits=hits)
        return original(hits, **options)

    original = pipeline.track_beats
    monkeypatch.setattr(pipeline, "track_beats", track_beats)
    written = pipeline.transcribe(GROOVE, sensitivity=0.5).hits
    assert told["hits"] == written
    doubted = told["doubted"]
    assert len(doubted) > len(written)
    assert doubted == pipeline.transcribe(GROOVE, sensitivity=0.5 + pipeline.DOUBT).hits
    # Nothing is more sensitive than what hears everything.
    assert pipeline.transcribe(GROOVE, sensitivity=1.0).hits == told["doubted"]
