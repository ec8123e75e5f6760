"""Reads a drum sheet's MusicXML without the writer's help, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

from drum2midi.drums import BY_MIDI, HANDS, OPEN_HAT
from drum2midi.transcription import Transcription

Place = tuple[int, Fraction, int, bool]
"""Bar, quarters into it, General MIDI note, whether it is a grace stroke."""

_FLAGS = {"eighth": 1, "16th": 2, "32nd": 3}
_KINDS = {"whole": "1", "half": "2", "quarter": "4", "eighth": "8", "16th": "16", "32nd": "32"}


@dataclass(frozen=True)
class Event:
    """A note, chord or rest as it stands in a file: its XML notes, and where it is."""

    voice: str
    start: Fraction
    notes: list[ET.Element]


class Sheet:
    """A MusicXML file, read without the writer's help."""

    def __init__(self, path: Path) -> None:
        self.root = ET.parse(path).getroot()
        self.measures = self.root.findall("part/measure")
        self.gm_notes = {
            element.get("id"): int(element.findtext("midi-unpitched", "0")) - 1
            for element in self.root.iter("midi-instrument")
        }
        self.divisions = int(self.root.findtext(".//divisions", "0"))
        self.bars = [list(self._events(measure)) for measure in self.measures]

    def _events(self, measure: ET.Element) -> Iterator[Event]:
        now = Fraction(0)
        event = None
        for element in measure:
            duration = Fraction(int(element.findtext("duration", "0")), self.divisions)
            if element.tag == "backup":
                now -= duration
            elif element.tag == "forward":
                now += duration
            elif element.tag == "note" and element.find("chord") is not None:
                event.notes.append(element)
            elif element.tag == "note":
                event = Event(element.findtext("voice"), now, [element])
                now += duration
                yield event

    def strokes(self) -> list[Place]:
        """Every stroke, those that a tremolo stands for among them."""
        return sorted(
            (bar, start, self.gm_notes[note.find("instrument").get("id")], is_grace(note))
            for bar, events in enumerate(self.bars)
            for event in events
            for note in event.notes
            if note.find("rest") is None
            for start in self._times(event.start, note)
        )

    def _times(self, start: Fraction, note: ET.Element) -> list[Fraction]:
        lines = int(note.findtext(".//tremolo", "0"))
        if not lines:
            return [start]
        step = Fraction(1, 2 ** (lines + _FLAGS.get(note.findtext("type"), 0)))
        length = Fraction(int(note.findtext("duration")), self.divisions)
        assert length % step == 0
        return [start + i * step for i in range(int(length / step))]

    def count(self, path: str) -> int:
        return len(self.root.findall(f".//{path}"))

    def rhythm(self, voice: str) -> str:
        """The voice's values as `scores.Case` writes them."""
        return " | ".join(
            self._bar_rhythm([e.notes[0] for e in events if e.voice == voice])
            for events in self.bars
        ).strip(" |")

    def _bar_rhythm(self, notes: list[ET.Element]) -> str:
        text, in_beam = "", False
        for note in notes:
            if is_grace(note):
                continue
            tuplet = {element.get("type"): element for element in note.iter("tuplet")}
            if "start" in tuplet:
                text += note.findtext("time-modification/actual-notes")
                text += "[" if tuplet["start"].get("bracket") == "yes" else "("
                bracket = "]" if text.endswith("[") else ")"
            text += "r" if note.find("rest") is not None else ""
            if note.find("rest[@measure='yes']") is not None:
                text = text[:-1] + ("(R)" if note.get("print-object") == "no" else "R")
            else:
                text += _KINDS[note.findtext("type")] + "." * len(note.findall("dot"))
            if lines := note.findtext(".//tremolo"):
                text += f"/{lines}"
            if (beam := note.findtext("beam")) is not None:
                in_beam = beam != "end"
            text += (bracket if "stop" in tuplet else "") + ("-" if in_beam else " ")
        return text.strip()


def is_grace(note: ET.Element) -> bool:
    return note.find("grace") is not None


def strokes_of(transcription: Transcription) -> list[Place]:
    return sorted(
        (note.bar, note.position, note.drum.midi, note.grace) for note in transcription.notes
    )


def check_form(sheet: Sheet, transcription: Transcription) -> None:
    """Voices fill their bars, and everything that starts ends."""
    for bar, events, measure in zip(
        transcription.grid.bars, sheet.bars, sheet.measures, strict=True
    ):
        lengths: Counter[str] = Counter()
        for event in events:
            lengths[event.voice] += int(event.notes[0].findtext("duration", "0"))
        assert set(lengths.values()) == {bar.length * sheet.divisions}
        assert "1" in lengths
        beams = Counter(beam.text for beam in measure.iter("beam"))
        assert beams["begin"] == beams["end"]
        tuplets = Counter(tuplet.get("type") for tuplet in measure.iter("tuplet"))
        assert tuplets["start"] == tuplets["stop"]
        for note in measure.iter("note"):
            check_note(note, sheet.divisions)
    assert [b.findtext("bar-style") for b in sheet.root.iter("barline")] == ["light-heavy"]


# The elements of a note in the order that MusicXML demands.
_ORDER = ["grace", "chord", "unpitched", "rest", "duration", "tie", "instrument"]
_ORDER += ["voice", "type", "dot", "time-modification", "stem", "notehead", "beam", "notations"]
_LENGTHS = {"whole": 4, "half": 2, "quarter": 1, "eighth": 1 / 2, "16th": 1 / 4, "32nd": 1 / 8}


def check_note(note: ET.Element, divisions: int) -> None:
    """A note's parts are in order and fit each other and its drum."""
    places = [_ORDER.index(child.tag) for child in note]
    assert places == sorted(places)
    if note.find("rest") is None:
        drum = BY_MIDI[int(note.find("instrument").get("id").removeprefix("P1-I"))]
        assert note.findtext("voice") == str(drum.voice)
        assert note.findtext("stem") == ("up" if drum.voice == HANDS else "down")
        assert note.findtext("notehead", "normal") == drum.notehead
        assert note.findtext("unpitched/display-step") == drum.step
        assert note.findtext("unpitched/display-octave") == str(drum.octave)
        assert (note.find(".//open-string") is not None) == (drum == OPEN_HAT)
    if is_grace(note):
        assert note.find("grace").get("slash") == "yes"
        assert note.find("duration") is None
    elif note.find("rest[@measure='yes']") is None:
        length = _LENGTHS[note.findtext("type")] * (2 - 0.5 ** len(note.findall("dot")))
        if (ratio := note.find("time-modification")) is not None:
            length *= int(ratio.findtext("normal-notes")) / int(ratio.findtext("actual-notes"))
        assert round(length * divisions) == int(note.findtext("duration"))
