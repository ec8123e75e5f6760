"""How fast the stages are, as ratios to real time or to a library, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/speed.py [SONG]

Takes examples/groove.flac, repeated to four minutes, if no song is given. CPU
seconds are counted, not wall time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import librosa
import numpy as np
import soundfile
import soxr

from drum2midi.audio import read_audio
from drum2midi.beats import track_beats
from drum2midi.features import log_mel
from drum2midi.form import section_letters
from drum2midi.harmony import SAMPLE_RATE, hear_harmony
from drum2midi.heeding import heed_recording
from drum2midi.model import load_model
from drum2midi.onsets import pick_hits
from drum2midi.pipeline import DOUBT
from drum2midi.quantise import quantise
from drum2midi.sheet import write_pages, write_sheet
from drum2midi.transcription import Transcription

SECONDS = 240
_T = TypeVar("_T")


def cpu_seconds(work: Callable[[], _T]) -> tuple[_T, float]:
    """The result of the second run of some work, and its CPU seconds."""
    work()
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def main() -> None:
    song = Path(sys.argv[1] if len(sys.argv) > 1 else "examples/groove.flac")
    model = load_model()
    rate = model.features.sample_rate
    once = read_audio(song, sample_rate=rate).samples
    samples = np.resize(once, SECONDS * rate)
    features, mel = cpu_seconds(lambda: log_mel([samples], model.features))
    activations, network = cpu_seconds(lambda: model.activations(features))
    heeded, heeding = cpu_seconds(lambda: heed_recording(activations, features, model.picking))
    hits, onsets = cpu_seconds(lambda: pick_hits(heeded, model.picking))
    doubted = pick_hits(heeded, model.picking, sensitivity=0.5 + DOUBT)
    band = soxr.resample(samples, rate, SAMPLE_RATE)
    harmony, chords = cpu_seconds(lambda: hear_harmony([band]))
    grid, beats = cpu_seconds(
        lambda: track_beats(hits, duration=SECONDS, doubted=doubted, harmony=harmony)
    )
    (notes, swing), places = cpu_seconds(lambda: quantise(hits, grid))
    whole = Transcription(hits, grid, notes, SECONDS, title="four minutes", swing=swing)
    with tempfile.TemporaryDirectory() as folder:
        _, sheet = cpu_seconds(lambda: write_sheet(whole, Path(folder) / "sheet.musicxml"))
        _, pages = cpu_seconds(lambda: write_pages(whole, Path(folder) / "sheet.pdf"))
    _, letters = cpu_seconds(lambda: section_letters(whole))
    _, theirs = cpu_seconds(
        lambda: librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=2048, hop_length=441, n_mels=96
        )
    )
    print(f"features            {SECONDS / mel:7.0f} x real time")
    print(f"librosa's mel       {theirs / mel:7.1f} x the time of ours")
    print(f"network             {SECONDS / network:7.0f} x real time")
    print(f"features + network  {SECONDS / (mel + network):7.0f} x real time")
    print(f"heeding             {SECONDS / heeding:7.0f} x real time")
    print(f"onsets              {SECONDS / onsets:7.0f} x real time")
    print(f"harmony             {SECONDS / chords:7.0f} x real time ({chords:.2f} s)")
    print(f"grid                {SECONDS / (beats + places):7.0f} x real time ({beats:.2f} s)")
    print(f"sheet               {SECONDS / sheet:7.0f} x real time ({sheet:.2f} s)")
    print(f"pages               {SECONDS / pages:7.0f} x real time ({pages:.2f} s)")
    print(f"rehearsal letters   {SECONDS / letters:7.0f} x real time ({letters:.2f} s)")
    fresh_process(samples, rate)


def fresh_process(samples: np.ndarray, rate: int) -> None:
    """A .mid and a sheet of four minutes, from the start of the program."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "song.wav"
        soundfile.write(song, samples, rate)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "drum2midi", song, "-q"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"fresh process       {SECONDS / spent:7.0f} x real time ({spent:.1f} CPU s)")


if __name__ == "__main__":
    main()
