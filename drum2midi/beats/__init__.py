"""Beats, bars and metre from strokes, and from the harmony if other instruments play.

Four steps, each its own module: a pulse is tracked through the strokes (`pulse`), its readings
as beats and bars are ranked by what drummers play in the average bar (`metrical`), from bar to
bar (`phrases`) and in twos or threes (`threes`), and by where chords change (`chords`), bars are
followed through changes of metre and stops (`follow`), and the beats of the best reading are moved
onto the strokes (`settle`), or onto one exact tempo (`steady`), and made into bars (`bars`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from drum2midi.beats.bars import default_grid, make_grid, metre_of
from drum2midi.beats.chords import heed_chords
from drum2midi.beats.metrical import PERIODS, Reading, fold, model
from drum2midi.beats.phrases import heed_phrases
from drum2midi.beats.pulse import FRAME, steady_pulse, track_pulse
from drum2midi.beats.ranking import rank_readings
from drum2midi.beats.settle import phases, settle
from drum2midi.beats.strokes import Strokes
from drum2midi.beats.threes import against_threes
from drum2midi.errors import InputError
from drum2midi.harmony import Harmony
from drum2midi.transcription import Grid, Hit, Metre

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST: Final = 4  # strokes without which there is no rhythm to track
_SHORTEST: Final = 0.5  # seconds, likewise
_SAME: Final = 0.03  # seconds between a stroke as two hearings have it
_TEMPO_SLACK: Final = 0.08  # relative; how far a performance may be from the tempo given
_COMFORTABLE: Final = 50  # frames; the pulse to track lies near it
_ANY_PERIOD: Final = (0.14, 1.55)  # seconds in a beat where only the metre is known
_TOGETHER: Final = 0.15  # of a pulse: so near, the tracked one and a steady one are together
_ALONG: Final = 0.9  # of the time; then the steady one will do
_ON_FOURTH: Final = 0.06  # of a pulse from a fourth of the steady one; by chance half of the time
_SLID: Final = 0.87  # of the time; then it is the steady one from which a tracked one slid
_AS_LONG: Final = 0.12  # of a pulse by which a tracked one may be longer or shorter meanwhile
_BETTER: Final = 0.1  # nats a stroke by which the tracked one has to fit better to be right
# Nats against bars of so many beats: rarer in what people record than in what was learnt from.
_RARER: Final = {3: 0.3, 5: 1.0, 6: 0.3, 7: 1.0, 12: 0.3}
_SLOWEST, _FASTEST = 20.0, 400.0  # pulses a minute that make sense


def track_beats(
    hits: Sequence[Hit],
    *,
    duration: float,
    doubted: Sequence[Hit] = (),
    harmony: Harmony | None = None,
    tempo: float | None = None,
    metre: Metre | None = None,
    steady: bool = False,
) -> Grid:
    """Find the bars and beats under some strokes.

    Parameters
    ----------
    hits : sequence of Hit
        In any order; some may be wrong.
    duration : float
        Seconds of audio.
    doubted : sequence of Hit
        The same strokes as a second hearing has them, doubtful ones among them: how the pulse is
        to be read must not hang on those. What it has before and after all `hits` does not count.
    harmony : Harmony, optional
        Of the whole recording, if there may be more in it than drums.
    tempo : float, optional
        Pulses a minute (quarters, or dotted quarters in 6/8, 9/8, 12/8 and 15/8), if known.
    metre : Metre, optional
        If known.
    steady : bool
        The tempo never moves: fit one exactly.

    Returns
    -------
    Grid
        Whole bars around all strokes, back to the start of the audio if that is near; the
        first is a pickup if it would have begun before the audio. 4/4 at 120 a minute from
        the first stroke where there are too few to tell, and bars of the tempo given where
        they go at no tempo near it; then its confidence is 0.

    Raises
    ------
    InputError
        If the tempo is not from 20 to 400.
    """
    if tempo is not None and not _SLOWEST <= tempo <= _FASTEST:
        raise InputError(f"tempo {tempo:g} is not from {_SLOWEST:g} to {_FASTEST:g} a minute")
    strokes = Strokes.of(hits)
    if _too_little(strokes):
        return default_grid(strokes.times, duration=duration, tempo=tempo, metre=metre)
    also = _meanwhile(doubted, strokes)
    found, scores = _all_readings(strokes, also, tempo, metre, steady, harmony)
    if not found:
        return default_grid(strokes.times, duration=duration, tempo=tempo, metre=metre)
    best = found[int(np.argmax(scores))]
    return make_grid(
        strokes,
        best,
        tempo=tempo,
        metre=metre,
        steady=steady,
        duration=duration,
        confidence=_confidence(found, scores),
    )


def find_pulse(hits: Sequence[Hit]) -> NDArray[np.float64]:
    """A pulse under some strokes, at whatever level it shows best.

    Parameters
    ----------
    hits : sequence of Hit
        In any order; some may be wrong.

    Returns
    -------
    float64, shape (pulses,)
        Seconds, ascending; none if there are too few strokes to tell.
    """
    strokes = Strokes.of(hits)
    if _too_little(strokes):
        return np.empty(0)
    return settle(track_pulse(strokes, model()["pulse"].astype(np.float64)), strokes)


def _too_little(strokes: Strokes) -> bool:
    times = strokes.times
    return len(times) < _FEWEST or times[-1] - times[0] < _SHORTEST


def _meanwhile(doubted: Sequence[Hit], strokes: Strokes) -> Strokes | None:
    """The strokes of a second hearing while the first has some; None if there is none of those.

    Doubt long before the drums come in or after they are gone would say where the piece begins.
    """
    first, last = strokes.times[0] - _SAME, strokes.times[-1] + _SAME
    inside = [hit for hit in doubted if first <= hit.onset <= last]
    return Strokes.of(inside) if inside else None


def _all_readings(
    strokes: Strokes,
    doubted: Strokes | None,
    tempo: float | None,
    metre: Metre | None,
    steady: bool,
    harmony: Harmony | None,
) -> tuple[list[Reading], NDArray[np.float64]]:
    """Readings of the tracked and of the steady pulse, if any has the tempo, and their scores."""
    counts = tuple(PERIODS)
    if tempo is not None and metre is None:
        usual, odds = _all_readings(strokes, doubted, None, None, steady, harmony)
        counts = _counts(usual[int(np.argmax(odds))], tempo) if usual else counts
    weights = model()["pulse"].astype(np.float64)
    if tempo is None:
        tracked = track_pulse(strokes, weights)
    else:
        beat = 60 / tempo * (float(metre.beat / metre.pulse) if metre else 1.0)
        frames = _comfortable_period(beat) / FRAME
        low, high = (int(frames * (1 + sign * _TEMPO_SLACK)) for sign in (-1, 1))
        tracked = track_pulse(strokes, weights, periods=np.arange(low, high + 2))
    pulses = _pulses(strokes, settle(tracked, strokes), steady)
    limits = _limits(tempo, metre, counts)
    found: list[Reading] = []
    ranked = []
    for pulse in pulses:
        folded = cache(partial(fold, strokes, pulse))
        average = rank_readings(strokes, pulse, limits=limits, doubted=doubted)
        for level, drums in heed_phrases(average, strokes):
            both = drums if harmony is None else heed_chords(level, drums, strokes.times, harmony)
            found += level
            first = level[0]
            in_beats = folded(first.ratio, first.offset)
            against = _RARER.get(first.count, 0.0) + against_threes(in_beats, first)
            ranked.append(both - against)
    return found, np.concatenate(ranked) if ranked else np.empty(0)


def _pulses(
    strokes: Strokes, tracked: NDArray[np.float64], steady: bool
) -> list[NDArray[np.float64]]:
    """The pulses worth reading: one of constant tempo, the tracked one, or both."""
    constant = steady_pulse(strokes, tracked)
    place = phases(tracked, constant)
    if steady or np.mean(np.abs(place - np.round(place)) < _TOGETHER) > _ALONG:
        return [constant]
    fits = [fold(strokes, pulse, 1, 0).fit for pulse in (tracked, constant)]
    if fits[0] > fits[1] + _BETTER:
        return [tracked]
    return [constant] if _has_slid(place) else [tracked, constant]


def _has_slid(place: NDArray[np.float64]) -> bool:
    """Whether a tracked pulse, at these phases of the steady one, is that and slides from it.

    Where drums fill all sixteenths, a tracked pulse may slide to another of them and back, which
    costs it little; one whose tempo truly moves has another length or comes to rest anywhere.
    """
    on_fourths = np.abs(place - np.round(4.0 * place) / 4.0) < _ON_FOURTH
    as_long = np.abs(np.diff(place) - 1.0) < _AS_LONG
    return bool(on_fourths.mean() > _SLID and as_long.mean() > _SLID)


def _comfortable_period(beat: float) -> float:
    """Seconds of the pulse of which a known beat is a level and that is easiest to track."""
    periods = [beat / ratio for ratio in (1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4)]
    return min(periods, key=lambda period: abs(np.log(period / FRAME / _COMFORTABLE)))


def _counts(usual: Reading, tempo: float) -> tuple[int, ...]:
    """Beats in a bar to consider at a tempo, from the reading that is likeliest at any.

    Half or twice its tempo is the same rhythm in longer or shorter beats, in two or in three as
    before. Beats rarely are so slow or fast, and two thirds of one would else be likelier.
    """
    metre = metre_of(usual.count, np.inf)
    octaves = np.log2(tempo * usual.period / (60 * float(metre.beat / metre.pulse)))
    if abs(octaves - round(octaves)) > np.log2(1 + _TEMPO_SLACK):
        return tuple(PERIODS)
    return tuple(count for count in PERIODS if metre_of(count, np.inf).beat == metre.beat)


def _limits(
    tempo: float | None, metre: Metre | None, counts: Sequence[int]
) -> dict[int, tuple[float, float]]:
    """Seconds that a beat may last, for every number of beats in a bar to consider."""
    metres = [metre] if metre else [metre_of(count, np.inf) for count in counts]
    if tempo is None:
        known = metre is None
        return {m.numerator: PERIODS[m.numerator] if known else _ANY_PERIOD for m in metres}
    slack = 1.5 * _TEMPO_SLACK
    beats = {m.numerator: 60 / tempo * float(m.beat / m.pulse) for m in metres}
    return {count: (beat * (1 - slack), beat * (1 + slack)) for count, beat in beats.items()}


def _confidence(found: Sequence[Reading], scores: NDArray[np.float64]) -> float:
    """Probability of the best reading, and of those that mean the same bars."""
    best = found[int(np.argmax(scores))]
    odds = np.exp(scores - scores.max())
    same = np.array([best.agrees(other) for other in found])
    return float(odds[same].sum() / odds.sum())
