"""Heeding: what the rest of a recording says of every moment.

The network listens to some seconds. What comes again elsewhere (`drum2midi.recurrence`) and how
the recording's own drums sound (`drum2midi.timbre`) is known only once all of it has been heard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drum2midi.recurrence import heed_repeats
from drum2midi.timbre import heed_timbre

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from drum2midi.model import Activations, PickSettings


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
        Whose `recurrence` and `timbre` say how far.
    """
    repeated = heed_repeats(activations, share=settings.recurrence)
    return heed_timbre(repeated, features, share=settings.timbre)
