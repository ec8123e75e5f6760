"""Make songs to learn from: the bars of make_groove.py in other orders, on another kit.

    python examples/make_songs.py /usr/share/sounds/sf2/FluidR3_GM.sf2 -o songs

Writes ``song1.flac``, and what is played in it as ``song1.mid`` beside it, and so on.
Needs the program fluidsynth and a General MIDI soundfont, as make_groove.py does.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import mido
import numpy as np
from make_groove import END, FUNK, ROCK, strokes_of


def main(soundfont: str, folder: Path, songs: int, kit: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bars = [*ROCK[:-1], *FUNK[:-1]]
    for number in range(1, songs + 1):
        rng = np.random.default_rng(number)
        order = [bars[i] for i in rng.permutation(len(bars))]
        score = folder / f"song{number}.mid"
        write_score(score, [*order, END], float(rng.integers(84, 132)), kit, rng)
        subprocess.run(
            ["fluidsynth", "-ni", "-g", "0.7", "-r", "44100", "-T", "flac",
             "-F", score.with_suffix(".flac"), soundfont, score],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def write_score(
    path: Path, bars: list[list[str]], bpm: float, kit: int, rng: np.random.Generator
) -> None:
    """The strokes a little late or early, and never equally loud."""
    events = []
    for beat, key, velocity, early in strokes_of(bars):
        at = 0.5 + beat * 60 / bpm - early + rng.normal(0, 0.004)
        loud = int(np.clip(velocity + rng.normal(0, 5), 1, 127))
        tick = round(960 * at)
        events += [(tick, "note_on", key, loud), (tick + 96, "note_off", key, 0)]
    track, now = mido.MidiTrack(), 0
    track.append(mido.Message("program_change", channel=9, program=kit))
    for tick, kind, key, velocity in sorted(events):
        track.append(mido.Message(kind, channel=9, note=key, velocity=velocity, time=tick - now))
        now = tick
    mido.MidiFile(tracks=[track]).save(path)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("soundfont")
    options.add_argument("-o", "--output", type=Path, default=Path("songs"))
    options.add_argument("--songs", type=int, default=8)
    options.add_argument("--kit", type=int, default=25, help="General MIDI program of the kit")
    given = options.parse_args()
    main(given.soundfont, given.output, given.songs, given.kit)
