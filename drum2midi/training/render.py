"""Rendering: a groove played on a kit of one-shots, as mono audio with exact strokes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.fft
import soxr

from drum2midi import drums
from drum2midi.drums import DRUMS, Drum
from drum2midi.training import effects
from drum2midi.training.grooves import Groove, Stroke
from drum2midi.training.oneshots import Instrument, Kit

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATTACK: Final = 0.001
"""Seconds of a one-shot before its attack."""

_HATS: Final = frozenset({drums.CLOSED_HAT, drums.OPEN_HAT, drums.PEDAL_HAT})
_CLOSING: Final = _HATS - {drums.OPEN_HAT}
_CYMBALS: Final = frozenset({drums.CRASH, drums.RIDE, drums.RIDE_BELL})
_DAMPED: Final = dict.fromkeys(_CYMBALS, (0.8, 2.0))
"""Seconds of the decay that damping adds; of all others .05 to .6."""

_WASH_SECONDS: Final = 0.4
_OWN_LEVEL_DB: Final = 2.0
_ACOUSTIC: Final = 0.7  # of instruments: the others only turn a soft stroke down
_SOFTENS: Final[Mapping[str, tuple[float, float]]] = {
    "KD": (0.5, 4.0),
    "SD": (-1.0, 0.3),
    "TT": (0.5, 4.0),
    "HH": (-0.4, 0.7),
    "CY": (-0.2, 1.5),
}
"""Decibels an octave above 500 Hz that a stroke is duller for every 10 dB that it is softer.

Of nine in ten instruments with four layers or more. A soft snare is mostly its wires.
"""

_DULL_ABOVE: Final = 500.0  # hertz
_DULL_STEP_DB: Final = 4.0
_GROUPS: Final = (
    (drums.KICK,),
    (drums.SNARE, drums.CROSS_STICK),
    (drums.CLOSED_HAT, drums.OPEN_HAT, drums.PEDAL_HAT),
    (drums.HIGH_TOM, drums.MID_TOM, drums.FLOOR_TOM),
    (drums.CRASH,),
    (drums.RIDE, drums.RIDE_BELL),
)
"""Drums that are one instrument or a set of them: one microphone, one tuning, one taste."""

_ALIKE: Final = 0.75  # of all pieces; in others each drum is another machine's or another take's
_BUSES: Final = ("KD", "SD", "TT", "HH", "CY")
# Decibels against the snare: mean and spread over productions.
_BALANCE: Final[Mapping[Drum, tuple[float, float]]] = {
    drums.KICK: (0.0, 3.0),
    drums.SNARE: (0.0, 2.0),
    drums.CROSS_STICK: (-7.0, 4.0),
    drums.CLOSED_HAT: (-12.0, 6.0),
    drums.OPEN_HAT: (-10.0, 5.0),
    drums.PEDAL_HAT: (-15.0, 5.0),
    drums.HIGH_TOM: (-2.0, 3.0),
    drums.MID_TOM: (-2.0, 3.0),
    drums.FLOOR_TOM: (-1.0, 3.0),
    drums.CRASH: (-8.0, 5.0),
    drums.RIDE: (-11.0, 5.0),
    drums.RIDE_BELL: (-9.0, 5.0),
}


@dataclass(frozen=True)
class Performance:
    """A groove as it was rendered.

    Attributes
    ----------
    audio : float32, shape (n,)
    strokes : tuple of Stroke
        Their onsets are the attacks in `audio`, exact to a sample.
    alone, together : float32, shape (strokes, window)
        The first samples after each attack, before any effect: of that stroke alone,
        and of the whole kit.
    """

    audio: NDArray[np.float32]
    strokes: tuple[Stroke, ...]
    alone: NDArray[np.float32]
    together: NDArray[np.float32]


def vary(groove: Groove, rng: np.random.Generator) -> Groove:
    """A groove at another tempo, with some drums played on others.

    Human timing and velocities stay; what changes is what a different drummer
    might do with the same pattern: ride for hi-hat, cross-stick for snare,
    crashes on strong beats, open hats.
    """
    speed = float(np.exp(rng.normal(0.0, 0.12)))
    moved = [replace(s, onset=s.onset / speed) for s in groove.strokes]
    strokes = tuple(_decorate(_thin(_substitute(moved, rng), rng), rng))
    if not strokes:
        return groove
    return replace(groove, bpm=groove.bpm * speed, strokes=strokes)


def _substitute(strokes: Sequence[Stroke], rng: np.random.Generator) -> list[Stroke]:
    swaps: dict[Drum, Drum] = {}
    for probability, source, target in (
        (0.10, drums.CLOSED_HAT, drums.RIDE),
        (0.05, drums.CLOSED_HAT, drums.OPEN_HAT),
        (0.08, drums.CLOSED_HAT, drums.CRASH),
        (0.10, drums.SNARE, drums.CROSS_STICK),
        (0.15, drums.RIDE, drums.CLOSED_HAT),
        (0.12, drums.RIDE, drums.CRASH),
        (0.08, drums.RIDE, drums.RIDE_BELL),
        (0.04, drums.CLOSED_HAT, drums.FLOOR_TOM),
    ):
        if source not in swaps and rng.random() < probability:
            swaps[source] = target
    out = [
        # A cross-stick has no ghost strokes: those stay on the head.
        replace(s, drum=swaps[s.drum])
        if s.drum in swaps and not (swaps[s.drum] is drums.CROSS_STICK and s.velocity < 40)
        else s
        for s in strokes
    ]
    if rng.random() < 0.2:  # open hats where a closed one was accented
        share = rng.uniform(0.1, 0.5)
        out = [
            replace(s, drum=drums.OPEN_HAT)
            if s.drum is drums.CLOSED_HAT and s.velocity > 70 and rng.random() < share
            else s
            for s in out
        ]
    return out


def _thin(strokes: Sequence[Stroke], rng: np.random.Generator) -> list[Stroke]:
    """Leave out strokes of one or two classes at random, in nearly half of the pieces.

    A hi-hat goes with nearly every kick of a groove; a network that only sees
    such grooves hears a hat wherever a kick has a click.
    """
    if rng.random() > 0.45:
        return list(strokes)
    share = {name: float(rng.uniform(0.1, 1.0)) for name in rng.choice(_BUSES, size=2)}
    if rng.random() < 0.5:
        share["HH"] = float(rng.uniform(0.1, 1.0))
    return [s for s in strokes if rng.random() >= share.get(s.drum.scoring, 0.0)]


def _decorate(strokes: Sequence[Stroke], rng: np.random.Generator) -> list[Stroke]:
    """Crashes with some kicks, in half of the pieces."""
    out = list(strokes)
    if rng.random() < 0.5:
        often = rng.uniform(0.02, 0.15)
        for stroke in strokes:
            if stroke.drum is drums.KICK and stroke.velocity > 50 and rng.random() < often:
                shift = float(rng.normal(0.0, 0.005))
                velocity = int(rng.integers(60, 128))
                out.append(Stroke(max(0.0, stroke.onset + shift), drums.CRASH, velocity))
    return sorted(out, key=lambda stroke: stroke.onset)


def render(
    strokes: Sequence[Stroke],
    kit: Kit,
    impulses: Sequence[NDArray[np.float32]],
    rng: np.random.Generator,
    *,
    seconds: float,
    rate: int,
    window: int,
    treatment: float = 1.0,
    dulled: bool = False,
) -> Performance:
    """Play strokes on a kit and mix them as some studio might.

    Parameters
    ----------
    strokes : sequence of Stroke
        Onsets in seconds.
    kit : Kit
    impulses : sequence of float32 arrays
        Room impulse responses.
    rng : Generator
        Decides the kit's tuning, the balance, the room and the processing.
    seconds : float
        Length of the audio.
    rate : int
        Hertz.
    window : int
        Samples of each stroke alone to return.
    treatment : float
        From 0 (the drums as they were recorded, in a room) to 1: how far the kit is retuned
        and reshaped, and how likely and how deep the processing is.
    dulled : bool
        Whether a stroke softer than the one-shot that plays it also sounds as softer strokes
        do, a kick's or a tom's duller above all: few instruments have a layer for every level.
    """
    length = int(seconds * rate)
    buses = {name: np.zeros(length, np.float32) for name in _BUSES}
    alone = np.zeros((len(strokes), window), np.float32)
    taste = _draw_tastes(rng, treatment=treatment)
    players = {
        drum: _Player(
            kit[drum], drum, taste[drum], rng, rate=rate, treatment=treatment, dulled=dulled
        )
        for drum in dict.fromkeys(s.drum for s in strokes)
    }
    exact = []
    for index, stroke in enumerate(strokes):
        start = int(stroke.onset * rate)
        exact.append(replace(stroke, onset=start / rate + ATTACK))
        sound = players[stroke.drum].play(stroke.velocity, rng)
        sound = sound[: max(0, length - start)]
        alone[index, : min(window, len(sound))] = sound[:window]
        choke = _choked_after(strokes, index)
        if choke is not None:
            sound = _fade(sound, choke, float(rng.uniform(0.01, 0.06)), rate)
        buses[stroke.drum.scoring][start : start + len(sound)] += sound
    dry = np.pad(np.asarray(sum(buses.values()), np.float32), (0, window))
    starts = [int(stroke.onset * rate) for stroke in strokes]
    together = np.array([dry[start : start + window] for start in starts], np.float32)
    audio = _mix(buses, impulses, rng, rate=rate, treatment=treatment)
    return Performance(audio, tuple(exact), alone, together.reshape(alone.shape))


@dataclass(frozen=True)
class _Taste:
    """What a tuning, a microphone's place and a producer make of an instrument in one piece.

    Attributes
    ----------
    level : float
        Standard deviations by which it is louder than usual.
    semitones : float
    damped : float
        Where from .05 to .6 s (of the cymbals .8 to 2) its added decay lies, from 0 to 1; 0: none.
    snap, swell : float
        Of a transient shaper: the attack's gain, and nepers a second of the first half.
    colour : int, optional
        Seed of an equaliser.
    """

    level: float
    semitones: float
    damped: float
    snap: float
    swell: float
    colour: int | None


def _draw_tastes(rng: np.random.Generator, *, treatment: float) -> Mapping[Drum, _Taste]:
    """A taste for every drum, nearly the same for those of one instrument in most pieces.

    An open hat is the closed one that rings on: were each tuned and levelled by itself, nobody
    could learn that.
    """
    alike = rng.random() < _ALIKE
    tastes: dict[Drum, _Taste] = {}
    for group in _GROUPS:
        shared = _draw_taste(rng, treatment)
        for drum in group:
            own = shared if alike else _draw_taste(rng, treatment)
            semitones = own.semitones + float(rng.normal(0.0, 0.3 * treatment))
            tastes[drum] = replace(own, semitones=semitones)
    return tastes


def _draw_taste(rng: np.random.Generator, treatment: float) -> _Taste:
    return _Taste(
        level=float(rng.normal()),
        semitones=float(rng.normal(0.0, 1.6 * treatment)),
        damped=float(rng.uniform(0.05, 1.0)) if rng.random() < 0.25 * treatment else 0.0,
        snap=float(rng.uniform(-0.6, 2.0)) if rng.random() < 0.3 * treatment else 0.0,
        swell=float(rng.uniform(0.5, 4.0)) if rng.random() < 0.2 * treatment else 0.0,
        colour=int(rng.integers(2**31)) if rng.random() < 0.6 * treatment else None,
    )


class _Player:
    """An instrument tuned, damped and levelled for one piece."""

    def __init__(
        self,
        instrument: Instrument,
        drum: Drum,
        taste: _Taste,
        rng: np.random.Generator,
        *,
        rate: int,
        treatment: float,
        dulled: bool = False,
    ) -> None:
        mean, spread = _BALANCE[drum]
        self._instrument, self._taste = instrument, taste
        self._gain_db = mean + spread * taste.level + float(rng.normal(0.0, _OWN_LEVEL_DB))
        # Loudness grows with a power of velocity that differs between drums and players.
        self._curve = float(rng.uniform(0.8, 2.0))
        self._pitch = float(2.0 ** (taste.semitones / 12.0))
        shortest, longest = _DAMPED.get(drum, (0.05, 0.6))
        # An open hat that is damped is a closed one.
        damped = taste.damped if drum is not drums.OPEN_HAT else 0.0
        self._decay = shortest + (longest - shortest) * damped if damped else 0.0
        self._washes = drum in _CYMBALS or drum is drums.OPEN_HAT
        # Snare wires buzz, loose hats rattle and the overheads hiss when a kick or a tom is
        # struck: at once, or when the sound has come to them.
        buzzes = drum.scoring in ("KD", "TT") and rng.random() < 0.5 * treatment
        self._buzz = _buzz(rng, rate=rate) if buzzes else None
        self._buzz_after = float(rng.uniform(0.0, 0.03)) if rng.random() < 0.5 else 0.0
        acoustic = dulled and rng.random() < _ACOUSTIC
        self._softens = float(rng.uniform(*_SOFTENS[drum.scoring])) if acoustic else 0.0
        self._rate = rate
        self._tuned: dict[tuple[int, int], NDArray[np.float32]] = {}

    def play(self, velocity: int, rng: np.random.Generator) -> NDArray[np.float32]:
        level_db = 20.0 * self._curve * np.log10(velocity / 127.0)
        shot = self._instrument.draw(level_db, rng)
        softer = max(0.0, shot.level_db - level_db) if self._softens else 0.0
        key = (id(shot), round(softer / _DULL_STEP_DB))
        if key not in self._tuned:
            struck = shot.samples.astype(np.float32)
            if key[1]:
                slope_db = self._softens * key[1] * _DULL_STEP_DB / 10.0
                struck = make_duller(struck, slope_db, self._rate)
            self._tuned[key] = self._tune(struck)
        gain = 10.0 ** ((self._gain_db + level_db + rng.normal(0.0, 0.5)) / 20.0)
        return self._tuned[key] * np.float32(gain)

    def _tune(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        tuned = soxr.resample(samples, self._rate * self._pitch, self._rate, quality="LQ")
        tuned = self._shape(np.asarray(tuned, np.float32))
        if self._washes:
            tuned = _let_die(tuned, self._rate)
        if self._buzz is not None:
            start = int((ATTACK / self._pitch + self._buzz_after) * self._rate)
            length = max(0, min(len(self._buzz), len(tuned) - start))
            tuned[start : start + length] += self._buzz[:length]
        return tuned

    def _shape(self, tuned: NDArray[np.float32]) -> NDArray[np.float32]:
        """The envelope and the colour that this instrument has throughout the piece."""
        taste = self._taste
        time = np.arange(len(tuned), dtype=np.float32) / np.float32(self._rate)
        if self._decay:
            tuned = tuned * np.exp(-time / np.float32(self._decay))
        if taste.snap:
            tuned = tuned * (1.0 + np.float32(taste.snap) * np.exp(-time / np.float32(0.01)))
        if taste.swell:
            tuned = tuned * np.exp(np.minimum(time, 0.5) * np.float32(taste.swell))
        if taste.colour is not None:
            same = np.random.default_rng(taste.colour)
            tuned = effects.equalise(tuned, same, depth_db=4.0, rate=self._rate)
        return tuned


def make_duller(sound: NDArray[np.float32], slope_db: float, rate: int) -> NDArray[np.float32]:
    """The same sound less `slope_db` for every octave above 500 Hz; of the same peak.

    A soft stroke excites the high modes less than the low ones, where turning a loud one down
    leaves the balance. The peak stays, for the level of a stroke is decided elsewhere.
    """
    size = 2 * scipy.fft.next_fast_len(len(sound))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, _DULL_ABOVE / rate), 1.0))
    # Of minimum phase, by folding the cepstrum (Oppenheim & Schafer, Discrete-Time Signal
    # Processing, 12.1): nothing may sound before the attack.
    cepstrum = scipy.fft.irfft(-slope_db * octaves * np.log(10.0) / 20.0, size)
    cepstrum[1 : size // 2] *= 2.0
    cepstrum[size // 2 + 1 :] = 0.0
    filtered = scipy.fft.rfft(sound, size) * np.exp(scipy.fft.rfft(cepstrum))
    duller = scipy.fft.irfft(filtered, size)[: len(sound)]
    peak = float(np.abs(duller).max(initial=0.0))
    before = float(np.abs(sound).max(initial=0.0))
    return np.asarray(duller * (before / peak) if peak else duller, np.float32)


def _let_die(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Recordings of cymbals are cut while they still ring; nobody hears a cymbal stop."""
    fall = min(int(_WASH_SECONDS * rate), len(sound) // 2)
    fade = np.linspace(1.0, 0.0, fall, dtype=np.float32) ** 2
    return np.concatenate((sound[: len(sound) - fall], sound[len(sound) - fall :] * fade))


def _buzz(rng: np.random.Generator, *, rate: int) -> NDArray[np.float32]:
    """A burst of coloured noise, from hardly there to as loud as the drum's own top."""
    decay = float(np.exp(rng.uniform(np.log(0.012), np.log(0.09))))
    time = np.arange(int(5.0 * decay * rate)) / rate
    noise = rng.normal(size=len(time)) * np.exp(-time / decay)
    level = 10.0 ** (float(rng.uniform(-45.0, -14.0)) / 20.0)
    return effects.equalise((noise * level).astype(np.float32), rng, depth_db=5.0, rate=rate)


def _choked_after(strokes: Sequence[Stroke], index: int) -> float | None:
    """Seconds after which the hats close and stop this stroke; None if it rings on."""
    if strokes[index].drum not in _HATS:
        return None
    for later in strokes[index + 1 :]:
        if later.drum in _CLOSING:
            return later.onset - strokes[index].onset
        if later.onset - strokes[index].onset > 3.0:
            break
    return None


def _fade(sound: NDArray[np.float32], after: float, fall: float, rate: int) -> NDArray[np.float32]:
    start = int(after * rate)
    if start >= len(sound):
        return sound
    tail = np.exp(-np.arange(len(sound) - start) / (fall * rate)).astype(np.float32)
    return np.concatenate((sound[:start], sound[start:] * tail))


def _mix(
    buses: Mapping[str, NDArray[np.float32]],
    impulses: Sequence[NDArray[np.float32]],
    rng: np.random.Generator,
    *,
    rate: int,
    treatment: float,
) -> NDArray[np.float32]:
    """Equalise and compress the buses, add a room, then treat the sum as one."""
    treated, send = [], np.zeros_like(next(iter(buses.values())))
    for name, bus in buses.items():
        if not bus.any():
            continue
        sound = effects.equalise(bus, rng, depth_db=4.0 * treatment, rate=rate)
        if name == "KD" and rng.random() < 0.45 * treatment:
            sound = effects.brighten(sound, rng, rate=rate)
        if name in ("KD", "SD", "TT") and rng.random() < 0.4 * treatment:
            sound = _random_compressor(sound, rng, rate=rate)
        if name in ("KD", "SD", "TT") and rng.random() < 0.3 * treatment:
            sound = effects.saturate(sound, float(rng.uniform(0.0, 12.0)))
        treated.append(sound)
        # Kick and room seldom go together.
        send += sound * np.float32(rng.uniform(0.0, 0.5 if name == "KD" else 1.0))
    audio = np.asarray(sum(treated), np.float32) if treated else send
    if rng.random() < 0.3 * treatment:
        audio = _far_microphone(audio, rng, rate=rate)
    if rng.random() < 0.8:
        impulse = impulses[int(rng.integers(len(impulses)))]
        audio = effects.add_room(audio, send, impulse, wet_db=float(rng.uniform(-26.0, -3.0)))
    if rng.random() < 0.6 * treatment:
        audio = _random_compressor(audio, rng, rate=rate)
    if rng.random() < 0.4 * treatment:
        audio = effects.saturate(audio, float(rng.uniform(-3.0, 10.0)))
    audio = effects.equalise(audio, rng, depth_db=3.0 * treatment, rate=rate)
    return effects.encode(audio, rng, rate=rate) if rng.random() < 0.12 else audio


def _far_microphone(
    audio: NDArray[np.float32], rng: np.random.Generator, *, rate: int
) -> NDArray[np.float32]:
    """The kit with what a microphone metres away gets of it: late, squashed, of another colour.

    Every stroke then comes twice, which is neither a flam nor another drum.
    """
    late = int(rng.uniform(0.004, 0.03) * rate)
    far = effects.equalise(audio, rng, depth_db=8.0, rate=rate)
    if rng.random() < 0.5:
        far = effects.high_pass(far, float(np.exp(rng.uniform(4.6, 8.0))), rate=rate)
    far = np.concatenate((np.zeros(late, np.float32), _random_compressor(far, rng, rate=rate)))
    level = float(np.abs(audio).max()) / max(1e-9, float(np.abs(far).max()))
    gain = np.float32(level * 10.0 ** (rng.uniform(-24.0, -4.0) / 20.0))
    return np.asarray(audio + gain * far[: len(audio)], np.float32)


def _random_compressor(
    audio: NDArray[np.float32], rng: np.random.Generator, *, rate: int
) -> NDArray[np.float32]:
    return effects.compress(
        audio,
        threshold_db=float(rng.uniform(-30.0, -6.0)),
        ratio=float(rng.uniform(1.5, 8.0)),
        attack=float(np.exp(rng.uniform(np.log(0.001), np.log(0.05)))),
        release=float(np.exp(rng.uniform(np.log(0.04), np.log(0.5)))),
        rate=rate,
    )


assert set(_BALANCE) == set(DRUMS)
