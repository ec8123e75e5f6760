"""Pages as SVG and PDF: complete, and readable without a browser or MuseScore."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import verovio
from scores import BACKBEAT, CASES, Case, read_score

from drum2midi.errors import InputError
from drum2midi.sheet import write_pages, write_sheet
from drum2midi.sheet.pages import _for_verovio
from drum2midi.transcription import Swing

SVG = "{http://www.w3.org/2000/svg}"


def texts(page: ET.Element) -> list[str]:
    return [element.text or "" for element in page.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", CASES)
def test_every_stroke_is_drawn(name: str, tmp_path: Path) -> None:
    case: Case = CASES[name]
    written = write_pages(case.read(), tmp_path / "a.svg", rolls="written")
    pages = [ET.parse(path).getroot() for path in written]
    heads = [group for page in pages for group in page.iter() if group.get("class") == "note"]
    assert len(heads) == len(case.read().notes)


@pytest.mark.parametrize(
    "hands",
    [
        "hh x-x- x-x- x-x- x-x-\nbd x--- -xxx-- xxx xxx",
        "bd x- -xxx-- --xx-- x-",
        "metre 5/8\nsd -xxx-- x- x- x- x-",
    ],
)
def test_verovio_reads_a_tuplet_that_begins_with_a_rest_as_it_is_written(
    hands: str, tmp_path: Path
) -> None:
    song = read_score(hands, bpm=60.0)
    write_sheet(song, tmp_path / "a.musicxml")
    toolkit = verovio.toolkit()
    toolkit.loadData(_for_verovio((tmp_path / "a.musicxml").read_bytes()))
    drawn = sorted({round(e["qstamp"], 3) for e in toolkit.renderToTimemap() if e.get("on")})
    first = song.grid.bar_quarters
    written = sorted({round(float(first[n.bar] + n.position), 3) for n in song.notes})
    assert drawn == pytest.approx(written, abs=2e-3)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.tremolos])
def test_rolls_are_tremolos(name: str, tmp_path: Path) -> None:
    (path,) = write_pages(CASES[name].read(), tmp_path / "a.svg")
    groups = [group.get("class") for group in ET.parse(path).getroot().iter()]
    assert groups.count("bTrem") == CASES[name].tremolos.count("/")


def test_svg_is_plain(tmp_path: Path) -> None:
    song = read_score(BACKBEAT, title="A & B <live>", composer="Someone", swing=Swing(0.6), times=9)
    (path,) = write_pages(song, tmp_path / "a.svg")
    page = ET.parse(path).getroot()
    tags = {element.tag.removeprefix(SVG) for element in page.iter()}
    assert tags <= {"svg", "defs", "g", "path", "use", "text", "ellipse", "polygon", "rect"}
    assert (page.get("width"), page.get("height")) == ("210.0mm", "297.0mm")
    known = {f"#{element.get('id')}" for element in page.iter() if element.get("id")}
    assert {element.get("href") for element in page.iter(f"{SVG}use")} <= known
    said = texts(page)
    assert {"A & B <live>", "Someone", "Swing", "=", "120"} <= set(said)
    bars = [int(text) for text in said if text.isdigit() and text != "120"]
    assert bars == sorted(bars)
    assert 1 < len(bars) < 9


def test_words_of_a_line_stand_in_order(tmp_path: Path) -> None:
    (path,) = write_pages(read_score(BACKBEAT, swing=Swing(0.6)), tmp_path / "a.svg")
    tempo = next(g for g in ET.parse(path).getroot().iter() if g.get("class") == "tempo")
    note = next(tempo.iter(f"{SVG}use"))
    words, equals, number = tempo.iter(f"{SVG}text")
    moved = re.match(r"translate\((\d+)", note.get("transform"))
    start, end = float(words.get("x")), float(moved[1])
    assert end - start == pytest.approx(405 * 2.86, abs=20)  # "Swing " in Times bold
    assert start < end < float(equals.get("x")) < float(number.get("x"))


def test_a_long_title_fits_the_page(tmp_path: Path) -> None:
    for title in ("Short", "A very long title indeed " * 8):
        (path,) = write_pages(read_score(BACKBEAT, title=title), tmp_path / "a.svg")
        shown = next(t for t in ET.parse(path).iter(f"{SVG}text") if t.text == title.strip())
        assert 0.35 * float(shown.get("font-size")) * len(title) < 18_000
    assert float(shown.get("font-size")) > 100


def test_pages_are_numbered(tmp_path: Path) -> None:
    song = read_score(BACKBEAT, times=120)
    written = write_pages(song, tmp_path / "a.svg")
    assert [path.name for path in written] == ["a.svg", "a-2.svg", "a-3.svg"][: len(written)]
    assert len(written) > 1
    assert sorted(tmp_path.iterdir()) == sorted(written)
    shorter = write_pages(read_score(BACKBEAT), tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == list(shorter) == [tmp_path / "a.svg"]


def test_pages_are_drawn_in_any_thread(tmp_path: Path) -> None:
    song = CASES["backbeat"].read()
    write_pages(song, tmp_path / "a.svg")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(write_pages, song, tmp_path / "b.svg").result()
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()


def test_a_second_page_is_not_written_over_another_drawing(tmp_path: Path) -> None:
    mine = tmp_path / "a-2.svg"
    mine.write_text("<svg/>")
    with pytest.raises(InputError, match=r"cannot write .*a-2\.svg: it is there already"):
        write_pages(read_score(BACKBEAT, times=120), tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == [mine]
    write_pages(read_score(BACKBEAT), tmp_path / "a.svg")
    assert mine.read_text() == "<svg/>"


def test_another_songs_page_is_no_further_page_of_this_one(tmp_path: Path) -> None:
    (other,) = write_pages(read_score(BACKBEAT), tmp_path / "take-2.svg")
    before = other.read_bytes()
    write_pages(read_score(BACKBEAT), tmp_path / "take.svg")
    with pytest.raises(InputError, match=r"cannot write .*take-2\.svg: it is there already"):
        write_pages(read_score(BACKBEAT, times=120), tmp_path / "take.svg")
    assert other.read_bytes() == before


@pytest.mark.parametrize(("paper", "size"), [("a4", (595.28, 841.89)), ("letter", (612, 792))])
def test_pdf(paper: str, size: tuple[float, float], tmp_path: Path) -> None:
    song = read_score(BACKBEAT, times=120, title="Ça va – Барабан", composer="Someone")
    (path,) = write_pages(song, tmp_path / "a.pdf", paper=paper)
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    boxes = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert len(boxes) == len(write_pages(song, tmp_path / "a.svg", paper=paper))
    assert {(round(float(x), 2), round(float(y), 2)) for x, y in boxes} == {size}
    fonts = set(re.findall(rb"/BaseFont /\w+\+(\S+)", content))
    assert fonts == {b"LiberationSerif-Regular", b"LiberationSerif-Bold", b"LiberationSerif-Italic"}
    assert b"Helvetica" not in content
    assert len(content) < 400_000


@pytest.mark.parametrize(
    ("title", "font"),
    [
        ("さくら Drums", b"HeiseiMin-W3"),
        ("안녕 드럼", b"HYSMyeongJo-Medium"),
        ("鼓谱 2", b"STSong-Light"),
    ],
)
def test_titles_of_the_far_east(title: str, font: bytes, tmp_path: Path) -> None:
    (path,) = write_pages(read_score(BACKBEAT, title=title), tmp_path / "a.pdf")
    content = path.read_bytes()
    eastern = set(re.findall(rb"/BaseFont /(Heisei[\w-]+|HYS[\w-]+|STS[\w-]+)", content))
    assert {name.split(b"-Uni")[0] for name in eastern} == {font}
    assert b"LiberationSerif-Regular" in content


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_the_text_of_a_pdf_can_be_searched(tmp_path: Path) -> None:
    song = read_score(BACKBEAT, title="Ça va – Барабан", composer="Someone", swing=Swing(0.6))
    (path,) = write_pages(song, tmp_path / "a.pdf")
    shown = subprocess.run(
        ["pdftotext", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout
    for words in ("Ça va – Барабан", "Someone", "Swing", "120", "closed hi-hat", "snare", "kick"):
        assert words in shown


def test_one_line_says_what_is_wrong(tmp_path: Path) -> None:
    song = read_score(BACKBEAT)
    with pytest.raises(InputError, match="paper 'a3' is none of a4, letter"):
        write_pages(song, tmp_path / "a.pdf", paper="a3")
    with pytest.raises(InputError, match=r"pages are \.pdf or \.svg"):
        write_pages(song, tmp_path / "a.png")
    with pytest.raises(InputError, match="no folder"):
        write_pages(song, tmp_path / "none" / "a.pdf")
    assert list(tmp_path.iterdir()) == []
