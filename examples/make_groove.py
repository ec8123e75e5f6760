"""Make examples/groove.flac and funk.ogg: grooves written here, played by FluidSynth.

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

STEPS = 4  # sixteenths a beat
KEYS = {"C": 49, "R": 51, "B": 53, "o": 46, "x": 42, "s": 38, "g": 38, "r": 37,
        "H": 50, "M": 47, "F": 43, "k": 36, "f": 38, "z": 38, "p": 44}  # fmt: skip
LOUD = {"g": 34, "x": 74, "o": 88, "R": 80, "B": 92, "C": 112, "k": 102, "s": 108,
        "r": 92, "H": 104, "M": 104, "F": 108, "f": 112, "z": 70, "p": 78}  # fmt: skip
FLAM = 0.032  # seconds from the grace stroke of an "f" to the stroke; a "z" is two 32nds

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
ROCK = [CRASH, GROOVE, GROOVE, FILL, RIDE_CRASH, RIDE, RIDE, TOMS,
        STICK_CRASH, STICK, STICK, DOWN, END]  # fmt: skip

FUNKY = ["x-x-x-x-x-x-x-x-", "----s--g-g-gs--g", "k-k---k---k-----"]
OPEN = ["x-x-x-x-x-x-x-o-", *FUNKY[1:]]
HIT = ["C-x-x-x-x-x-x-x-", *FUNKY[1:]]
FLAMS = ["x-x-x-x---------", "----s--gf---f---", "k-k-------k---k-"]
LATIN = ["B-R-B-R-B-R-B-R-", "----r--r------r-", "k-----k-k-----k-", "----p-------p---"]
LATIN_HIT = ["C-R-B-R-B-R-B-R-", *LATIN[1:]]
ROLL = ["----------------", "zzzzzzzzzzzzf---", "k---k---k---k---"]
FUNK = [HIT, OPEN, FUNKY, FLAMS, LATIN_HIT, LATIN, LATIN, ROLL, HIT, OPEN, FUNKY, FLAMS, END]

SONGS = {"groove.flac": (104, ROCK), "funk.ogg": (92, FUNK)}


def strokes_of(bars: list[list[str]]) -> list[tuple[float, int, int, float]]:
    """Beat, note, velocity and seconds too early of every stroke."""
    strokes = []
    for bar, lines in enumerate(bars):
        for line in lines:
            for step, mark in enumerate(line):
                beat = bar * 4 + step / STEPS
                if mark == "f":
                    strokes.append((beat, KEYS[mark], LOUD["g"] + 14, FLAM))
                if mark != "-":
                    strokes.append((beat, KEYS[mark], LOUD[mark], 0.0))
                if mark == "z":
                    strokes.append((beat + 0.5 / STEPS, KEYS[mark], LOUD[mark], 0.0))
    return strokes


def play(name: str, bpm: float, bars: list[list[str]], soundfont: str) -> None:
    """Write a groove's recording."""
    rng = np.random.default_rng(7)
    events = []
    for beat, key, velocity, early in strokes_of(bars):
        at = 0.5 + beat * 60 / bpm - early + rng.normal(0, 0.004)
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
    mono = audio.mean(axis=1)[: round((0.5 + (4 * len(bars)) * 60 / bpm) * rate)]
    soundfile.write(Path(__file__).with_name(name), 0.8 * mono / abs(mono).max(), rate)


def main(soundfont: str) -> None:
    for name, (bpm, bars) in SONGS.items():
        play(name, bpm, bars, soundfont)


if __name__ == "__main__":
    main(sys.argv[1])
