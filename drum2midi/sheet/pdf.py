"""PDF: pages that `drum2midi.sheet.pages` drew, in one file with its fonts inside."""

# fontTools and reportlab are typed in part only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as ET

from fontTools.pens.basePen import BasePen
from fontTools.svgLib.path import parse_path
from fontTools.ttLib import TTFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont as EmbeddedFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.pathobject import PDFPathObject

from drum2midi.sheet.pages import MARGIN
from drum2midi.sheet.svg import NAMESPACE, PER_MM, TEXT, resources, tag

_POINTS: Final = 72 / 25.4 / PER_MM  # of a unit
_FONT: Final = "Liberation"
_FONT_FACE: Final = re.compile(
    r"base64,(?P<data>[^)]+)\).*?font-weight: (?P<weight>\w+).*?font-style: (?P<slope>\w+)",
    re.DOTALL,
)
# Fonts that every PDF viewer has for scripts that the embedded one lacks: Japanese if there
# are kana, Korean if there is Hangul, else Chinese.
_EASTERN: Final = {
    "HeiseiMin-W3": "[\u3040-\u30ff]",
    "HYSMyeongJo-Medium": "[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]",
    "STSong-Light": "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]",
}
_PLACED: Final = re.compile(r"translate\(([-\d.]+), ([-\d.]+)\) scale\(([\d.]+)")
_GLYPH: Final = 5000  # units of the music font that hold any sign, to either side
_SHARES: Final = {"start": 0.0, "middle": 0.5, "end": 1.0}


def to_bytes(pages: Sequence[ET.Element], *, title: str, author: str = "") -> bytes:
    """A PDF file of drawn pages."""
    file = BytesIO()
    document = Canvas(file, pageCompression=1, invariant=1, initialFontName=_embed(False, False))
    document.setTitle(title)
    document.setAuthor(author)
    document.setSubject("Drum sheet")
    document.setCreator("drum2midi")
    for page in pages:
        width, height = (float(side) for side in page.get("viewBox", "").split()[2:])
        document.setPageSize((width * _POINTS, height * _POINTS))
        definitions, ink = page
        for sign in definitions:
            _define(sign, document)
        document.saveState()
        # An SVG's y goes down, a PDF's up.
        document.transform(_POINTS, 0, 0, -_POINTS, *_on_page(0, 0, height))
        for element in ink.iter():
            _draw(element, document)
        document.restoreState()
        for text in ink.iter(TEXT):
            _write(text, height, document)
        document.showPage()
    document.save()
    return file.getvalue()


def _on_page(x: float, y: float, height: float) -> tuple[float, float]:
    """Where a drawing's place is on the page, in points."""
    return (MARGIN + x) * _POINTS, (height - MARGIN - y) * _POINTS


def _define(sign: ET.Element, document: Canvas) -> None:
    """Keep a sign of the music font, to be drawn wherever it is used."""
    name = sign.get("id", "")
    if document.hasForm(name):
        return
    document.beginForm(name, -_GLYPH, -_GLYPH, _GLYPH, _GLYPH)
    for path in sign.iter(tag("path")):
        document.saveState()
        if path.get("transform") == "scale(1,-1)":
            document.scale(1, -1)
        drawn = document.beginPath()
        parse_path(path.get("d"), _Pen(drawn))
        document.drawPath(drawn, stroke=0, fill=1)
        document.restoreState()
    document.endForm()


class _Pen(BasePen):  # type: ignore[misc]
    """Puts what it draws into a path of a PDF."""

    def __init__(self, path: PDFPathObject) -> None:
        super().__init__(None)
        self._path = path

    def _moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802
        self._path.moveTo(*point)

    def _lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802
        self._path.lineTo(*point)

    def _curveToOne(self, *points: tuple[float, float]) -> None:  # noqa: N802
        self._path.curveTo(*(axis for point in points for axis in point))

    def _closePath(self) -> None:  # noqa: N802
        self._path.close()


def _draw(element: ET.Element, document: Canvas) -> None:
    """Draw one element of a page, of the few kinds that there are."""
    kind = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    if kind == "use":
        place = _PLACED.match(element.get("transform", ""))
        if place is not None:
            x, y, scale = map(float, place.groups())
            document.saveState()
            document.transform(scale, 0, 0, scale, x, y)
            document.doForm(element.get("href", "").removeprefix("#"))
            document.restoreState()
        return
    width = float(element.get("stroke-width", 0))
    document.setLineWidth(width)
    stroke = int(width > 0)
    if kind == "ellipse":
        x, y, across, down = (float(element.get(name, 0)) for name in ("cx", "cy", "rx", "ry"))
        document.ellipse(x - across, y - down, x + across, y + down, stroke=stroke, fill=1)
    elif kind == "rect":
        x, y, across, down = (float(element.get(name, 0)) for name in ("x", "y", "width", "height"))
        document.rect(
            x, y, across, down, stroke=stroke, fill=int(element.get("fill-opacity") is None)
        )
    elif kind in ("path", "polygon", "polyline"):
        drawn = document.beginPath()
        parse_path(element.get("d") or _as_path(element, kind), _Pen(drawn))
        document.drawPath(drawn, stroke=stroke, fill=int(kind == "polygon"))


def _as_path(element: ET.Element, kind: str) -> str:
    return f"M{element.get('points', '')}{'Z' * (kind == 'polygon')}"


def _write(text: ET.Element, height: float, document: Canvas) -> None:
    bold, italic = ("font-weight" in text.attrib), ("font-style" in text.attrib)
    size = float(text.get("font-size", 0)) * _POINTS
    runs = list(_runs(text.text or "", _embed(bold, italic)))
    x, y = _on_page(float(text.get("x", 0)), float(text.get("y", 0)), height)
    widths = [pdfmetrics.stringWidth(words, font, size) for font, words in runs]
    x -= _SHARES[text.get("text-anchor", "start")] * sum(widths)
    for (font, words), width in zip(runs, widths, strict=True):
        document.setFont(font, size)
        document.drawString(x, y, words)
        x += width


def _runs(text: str, usual: str) -> Iterator[tuple[str, str]]:
    """The pieces of a text that are in one font each, with its name."""
    named = (name for name, letters in _EASTERN.items() if re.search(letters, text))
    eastern = next(named, usual)
    if eastern != usual:
        pdfmetrics.registerFont(UnicodeCIDFont(eastern))
    for is_eastern, letters in groupby(text, _is_eastern):
        yield eastern if is_eastern else usual, "".join(letters)


def _is_eastern(letter: str) -> bool:
    return any(re.match(letters, letter) for letters in _EASTERN.values())


@cache
def _embed(bold: bool, italic: bool) -> str:
    """The name of the font whose widths verovio reckons with; it comes inside a style sheet."""
    styles = (resources() / f"{_FONT}.css").read_text("ascii")
    for face in _FONT_FACE.finditer(styles):
        if (face["weight"] == "bold", face["slope"] == "italic") == (bold, italic):
            font = TTFont(BytesIO(base64.b64decode(face["data"])), recalcTimestamp=False)
            font.flavor = None  # uncompressed, as reportlab reads it
            file = BytesIO()
            font.save(file)
            file.seek(0)
            name = f"{_FONT}{'-bold' * bold}{'-italic' * italic}"
            pdfmetrics.registerFont(EmbeddedFont(name, file))
            return name
    raise RuntimeError(f"this version of verovio has no {_FONT} font inside")
