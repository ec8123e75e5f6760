"""The few things that a page is drawn with: paths, texts and the signs of a music font."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import verovio

NAMESPACE: Final = "http://www.w3.org/2000/svg"
TEXT: Final = f"{{{NAMESPACE}}}text"
"""The tag of a text."""

PER_MM: Final = 100
"""Units of a drawing in a millimetre."""

_MUSIC_FONT: Final = "Leipzig"
_TEXT_FONT: Final = "Times New Roman, Liberation Serif, Times, serif"


def tag(name: str) -> str:
    """The full name of an SVG element."""
    return f"{{{NAMESPACE}}}{name}"


def text_at(
    text: str,
    x: float,
    y: float,
    *,
    size: float,
    anchor: str = "start",
    bold: bool = False,
    italic: bool = False,
) -> ET.Element:
    """A text whose start, middle or end stands at a place."""
    attributes = {"x": f"{x:.0f}", "y": f"{y:.0f}", "stroke": "none", "font-family": _TEXT_FONT}
    attributes["font-size"] = f"{size:g}"
    if anchor != "start":
        attributes["text-anchor"] = anchor
    if bold:
        attributes["font-weight"] = "bold"
    if italic:
        attributes["font-style"] = "italic"
    element = ET.Element(TEXT, attributes)
    element.text = text.strip()
    return element


def line(x: float, y: float, to_x: float, to_y: float, *, width: float) -> ET.Element:
    """A straight line."""
    path = f"M{x:.0f} {y:.0f} L{to_x:.0f} {to_y:.0f}"
    return ET.Element(tag("path"), {"d": path, "stroke-width": f"{width:g}"})


def sign_at(
    sign: str, x: float, y: float, *, size: float, definitions: ET.Element
) -> ET.Element | None:
    """A sign of the music font as a path, so that nobody needs the font.

    Parameters
    ----------
    sign : str
        One character; None is drawn if the font does not have it.
    size : float
        Of the font: the height of a staff.
    definitions : Element
        The drawing's ``<defs>``, where the path is put if it is not there yet.
    """
    name = f"sign-{ord(sign):04X}"
    if all(known.get("id") != name for known in definitions):
        path = resources() / _MUSIC_FONT / f"{ord(sign):04X}.xml"
        if not path.is_file():
            return None
        drawn = ET.parse(path).getroot()
        for element in drawn.iter():
            element.tag = tag(element.tag)
        drawn.set("id", name)
        definitions.append(drawn)
    scale = f"{size / 1000:g}"
    move = f"translate({x:.0f}, {y:.0f}) scale({scale}, {scale})"
    return ET.Element(tag("use"), {"href": f"#{name}", "transform": move})


@cache
def text_widths(bold: bool, italic: bool) -> dict[str, float]:
    """Widths of a text font's characters, in sizes of the font."""
    kind = "-bold-italic" if bold and italic else "-bold" if bold else "-italic" if italic else ""
    return _read_widths(resources() / "text" / f"Times{kind}.xml")


@cache
def sign_widths() -> dict[str, float]:
    """Widths of the music font's signs, in sizes of the font."""
    return _read_widths(resources() / f"{_MUSIC_FONT}.xml")


def _read_widths(path: Path) -> dict[str, float]:
    root = ET.parse(path).getroot()
    unit = float(root.get("units-per-em", 1000))
    widths = {}
    for glyph in root.iter("g"):
        side, ink = float(glyph.get("x", 0)), float(glyph.get("w", 0))
        width = float(glyph.get("h-a-x", ink + 2 * side))  # it is left out of some
        widths[chr(int(glyph.get("c", "0"), 16))] = width / unit
    return widths


def resources() -> Path:
    """The folder of verovio's fonts."""
    return Path(verovio.__file__).parent / "data"
