"""Thresholds of the peak picking, chosen on the validation split of a data set."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drum2midi.drums import CHANNEL, SCORING_CLASSES
from drum2midi.features import FeatureSettings
from drum2midi.model import PickSettings, split_outputs
from drum2midi.workshop.dataset import Entry
from drum2midi.workshop.sounds import class_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from drum2midi.model import Activations

_ENOUGH: Final = 100
"""Strokes of the validation split from which on it may choose thresholds."""

_ENOUGH_OF_A_CLASS: Final = 20


def choose_thresholds(
    model: Any, entries: Sequence[Entry], picking: PickSettings, features: FeatureSettings
) -> PickSettings:
    """Thresholds by a validation split where it has strokes enough, else as they were.

    Parameters
    ----------
    model : keras.Model
        From features to activations.
    entries : sequence of Entry
        Of the validation split; one with a label that leaves the class open tells nothing.
    picking : PickSettings
        As they were.
    features : FeatureSettings

    Returns
    -------
    PickSettings
    """
    from drum2midi.training.tune import tune

    entries = [
        entry for entry in entries
        if all(class_of(stroke.sound, "five") is not None for stroke in entry.strokes)
    ]  # fmt: skip
    counts = dict.fromkeys(SCORING_CLASSES, 0)
    for stroke in (stroke for entry in entries for stroke in entry.strokes):
        counts[stroke.sound[0].scoring] += 1
    if sum(counts.values()) < _ENOUGH:
        return picking

    def listen(frames: NDArray[np.float32]) -> Activations:
        output = model.predict(frames[None], verbose=0)[0]
        return split_outputs(output, features.frame_rate)

    with tempfile.TemporaryDirectory() as folder:
        _lay_out(Path(folder), entries)
        recurrences = (picking.recurrence,)
        chosen, _ = tune(listen, Path(folder), features, recurrences=recurrences, base=picking)
    thresholds = tuple(
        new if counts[name] >= _ENOUGH_OF_A_CLASS else old
        for name, new, old in zip(
            SCORING_CLASSES, chosen.thresholds, picking.thresholds, strict=True
        )
    )
    # The hats' threshold was chosen together with that of their pedal.
    pedal = chosen.pedal if counts["HH"] >= _ENOUGH_OF_A_CLASS else picking.pedal
    return replace(picking, thresholds=thresholds, pedal=pedal, delay=chosen.delay)


def _lay_out(folder: Path, entries: Sequence[Entry]) -> None:
    """Recordings as `drum2midi.training.tune` wants them: audio beside ``annotations/``."""
    for name in ("annotations", "validation"):
        (folder / name).mkdir()
    for entry in entries:
        (folder / "validation" / entry.audio.name).symlink_to(entry.audio.resolve())
        write_midi(folder / "annotations" / f"{entry.audio.stem}.mid", entry)


def write_midi(path: Path, entry: Entry) -> None:
    """The strokes of a recording at their seconds, to a quarter of a millisecond."""
    import mido

    track, at = mido.MidiTrack(), 0
    for stroke in entry.strokes:
        tick = round(stroke.onset * 4000)
        velocity = 90 if stroke.velocity is None else stroke.velocity
        track.append(
            mido.Message(
                "note_on",
                channel=CHANNEL,
                note=stroke.sound[0].midi,
                velocity=velocity,
                time=tick - at,
            )
        )
        at = tick
    mido.MidiFile(type=0, ticks_per_beat=2000, tracks=[track]).save(path)
