"""Heeding: what the rest of a recording says of every moment.

The network listens to some seconds. What comes again elsewhere (`drum2midi.recurrence`), how
the recording's own drums sound (`drum2midi.timbre`) and what its rhythm asks for
(`drum2midi.rhythm`) is known only once all of it has been heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drum2midi.beats import find_pulse
from drum2midi.model import PickSettings
from drum2midi.onsets import pick_hits
from drum2midi.recurrence import heed_repeats
from drum2midi.rhythm import heed_rhythm
from drum2midi.timbre import heed_timbre

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from drum2midi.model import Activations


def heed_recording(
    activations: Activations, features: NDArray[np.float32], settings: PickSettings
) -> Activations:
    """Activations that heed the whole recording, to pick strokes from.

    Parameters
    ----------
    activations : Activations
        As the network gives them.
    features : float32, shape (frames, bands)
        That they were heard in.
    settings : PickSettings
        Whose `recurrence`, `timbre` and `rhythm` say how far.
    """
    repeated = heed_repeats(activations, share=settings.recurrence)
    sounding = heed_timbre(repeated, features, share=settings.timbre)
    if settings.rhythm <= 0.0:
        return sounding
    return heed_rhythm(sounding, pulse_of(sounding), share=settings.rhythm)


def pulse_of(activations: Activations) -> NDArray[np.float64]:
    """Seconds of a pulse under what is likelier struck than not; empty if that is too little."""
    return find_pulse(pick_hits(activations, PickSettings()))
