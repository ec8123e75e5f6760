"""Make examples/groove.flac: a groove written here, played by FluidSynth.

    python examples/make_groove.py /usr/share/sounds/sf2/FluidR3_GM.sf2

Needs the program fluidsynth and a General MIDI soundfont (Debian: fluidsynth,
fluid-soundfont-gm). The strokes are a little late or early and never equally
loud, as a drummer's are.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile

BPM = 104
STEPS = 4  # sixteenths a beat
KEYS = {"C": 49, "R": 51, "B": 53, "o": 46, "x": 42, "s": 38, "g": 38, "r": 37,
        "H": 50, "M": 47, "F": 43, "k": 36}  # fmt: skip
LOUD = {"g": 34, "x": 74, "o": 88, "R": 80, "B": 92, "C": 112, "k": 102, "s": 108,
        "r": 92, "H": 104, "M": 104, "F": 108}  # fmt: skip

# Each bar: lines of sixteen sixteenths, one for each limb.
GROOVE = ["x-x-x-x-x-x-x-o-", "----s--g-g--s---", "k------kk-k-----"]
CRASH = ["C-x-x-x-x-x-x-o-", *GROOVE[1:]]
FILL = ["x-x-x-x-x-x-----", "----s-----s-HHMM", "k-------k-----k-"]
RIDE = ["R-R-R-R-R-R-B-R-", "----s--g-g--s---", "k-k-----k-k---k-"]
RIDE_CRASH = ["C-R-R-R-R-R-B-R-", *RIDE[1:]]
TOMS = ["R-R-R-R---------", "----s---s-ssHHMM", "k-------k---k---"]
DOWN = ["R-R-R-R---------", "----s---sgsgFFFF", "k-------k---k---"]
STICK = ["x-x-x-x-x-x-x-x-", "----r-------r---", "k------kk-------"]
STICK_CRASH = ["C-x-x-x-x-x-x-x-", *STICK[1:]]
END = ["C---------------", "----------------", "k---------------"]
SONG = [CRASH, GROOVE, GROOVE, FILL, RIDE_CRASH, RIDE, RIDE, TOMS,
        STICK_CRASH, STICK, STICK, DOWN, END]  # fmt: skip


def main(soundfont: str) -> None:
    rng = np.random.default_rng(7)
    strokes = [
        (bar * 4 + step / STEPS, KEYS[mark], LOUD[mark])
        for bar, lines in enumerate(SONG)
        for line in lines
        for step, mark in enumerate(line)
        if mark != "-"
    ]
    events = []
    for beat, key, velocity in strokes:
        at = 0.5 + beat * 60 / BPM + rng.normal(0, 0.004)
        loud = int(np.clip(velocity + rng.normal(0, 5), 1, 127))
        events += [(at, "note_on", key, loud), (at + 0.1, "note_off", key, 0)]
    track, now = mido.MidiTrack(), 0.0
    for at, kind, key, velocity in sorted(events):
        ticks = round(mido.second2tick(at - now, 480, 500000))
        track.append(mido.Message(kind, channel=9, note=key, velocity=velocity, time=ticks))
        now += mido.tick2second(ticks, 480, 500000)
    with tempfile.TemporaryDirectory() as folder:
        score, wave = Path(folder) / "groove.mid", Path(folder) / "groove.wav"
        mido.MidiFile(tracks=[track]).save(score)
        subprocess.run(
            ["fluidsynth", "-ni", "-g", "0.7", "-r", "44100", "-F", wave, soundfont, score],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        audio, rate = soundfile.read(wave)
    mono = audio.mean(axis=1)[: round((0.5 + (4 * len(SONG)) * 60 / BPM) * rate)]
    soundfile.write(Path(__file__).with_name("groove.flac"), 0.8 * mono / abs(mono).max(), rate)


if __name__ == "__main__":
    main(sys.argv[1])
