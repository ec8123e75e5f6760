"""The page as a music21 score. Importing this module imports music21."""

# music21 is typed in part only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from music21 import (
    articulations,
    bar,
    beam,
    clef,
    duration,
    expressions,
    instrument,
    metadata,
    meter,
    note,
    percussion,
    stream,
    tempo,
    tie,
    volume,
)
from music21.common.numberTools import opFrac

from drum2midi.drums import DRUMS, FEET, HANDS, OPEN_HAT, Drum
from drum2midi.sheet.chord import Chord, Events, Stroke
from drum2midi.sheet.page import Measure, lay_out
from drum2midi.sheet.repeats import fold
from drum2midi.sheet.rhythm import QUARTER, Span, Value
from drum2midi.sheet.tempo import TempoMark
from drum2midi.transcription import Transcription

PART_ID: Final = "P1"
PART_NAME: Final = "Drumset"

# MusicXML's words for beams, as music21 says them.
_BEAM_TYPES: Final[dict[str, tuple[str, str | None]]] = {
    "begin": ("start", None),
    "continue": ("continue", None),
    "end": ("stop", None),
    "forward hook": ("partial", "right"),
    "backward hook": ("partial", "left"),
}


def engrave(
    transcription: Transcription, *, repeats: bool = False, tremolos: bool = False
) -> stream.Score:
    """Make the music21 score of a transcription, with repeats and rolls folded if wanted."""
    measures = lay_out(transcription, tremolos=tremolos)
    if repeats:
        measures = fold(measures)
    kit = _Kit(measures)
    part = stream.Part(id=PART_ID)
    part.partName = PART_NAME
    part.partAbbreviation = "Dr."
    for piece in kit.pieces():
        part.coreInsert(0.0, piece)
    place = Fraction(0)
    for measure in measures:
        engraved = _measure(measure, kit)
        part.coreInsert(place, engraved)
        place += Fraction(measure.length, QUARTER)
        if measure is measures[-1] and measure.times == 1:
            engraved.rightBarline = bar.Barline("final")
    part.coreElementsChanged()
    score = stream.Score([part])
    score.metadata = _metadata(transcription)
    return score


class _Kit:
    """The drums that are used, as music21 instruments."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        used = {
            stroke.drum
            for measure in measures
            for events in measure.voices.values()
            for _, chord in events
            if chord is not None
            for stroke in (*chord.strokes, *chord.graces)
        }
        self._pieces = {drum: _piece(drum) for drum in DRUMS if drum in used or not used}

    def __getitem__(self, drum: Drum) -> instrument.UnpitchedPercussion:
        return self._pieces[drum]

    def pieces(self) -> Iterable[instrument.UnpitchedPercussion]:
        """All of them, in the order of the table."""
        return self._pieces.values()


def _piece(drum: Drum) -> instrument.UnpitchedPercussion:
    # music21 takes instruments of one class for one instrument.
    name = "".join(word.capitalize() for word in drum.name.replace("-", " ").split())
    kind = type(name, (instrument.UnpitchedPercussion,), {})
    piece: instrument.UnpitchedPercussion = kind()
    piece.partId = PART_ID
    piece.partName = PART_NAME
    piece.instrumentName = drum.midi_name
    piece.instrumentId = f"{PART_ID}-I{drum.midi}"
    piece.percMapPitch = drum.midi
    piece.midiProgram = 0
    piece.inGMPercMap = True
    return piece


def _metadata(transcription: Transcription) -> metadata.Metadata:
    described = metadata.Metadata()
    described.title = _printable(transcription.title) or PART_NAME
    if composer := _printable(transcription.composer):
        described.composer = composer
    described["software"] = ["drum2midi"]
    return described


def _printable(text: str) -> str:
    """Tags and file names may hold characters that XML must not."""
    return "".join(character for character in text if character.isprintable()).strip()


def _measure(measure: Measure, kit: _Kit) -> stream.Measure:
    engraved = stream.Measure(number=measure.number)
    if measure.is_pickup:
        engraved.showNumber = stream.enums.ShowNumber.NEVER
    if measure.metre is not None:
        engraved.timeSignature = meter.TimeSignature(str(measure.metre))
    if measure.is_first:
        engraved.clef = clef.PercussionClef()
    if measure.tempo is not None:
        engraved.coreInsert(0.0, _tempo_mark(measure.tempo, measure.words))
    if measure.letter:
        engraved.coreInsert(0.0, expressions.RehearsalMark(measure.letter))
    if measure.begins_repeat:
        engraved.leftBarline = bar.Repeat(direction="start")
    if measure.times > 1:
        engraved.rightBarline = bar.Repeat(direction="end", times=measure.times)
    if measure.times > 2:  # once again goes without saying
        engraved.coreInsert(0.0, _above(f"{measure.times}×"))
    resting = _rests(measure.voices.get(HANDS, []))
    for voice in (HANDS, FEET):
        if voice in measure.voices:
            hidden = resting if voice == FEET else frozenset()
            engraved.coreInsert(0.0, _voice(voice, measure.voices[voice], kit, hidden))
        elif voice == HANDS:
            engraved.coreInsert(0.0, _silence(measure.length, HANDS))
        elif _accents(measure.voices.get(HANDS, [])):
            # MuseScore puts the accents of a bar's only voice below, where those of the feet are.
            engraved.coreInsert(0.0, _silence(measure.length, FEET, hidden=True))
    engraved.coreElementsChanged()
    return engraved


def _tempo_mark(mark: TempoMark, words: str) -> tempo.MetronomeMark:
    referent = duration.Duration(mark.pulse)
    return tempo.MetronomeMark(words or None, number=mark.per_minute, referent=referent)


def _above(text: str) -> expressions.TextExpression:
    """Words above the staff."""
    words = expressions.TextExpression(text)
    words.placement = "above"
    return words


def _silence(length: int, voice: int, *, hidden: bool = False) -> stream.Voice:
    """A voice that rests for a bar, to be seen or not."""
    rest = note.Rest(duration=duration.Duration(Fraction(length, QUARTER)))
    rest.fullMeasure = True
    rest.style.hideObjectOnPrint = hidden
    return stream.Voice([rest], id=str(voice))


def _accents(events: Events) -> bool:
    """Whether any stroke of a voice has an accent."""
    return any(stroke.accent for _, chord in events if chord for stroke in chord.strokes)


def _rests(events: Events) -> frozenset[Span]:
    """A voice's rests, but those of a tuplet, without which it could not be counted."""
    return frozenset(
        (value.start, value.length)
        for value, chord in events
        if chord is None and value.tuplet is None
    )


def _voice(number: int, events: Events, kit: _Kit, hidden: frozenset[Span]) -> stream.Voice:
    """A voice, with the hidden rests there but not to be seen."""
    engraved = stream.Voice(id=str(number))
    stem = "up" if number == HANDS else "down"
    for value, chord in events:
        place = opFrac(Fraction(value.start, QUARTER))
        if chord is None:
            rest = note.Rest(duration=_duration(value, stem))
            rest.fullMeasure = False
            if value.tuplet is None and (value.start, value.length) in hidden:
                rest.style.hideObjectOnPrint = True  # the other voice's says it
            engraved.coreInsert(place, rest)
            continue
        if chord.words:
            engraved.coreInsert(place, _above(chord.words))
        for grace in _graces(chord.graces, stem, kit):
            engraved.coreInsert(place, grace)
        engraved.coreInsert(place, _chord(chord, value, stem, kit))
    engraved.coreElementsChanged()
    return engraved


def _chord(
    chord: Chord, value: Value, stem: str, kit: _Kit
) -> note.Unpitched | percussion.PercussionChord:
    """The noteheads on one stem, lowest first."""
    strokes = sorted(chord.strokes, key=_height)
    heads = [_head(stroke, stem, kit) for stroke in strokes]
    accented = [(stroke.velocity, i) for i, stroke in enumerate(strokes) if stroke.accent]
    if accented:  # the mark is the stem's: one is enough
        mark = articulations.Accent()
        # At the stem's end; MuseScore would look for room. music21 has no type for it.
        mark.placement = "above" if stem == "up" else "below"  # type: ignore[assignment]
        heads[max(accented)[1]].articulations.append(mark)
    engraved = heads[0] if len(heads) == 1 else percussion.PercussionChord(heads)
    engraved.duration = _duration(value, stem)
    engraved.stemDirection = stem
    engraved.beams = _beams(value.beams)
    if chord.tie is not None:
        engraved.tie = tie.Tie(chord.tie)
    if chord.tremolo:
        lines = expressions.Tremolo()
        lines.numberOfMarks = chord.tremolo
        engraved.expressions.append(lines)
    return engraved


def _graces(
    strokes: Sequence[Stroke], stem: str, kit: _Kit
) -> Iterable[note.Unpitched | percussion.PercussionChord]:
    """A flam's grace note, those of flams on several drums, or a drag's under a beam."""
    if len(strokes) > 1 and len({stroke.drum for stroke in strokes}) == len(strokes):
        heads = [_head(stroke, stem, kit) for stroke in sorted(strokes, key=_height)]
        both = percussion.PercussionChord(heads)
        both.duration = duration.GraceDuration("eighth")
        both.stemDirection = stem
        yield both
        return
    for index, stroke in enumerate(strokes):
        engraved = _head(stroke, stem, kit)
        engraved.duration = duration.GraceDuration("eighth" if len(strokes) == 1 else "16th")
        if len(strokes) > 1:
            place = "begin" if index == 0 else "continue" if index < len(strokes) - 1 else "end"
            engraved.beams = _beams((place, place))
        yield engraved


def _head(stroke: Stroke, stem: str, kit: _Kit) -> note.Unpitched:
    """One notehead."""
    drum = stroke.drum
    head = note.Unpitched(f"{drum.step}{drum.octave}", storedInstrument=kit[drum])
    head.notehead = drum.notehead
    head.noteheadParenthesis = stroke.ghost
    head.stemDirection = stem
    head.volume = volume.Volume(velocity=stroke.velocity)
    if drum == OPEN_HAT:
        head.articulations.append(articulations.OpenString())
    return head


def _height(stroke: Stroke) -> tuple[int, int]:
    return stroke.drum.octave, "CDEFGAB".index(stroke.drum.step)


def _beams(words: Iterable[str]) -> beam.Beams:
    beams = beam.Beams()
    for word in words:
        beams.append(*_BEAM_TYPES[word])
    return beams


def _duration(value: Value, stem: str) -> duration.Duration:
    written = duration.Duration(type=value.kind, dots=value.dots)
    if value.tuplet is not None:
        tuplet = duration.Tuplet(
            value.tuplet.actual, value.tuplet.normal, durationType=value.tuplet.kind
        )
        tuplet.type = value.edge
        tuplet.bracket = value.bracket
        tuplet.placement = "above" if stem == "up" else "below"
        written.appendTuplet(tuplet)
    return written
