"""A music21 drum score as MusicXML. Importing this module imports music21.

music21's exporter knows one instrument and one velocity for a chord, one MIDI channel
for an instrument, and writes an unpitched grace note in an order that the schema
rejects. The subclasses here write what a drum set needs instead.
"""

# music21 is typed in part only, and its methods have names of its own style.
# mypy: disallow-untyped-calls=False, warn-return-any=False
# ruff: noqa: N802, N803

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from music21 import bar, chord, expressions, instrument, note, stream, tempo
from music21.musicxml.m21ToXml import MeasureExporter, PartExporter, ScoreExporter

from drum2midi.errors import InputError
from drum2midi.files import replacing
from drum2midi.sheet.engraver import PART_ID

_PERCUSSION: Final = 9  # MIDI channel 10, counted from 0
_FORTE: Final = 90  # the velocity that MusicXML calls 100 %
_CONTAINER: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<container>
  <rootfiles>
    <rootfile full-path="score.musicxml" media-type="application/vnd.recordare.musicxml+xml"/>
  </rootfiles>
</container>
"""


def write(score: stream.Score, path: Path) -> None:
    """Write a score that `engrave` made; see `drum2midi.sheet.write_sheet`."""
    suffix = path.suffix.lower()
    if suffix not in {".musicxml", ".xml", ".mxl"}:
        raise InputError(f"cannot write {path}: a sheet is .musicxml, .xml or .mxl")
    with replacing(path) as temporary:
        xml = to_bytes(score)
        if suffix == ".mxl":
            _compress(xml, temporary)
        else:
            temporary.write_bytes(xml)


def to_bytes(score: stream.Score) -> bytes:
    """MusicXML of a score that `engrave` made, which needs no further notation."""
    exporter = _ScoreExporter(score, makeNotation=False)
    exporter.parse()
    return exporter.asBytes()


def _compress(xml: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("META-INF/container.xml", _CONTAINER), ("score.musicxml", xml)):
            # Without the time of writing: the same sheet is the same file.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


class _ScoreExporter(ScoreExporter):
    def _populatePartExporterList(self) -> None:
        for part in self.parts:
            exporter = _PartExporter(part, parent=self)
            exporter.spannerBundle = self.spannerBundle
            self.partExporterList.append(exporter)

    def setIdentification(self) -> Element:
        identification = super().setIdentification()
        composer = self.scoreMetadata.composer if self.scoreMetadata else None
        if not composer:  # music21 names itself
            for creator in identification.findall("creator"):
                identification.remove(creator)
        encoding = identification.find("encoding")
        if encoding is not None:
            for date in encoding.findall("encoding-date"):
                encoding.remove(date)  # the same sheet is the same file tomorrow
        return identification

    def setPartList(self) -> Element:
        parts = super().setPartList()
        for name in ("part-name", "part-abbreviation"):  # a page for one player needs no label
            for label in parts.iter(name):
                label.set("print-object", "no")
        return parts


class _PartExporter(PartExporter):
    def parse(self) -> Element:
        self.instrumentSetup()
        self.xmlRoot.set("id", PART_ID)
        for measure in self.stream.getElementsByClass(stream.Measure):
            self.xmlRoot.append(_MeasureExporter(measure, parent=self).parse())
        return self.xmlRoot

    def instrumentToXmlMidiInstrument(self, i: instrument.Instrument) -> Element:
        i.midiChannel = _PERCUSSION
        return super().instrumentToXmlMidiInstrument(i)


class _MeasureExporter(MeasureExporter):
    def unpitchedToXml(
        self,
        up: note.Unpitched,
        noteIndexInChord: int = 0,
        chordParent: chord.ChordBase | None = None,
    ) -> Element:
        xml = self.noteToXml(up, noteIndexInChord, chordParent)
        xml.set("dynamics", f"{(up.volume.velocity or _FORTE) / _FORTE * 100:.2f}")
        unpitched = Element("unpitched")
        SubElement(unpitched, "display-step").text = up.displayStep
        SubElement(unpitched, "display-octave").text = str(up.displayOctave)
        before = sum(child.tag in ("grace", "chord") for child in xml)
        xml.insert(before, unpitched)
        return xml

    def setNoteInstrument(
        self,
        n: note.NotRest,
        mxNote: Element,
        chordParent: chord.ChordBase | None,
    ) -> None:
        if n.storedInstrument is not None:
            SubElement(mxNote, "instrument", id=str(n.storedInstrument.instrumentId))

    def noteToNotations(
        self,
        n: note.GeneralNote,
        noteIndexInChord: int = 0,
        chordParent: chord.ChordBase | None = None,
    ) -> list[Element]:
        return super().noteToNotations(n)

    def rehearsalMarkToXml(self, rehearsal: expressions.RehearsalMark) -> Element:
        direction = super().rehearsalMarkToXml(rehearsal)
        direction.set("placement", "above")
        return direction

    def setBarline(self, barline: bar.Barline, position: str) -> None:
        super().setBarline(barline, position)
        if isinstance(barline, bar.Repeat):  # music21 leaves the line itself to the reader
            style = Element("bar-style")
            style.text = "heavy-light" if barline.direction == "start" else "light-heavy"
            for line in self.xmlRoot.iterfind(f"barline[@location='{position}']"):
                line.insert(0, style)

    def tempoIndicationToXml(self, ti: tempo.TempoIndication) -> Element:
        direction = super().tempoIndicationToXml(ti)
        direction.set("placement", "above")
        after = self.xmlRoot[-1]
        if after is not direction:  # the words: on one line with the number, not above it
            self.xmlRoot.remove(after)
            direction.insert(0, after[0])
            words = after[0][0]
            words.text = f"{words.text} "  # or MuseScore sets the number right against them
            del words.attrib["default-y"]  # music21's place for words on their own
        return direction
