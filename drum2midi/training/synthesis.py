"""Synthesis: kits that nobody recorded, as a folder of one-shots.

    python -m drum2midi.training.synthesis OUT --kits 40 --seed 1

Recorded kits are few, and a network that has heard five hi-hats knows five hi-hats.
Here shells and plates are sums of decaying modes, wires and wash are noise in bands
that each decay on their own; all that sets one kit apart from another (tuning,
damping, size, beater, wires) is drawn at random, wider than makers build. Crashes and
rides are left to recordings: made this way they sound like open hats.
``OUT/index.csv`` has the columns that `drum2midi.training.oneshots` reads.

Modes of a clamped membrane: Fletcher and Rossing, *The Physics of Musical
Instruments*, 2nd ed., section 18.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import scipy.signal
import typer

from drum2midi.training.oneshots import write_index, write_oneshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Audio = NDArray[np.float32]

RATE: Final = 44100
ATTACK: Final = 0.001
"""Seconds before the attack, as in recorded one-shots."""

LAYERS_DB: Final = (0.0, -5.0, -11.0, -18.0, -26.0)
"""Levels of the velocity layers, below the loudest."""

_MEMBRANE: Final = (1.0, 1.59, 2.14, 2.30, 2.65, 2.92, 3.16, 3.50)
_BANDS: Final = 10
_LICENCE: Final = "CC0-1.0"


@dataclass(frozen=True)
class Sound:
    """What a struck thing is made of.

    Attributes
    ----------
    modes : float64, shape (modes, 3)
        Hertz, amplitude and seconds to fall to 1/e.
    glide : float
        How far above its pitch a stroke begins, as a share of it.
    settle : float
        Seconds in which the pitch comes down.
    noise : float64, shape (bands, 4)
        Centre in hertz, amplitude, seconds to rise and seconds to fall to 1/e.
    seconds : float
    softens : float
        How much duller a soft stroke is: decibels per octave above 500 Hz, for each 10 dB.
    """

    modes: NDArray[np.float64]
    noise: NDArray[np.float64]
    seconds: float
    glide: float = 0.0
    settle: float = 0.03
    softens: float = 1.0


def strike(sound: Sound, level_db: float, rng: np.random.Generator) -> Audio:
    """One stroke, `level_db` below the loudest; peak 1, float32.

    Two strokes of one level differ as two strokes of a drummer do.
    """
    time = np.arange(int(sound.seconds * RATE)) / RATE
    out = np.zeros(len(time))
    bent = time + sound.glide * sound.settle * (1.0 - np.exp(-time / sound.settle))
    for hertz, amplitude, fall in sound.modes:
        gain = amplitude * _dull(hertz, sound, level_db) * float(rng.lognormal(0.0, 0.2))
        length = min(len(time), int(7.0 * fall * RATE) + 1)
        phase = rng.uniform(-0.3, 0.3)
        wave = np.sin(2.0 * np.pi * hertz * bent[:length] + phase)
        out[:length] += gain * wave * np.exp(-time[:length] / fall)
    for centre, amplitude, rise, fall in sound.noise:
        gain = amplitude * _dull(centre, sound, level_db) * float(rng.lognormal(0.0, 0.1))
        length = min(len(time), int(7.0 * (rise + fall) * RATE) + 1)
        low, high = centre / 1.35, min(centre * 1.35, 0.49 * RATE)
        sections = scipy.signal.butter(1, (low, high), "band", fs=RATE, output="sos")
        hiss = scipy.signal.sosfilt(sections, rng.normal(size=length))
        swell = (1.0 - np.exp(-time[:length] / rise)) * np.exp(-time[:length] / fall)
        out[:length] += gain * hiss * swell
    ramp = min(len(out), int(0.0004 * RATE))
    out[:ramp] *= np.linspace(0.0, 1.0, ramp)
    tail = min(len(out), int(0.02 * RATE))
    out[-tail:] *= np.linspace(1.0, 0.0, tail)
    out = np.concatenate((np.zeros(int(ATTACK * RATE)), out))
    return np.asarray(out / max(1e-9, float(np.abs(out).max())), np.float32)


def _dull(hertz: float, sound: Sound, level_db: float) -> float:
    octaves = max(0.0, float(np.log2(hertz / 500.0)))
    return float(10.0 ** (sound.softens * octaves * level_db / 10.0 / 20.0))


def invent_kit(rng: np.random.Generator) -> dict[str, Sound]:
    """The sounds of one kit, by the index's name of the piece."""
    shell = float(np.exp(rng.uniform(np.log(55.0), np.log(120.0))))
    ringing = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    return {
        "kick": _kick(rng),
        "snare": _snare(rng),
        "side_stick": _side_stick(rng),
        "tom_low": _tom(shell, ringing, rng),
        "tom_mid": _tom(shell * rng.uniform(1.3, 1.7), 0.8 * ringing, rng),
        "tom_high": _tom(shell * rng.uniform(1.8, 2.5), 0.65 * ringing, rng),
        **_hats(rng),
    }


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _noise(
    rng: np.random.Generator,
    *,
    low: float,
    high: float,
    gain: float,
    rise: float,
    fall: float,
    tilt: float = 0.0,
) -> NDArray[np.float64]:
    """Bands from `low` to `high` hertz; `tilt` in decibels per octave, falls spread a little."""
    centres = np.exp(np.linspace(np.log(low), np.log(high), _BANDS)) * rng.lognormal(
        0, 0.05, _BANDS
    )
    octaves = np.log2(centres / centres.mean())
    gains = gain * 10.0 ** ((tilt * octaves + rng.normal(0.0, 3.0, _BANDS)) / 20.0)
    falls = fall * rng.lognormal(0.0, 0.25, _BANDS) * (centres / centres.mean()) ** -0.2
    return np.stack((np.minimum(centres, 16000.0), gains, np.full(_BANDS, rise), falls), axis=1)


def _modes(
    hertz: NDArray[np.float64], gains: NDArray[np.float64], falls: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows = np.stack((hertz, gains, falls), axis=1)
    return rows[(rows[:, 0] > 20.0) & (rows[:, 0] < 17000.0)]


def _kick(rng: np.random.Generator) -> Sound:
    fundamental, fall = _between(rng, 40.0, 85.0), _between(rng, 0.05, 0.35)
    ratios = np.array(_MEMBRANE[:5])
    click = _noise(
        rng,
        low=_between(rng, 700.0, 2500.0),
        high=_between(rng, 3500.0, 12000.0),
        gain=10.0 ** (rng.uniform(-34.0, -6.0) / 20.0),
        rise=0.0003,
        fall=_between(rng, 0.002, 0.015),
        tilt=rng.uniform(-6.0, 1.0),
    )
    gains = 0.5 ** np.arange(5) * rng.lognormal(0.0, 0.6, 5) * (np.arange(5) > 0) * 0.6
    gains[0] = 1.0
    falls = fall * np.array([1.0, 0.5, 0.35, 0.3, 0.25])
    return Sound(
        _modes(fundamental * ratios, gains, falls),
        click,
        seconds=min(1.2, 6.0 * fall),
        glide=_between(rng, 0.2, 5.0),
        settle=_between(rng, 0.006, 0.05),
    )


def _snare(rng: np.random.Generator) -> Sound:
    fundamental, fall = _between(rng, 140.0, 340.0), _between(rng, 0.03, 0.22)
    count = len(_MEMBRANE)
    gains = 0.7 ** np.arange(count) * rng.lognormal(0.0, 0.7, count)
    falls = fall * rng.lognormal(0.0, 0.4, count) * 0.85 ** np.arange(count)
    wires = _noise(
        rng,
        low=_between(rng, 350.0, 1500.0),
        high=_between(rng, 6000.0, 15000.0),
        gain=10.0 ** (rng.uniform(-16.0, 4.0) / 20.0),
        rise=_between(rng, 0.0004, 0.006),
        fall=_between(rng, 0.03, 0.22),
        tilt=rng.uniform(-5.0, 3.0),
    )
    return Sound(
        _modes(fundamental * np.array(_MEMBRANE) * rng.lognormal(0, 0.02, count), gains, falls),
        wires,
        seconds=0.9,
        glide=rng.uniform(0.0, 0.15),
        settle=0.02,
        softens=rng.uniform(0.3, 1.8),
    )


def _side_stick(rng: np.random.Generator) -> Sound:
    count = 6
    hertz = np.exp(rng.uniform(np.log(350.0), np.log(3500.0), count))
    falls = np.full(count, _between(rng, 0.006, 0.04)) * rng.lognormal(0.0, 0.4, count)
    click = _noise(
        rng,
        low=1500.0,
        high=9000.0,
        gain=10.0 ** (rng.uniform(-20.0, -4.0) / 20.0),
        rise=0.0003,
        fall=_between(rng, 0.002, 0.02),
    )
    return Sound(_modes(hertz, rng.lognormal(0.0, 0.6, count), falls), click, seconds=0.35)


def _tom(fundamental: float, fall: float, rng: np.random.Generator) -> Sound:
    count = len(_MEMBRANE)
    gains = 0.6 ** np.arange(count) * rng.lognormal(0.0, 0.6, count)
    gains[0] = 1.0
    falls = fall * rng.lognormal(0.0, 0.3, count) * 0.75 ** np.arange(count)
    stick = _noise(
        rng,
        low=900.0,
        high=_between(rng, 4000.0, 12000.0),
        gain=10.0 ** (rng.uniform(-32.0, -10.0) / 20.0),
        rise=0.0003,
        fall=_between(rng, 0.003, 0.03),
        tilt=rng.uniform(-6.0, 0.0),
    )
    return Sound(
        _modes(fundamental * np.array(_MEMBRANE) * rng.lognormal(0, 0.02, count), gains, falls),
        stick,
        seconds=float(np.clip(6.0 * fall, 0.3, 2.0)),
        glide=rng.uniform(0.0, 0.3),
        settle=_between(rng, 0.02, 0.12),
        softens=rng.uniform(0.3, 1.5),
    )


def _hats(rng: np.random.Generator) -> dict[str, Sound]:
    """Closed, open and pedal hats of one pair of cymbals."""
    # Modes of a plate: dense, inharmonic, nearly evenly spread in hertz.
    bottom = _between(rng, 250.0, 1500.0)
    plate = np.sort(bottom + rng.uniform(0.0, 1.0, 60) ** 1.3 * rng.uniform(6000.0, 14000.0))
    gains = rng.lognormal(0.0, 0.8, len(plate)) * (plate / 5000.0) ** rng.uniform(-0.2, 0.8)
    gains *= 10.0 ** (rng.uniform(-20.0, 0.0) / 20.0) / np.sqrt(np.sum(gains**2))
    low, high = _between(rng, 300.0, 4000.0), _between(rng, 10000.0, 16000.0)
    tilt, softens = rng.uniform(-4.0, 2.5), rng.uniform(0.2, 1.0)
    thump = _between(rng, 0.03, 1.5)

    def pair(fall: float, *, rise: float, blow: float, top: float) -> Sound:
        falls = fall * rng.lognormal(0.0, 0.3, len(plate))
        hiss = _noise(rng, low=low, high=top, gain=1.0, rise=rise, fall=fall, tilt=tilt)
        stick = _noise(
            rng, low=90.0, high=1200.0, gain=thump * blow, rise=0.0003,
            fall=_between(rng, 0.002, 0.012), tilt=-2.0,
        )  # fmt: skip
        noise = np.concatenate((hiss, stick))
        seconds = float(np.clip(6.0 * fall, 0.15, 2.4))
        return Sound(_modes(plate, gains, falls), noise, seconds=seconds, softens=softens)

    closed = _between(rng, 0.010, 0.07)
    return {
        "hihat_closed": pair(closed, rise=0.0004, blow=1.0, top=high),
        "hihat_open": pair(_between(rng, 0.12, 0.8), rise=0.0008, blow=1.0, top=high),
        "hihat_pedal": pair(
            _between(rng, 0.015, 0.07), rise=_between(rng, 0.001, 0.008), blow=0.4, top=0.8 * high
        ),
    }


def write_kits(
    out: Path, *, kits: int, seed: int, told: Callable[[int], None] | None = None
) -> int:
    """Write kits as FLAC files with their index; return how many one-shots.

    Parameters
    ----------
    out : Path
        Folder to make.
    kits : int
    seed : int
        The same seed gives the same kits, however many are asked for.
    told : callable, optional
        Called with the number of kits done.
    """
    rows: list[Mapping[str, object]] = []
    for number in range(kits):
        rng = np.random.default_rng((seed, number))
        for piece, sound in invent_kit(rng).items():
            for layer, level_db in enumerate(LAYERS_DB):
                audio = strike(sound, level_db, rng)
                rows.append(
                    write_oneshot(
                        out,
                        f"{layer + 1:03d}",
                        audio,
                        rate=RATE,
                        kit=f"synth-{number:03d}",
                        piece=piece,
                        instrument=piece,
                        level_db=level_db,
                        licence=_LICENCE,
                        source="drum2midi.training.synthesis",
                    )
                )
        if told is not None:
            told(number + 1)
    write_index(out, rows)
    return len(rows)


def _main(
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    kits: Annotated[int, typer.Option(min=1)] = 40,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Invent drum kits and write their one-shots."""
    count = write_kits(out, kits=kits, seed=seed)
    typer.echo(f"{out}: {kits} kits, {count} one-shots")


if __name__ == "__main__":
    typer.run(_main)
