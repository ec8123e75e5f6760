from __future__ import annotations

import numpy as np
import pytest

from drum2midi.drums import (
    CLOSED_HAT,
    CRASH,
    CROSS_STICK,
    DRUMS,
    FLOOR_TOM,
    HIGH_TOM,
    KICK,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIDE_BELL,
    SCORING_CLASSES,
    SNARE,
    Drum,
)  # fmt: skip
from drum2midi.errors import InputError
from drum2midi.model import Activations, PickSettings
from drum2midi.onsets import pick_hits
from drum2midi.peaks import find_peaks

RATE = 100.0


def bells(*strokes: tuple[float, Drum, float, float], frames: int = 400) -> Activations:
    """Activations with a bell at each (seconds, drum, height, velocity)."""
    classes = np.zeros((frames, 5), np.float32)
    drums, velocities = (np.zeros((frames, len(DRUMS)), np.float32) for _ in range(2))
    for seconds, drum, height, velocity in strokes:
        bell = height * np.exp(-0.5 * ((np.arange(frames) - seconds * RATE) / 0.8) ** 2)
        column, group = DRUMS.index(drum), SCORING_CLASSES.index(drum.scoring)
        drums[:, column] = np.maximum(drums[:, column], bell)
        classes[:, group] = np.maximum(classes[:, group], bell)
        velocities[bell > 0.1 * height, column] = velocity / 127
    return Activations(classes, drums, velocities, RATE)


@pytest.mark.parametrize("seconds", [0.5, 1.0034, 1.9951])
def test_onsets_lie_between_frames(seconds: float) -> None:
    (hit,) = pick_hits(bells((seconds, SNARE, 0.9, 88)), PickSettings())
    assert hit.onset == pytest.approx(seconds, abs=1e-4)
    assert (hit.drum, hit.velocity) == (SNARE, 88)
    assert hit.confidence == pytest.approx(0.9, abs=0.2)


def test_strokes_that_sound_as_one_share_their_onset() -> None:
    hits = pick_hits(
        bells((1.0, KICK, 0.9, 100), (1.008, CRASH, 0.9, 100), (1.2, SNARE, 0.9, 90)),
        PickSettings(),
    )
    assert [hit.drum for hit in hits] == [KICK, CRASH, SNARE]
    assert hits[0].onset == hits[1].onset == pytest.approx(1.004, abs=1e-3)


def test_a_flam_across_drums_stays_two_onsets() -> None:
    hits = pick_hits(bells((1.0, KICK, 0.9, 100), (1.025, SNARE, 0.9, 100)), PickSettings())
    assert len({hit.onset for hit in hits}) == 2


def test_one_snare_or_its_rim_but_two_toms_or_cymbals_at_once() -> None:
    both = bells((1.0, SNARE, 0.9, 90), (1.0, CROSS_STICK, 0.8, 60))
    assert [hit.drum for hit in pick_hits(both, PickSettings())] == [SNARE]
    toms = bells((1.0, HIGH_TOM, 0.8, 90), (1.0, FLOOR_TOM, 0.9, 90))
    assert [hit.drum for hit in pick_hits(toms, PickSettings())] == [HIGH_TOM, FLOOR_TOM]
    cymbals = bells((1.0, CRASH, 0.9, 90), (1.0, RIDE, 0.4, 90))
    assert [hit.drum for hit in pick_hits(cymbals, PickSettings())] == [CRASH]


def test_a_ride_is_struck_on_the_bell_or_beside_it() -> None:
    for bell, bow, struck in ((0.9, 0.85, RIDE_BELL), (0.85, 0.9, RIDE)):
        hits = pick_hits(bells((1.0, RIDE_BELL, bell, 90), (1.0, RIDE, bow, 90)), PickSettings())
        assert [hit.drum for hit in hits] == [struck]


def test_a_cymbal_is_not_believed_where_a_hat_is_clearly_likelier() -> None:
    splash = bells((1.0, CLOSED_HAT, 0.9, 90), (1.0, CRASH, 0.6, 90))
    assert [hit.drum for hit in pick_hits(splash, PickSettings())] == [CLOSED_HAT]
    # The foot leaves the hand free.
    foot = bells((1.0, PEDAL_HAT, 0.9, 90), (1.0, RIDE, 0.6, 90))
    assert {hit.drum for hit in pick_hits(foot, PickSettings())} == {PEDAL_HAT, RIDE}
    pedal_under_ride = bells((1.0, CLOSED_HAT, 0.7, 90), (1.0, RIDE, 0.7, 90))
    assert [hit.drum for hit in pick_hits(pedal_under_ride, PickSettings())] == [CLOSED_HAT, RIDE]


def test_sensitivity_moves_the_threshold() -> None:
    faint = bells((1.0, SNARE, 0.3, 30))
    assert not pick_hits(faint, PickSettings())
    assert len(pick_hits(faint, PickSettings(), sensitivity=0.9)) == 1
    assert not pick_hits(bells((1.0, SNARE, 0.6, 30)), PickSettings(), sensitivity=0.1)
    with pytest.raises(InputError, match=r"sensitivity 1\.5 is not between 0 and 1"):
        pick_hits(faint, PickSettings(), sensitivity=1.5)


def test_delay_is_taken_off_and_never_before_the_start() -> None:
    settings = PickSettings(delay=0.02)
    hits = pick_hits(bells((0.01, KICK, 0.9, 90), (1.0, KICK, 0.9, 90)), settings)
    assert [hit.onset for hit in hits] == pytest.approx([0.0, 0.98], abs=1e-3)


def test_thresholds_belong_to_their_class() -> None:
    settings = PickSettings(thresholds=(0.9, 0.2, 0.5, 0.5, 0.5))
    hits = pick_hits(bells((1.0, KICK, 0.8, 90), (2.0, SNARE, 0.3, 90)), settings)
    assert [hit.drum for hit in hits] == [SNARE]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0, 1, 0, 0, 0, 0, 1, 0], [1, 6]),
        ([0, 0.4, 0], []),
        ([1, 0, 0, 0], [0]),
        ([0, 0, 0, 1], [3]),
        ([0, 1, 1, 0, 0], [1]),
        ([0, 0.7, 0.6, 0, 0.9, 0], [4]),
        ([], []),
    ],
)
def test_peaks(curve: list[float], expected: list[int]) -> None:
    peaks = find_peaks(np.array(curve, np.float32), threshold=0.5, reach=2, gap=4.0)
    assert peaks.tolist() == expected


@pytest.mark.parametrize(("margin", "heard"), [(0.0, OPEN_HAT), (0.3, CLOSED_HAT)])
def test_an_open_hat_has_to_be_clearly_open(margin: float, heard: Drum) -> None:
    heard_as_both = bells((1.0, OPEN_HAT, 0.8, 90), (1.0, CLOSED_HAT, 0.6, 70))
    (hit,) = pick_hits(heard_as_both, PickSettings(open_margin=margin))
    assert hit.drum is heard


def test_ghost_strokes_have_to_be_surer() -> None:
    """Only soft strokes of the snare, and less so where more is to be heard."""
    heard = bells(
        (0.5, SNARE, 0.6, 20), (1.0, SNARE, 0.6, 40), (1.5, SNARE, 0.9, 20), (2.0, KICK, 0.6, 20)
    )
    wary = PickSettings(ghost=0.75)
    times = [round(hit.onset, 2) for hit in pick_hits(heard, wary)]
    assert times == [1.0, 1.5, 2.0]
    assert len(pick_hits(heard, PickSettings())) == 4
    assert len(pick_hits(heard, wary, sensitivity=0.7)) == 4


def test_hats_that_the_foot_closes_may_be_fainter() -> None:
    """Not those that a stick strikes, and only where more is asked of those."""
    heard = bells((0.5, PEDAL_HAT, 0.5, 60), (1.0, CLOSED_HAT, 0.5, 60), (1.5, CLOSED_HAT, 0.8, 60))
    thresholds = (0.6,) * len(SCORING_CLASSES)
    times = {
        pedal: [round(hit.onset, 2) for hit in pick_hits(
            heard, PickSettings(thresholds=thresholds, pedal=pedal))]
        for pedal in (0.0, 0.4, 0.9)
    }  # fmt: skip
    assert times == {0.0: [1.5], 0.4: [0.5, 1.5], 0.9: [1.5]}


def doubt(*strokes: tuple[float, Drum, float, float]) -> Activations:
    """Strokes among four things a second that hardly sound like one, as guitars do."""
    faint = ((0.25 * i + 0.1, SNARE, 0.2, 60.0) for i in range(39))
    return bells(*strokes, *faint, frames=1000)


@pytest.mark.parametrize(("height", "left"), [(0.7, 0), (0.9, 1)])
def test_an_unsure_stroke_where_nobody_drums_is_none(height: float, left: int) -> None:
    assert len(pick_hits(doubt((5.0, KICK, height, 90)), PickSettings())) == left


def test_an_unsure_stroke_in_silence_or_in_company_stays() -> None:
    unsure = (5.0, KICK, 0.7, 90.0)
    assert len(pick_hits(bells(unsure, frames=1000), PickSettings())) == 1
    company = [(3.0 + 0.5 * i, FLOOR_TOM, 0.95, 90.0) for i in range(9) if i != 4]
    assert len(pick_hits(doubt(unsure, *company), PickSettings())) == 9


def test_unsure_strokes_are_each_other_s_company() -> None:
    groove = [(1.0 + 0.5 * i, (KICK, SNARE)[i % 2], 0.7, 90.0) for i in range(16)]
    assert len(pick_hits(doubt(*groove), PickSettings())) == 16


def test_an_unsure_stroke_in_one_chord_with_a_sure_one_stays() -> None:
    chord = ((5.0, CRASH, 0.95, 90.0), (5.004, KICK, 0.7, 90.0))
    assert {hit.drum for hit in pick_hits(doubt(*chord), PickSettings())} == {CRASH, KICK}


def test_who_wants_to_hear_what_is_certain_still_hears_it_where_nobody_drums() -> None:
    heard = pick_hits(doubt((5.0, KICK, 0.97, 90)), PickSettings(), sensitivity=0.0)
    assert [hit.drum for hit in heard] == [KICK]


def test_who_wants_to_hear_ghosts_hears_them_where_nobody_drums() -> None:
    heard = pick_hits(doubt((5.0, KICK, 0.7, 90)), PickSettings(), sensitivity=1.0)
    assert KICK in {hit.drum for hit in heard}
