"""Sections begin where the drummer plays something else."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from scores import BACKBEAT, CASES, read_score

from drum2midi.form import section_letters, section_starts
from drum2midi.transcription import Transcription

EIGHTHS, REST = "x-x- x-x- x-x- x-x-", "."


def times(count: int, bar: str) -> str:
    return "|".join([bar] * count)


@pytest.fixture
def verse_chorus_verse() -> Transcription:
    """Eight bars on the hi-hat with a fill, eight on the ride, eight on the hi-hat."""
    verse = times(8, "x--- ---- x-x- ----")
    return read_score(
        f"""
hh {times(7, EIGHTHS)}|{times(9, REST)}|{times(8, EIGHTHS)}
rd {times(8, REST)}|{times(8, EIGHTHS)}|{times(8, REST)}
cr {times(8, REST)}|x--- ---- ---- ----|{times(15, REST)}
sd {times(7, "---- x--- ---- x---")}|xxxx xxxx xxxx xxxx|{times(16, "---- x--- ---- x---")}
bd {verse}|{times(8, "x-x- x--- x-x- x---")}|{verse}
"""
    )


def test_sections(verse_chorus_verse: Transcription) -> None:
    assert section_letters(verse_chorus_verse) == {0: "A", 8: "B", 16: "C"}


@pytest.mark.parametrize("seed", range(5))
def test_sections_of_a_poor_transcription(verse_chorus_verse: Transcription, seed: int) -> None:
    chance = random.Random(seed)
    kept = [note for note in verse_chorus_verse.notes if chance.random() > 0.06]
    strays = [replace(chance.choice(kept), bar=chance.randrange(24)) for _ in range(15)]
    song = replace(verse_chorus_verse, notes=(*kept, *strays))
    assert {8, 16} <= set(section_starts(song))


@pytest.mark.parametrize("crash", ["x--- ---- ---- ----", "."])
def test_a_fill_ends_a_section(crash: str) -> None:
    verse = times(7, EIGHTHS) + "|" + REST
    song = read_score(
        f"""
hh {verse}|{times(8, REST)}|{verse}|{times(8, REST)}
rd {times(8, REST)}|{verse}|{times(8, REST)}|{verse}
cr {times(8, REST)}|{crash}|{times(7, REST)}|{crash}|{times(7, REST)}|{crash}|{times(7, REST)}
sd {"|".join([times(7, "---- x--- ---- x---"), "xxxx xxxx xxxx xxxx"] * 4)}
bd {times(32, "x--- ---- x-x- ----")}
"""
    )
    assert section_starts(song) == [0, 8, 16, 24]


def test_one_groove_has_no_letters() -> None:
    assert section_letters(read_score(BACKBEAT, times=40)) == {}
    assert section_letters(read_score("sd .|.|.")) == {}
    for case in CASES.values():
        assert section_letters(case.read()) == {}


@pytest.mark.parametrize(
    ("bars", "letters"),
    [
        ("FGGGGGGGGGGGGGGGGE", {}),
        ("FGGGGGGGGRRRRRRRRFE", {1: "A", 9: "B"}),
        ("TTTGGGGGGGGRRRRRRRR", {3: "A", 11: "B"}),
        ("GGGGGGGGTTGGGGGGGG", {0: "A", 10: "B"}),
        ("GGGGGGGGSSSRRRRRRRR", {0: "A", 11: "B"}),
        ("GGGGRRRRGGGFE", {0: "A", 4: "B", 8: "C"}),
        ("GGGFGGGFRRRFRRRFGGGFGGGFE", {0: "A", 8: "B", 16: "C"}),
        ("GGGFRRRFTTTFE", {0: "A", 4: "B", 8: "C"}),
        ("GGGGRRRRRTTTTTT", {0: "A", 4: "B", 9: "C"}),
    ],
)
def test_what_is_short_leads_in_or_ends_and_is_no_section(
    bars: str, letters: dict[int, str]
) -> None:
    """G and R are grooves on the hi-hat and ride, T on toms, F is a fill, E an end, S silence."""
    parts = {
        "hh": {"G": EIGHTHS},
        "rd": {"R": "x-xx x-xx x-xx x-xx"},
        "sd": {"G": "---- x--- ---- x---", "R": "---- x--g -g-- x-g-", "F": "xxxx xxxx ---- ----"},
        "ht": {"T": "xx-- xx-- xx-- xx--", "F": "---- ---- xxxx ----"},
        "ft": {"T": "x-xx x-xx x-xx x-xx", "F": "---- ---- ---- xxxx"},
        "bd": {"G": "x--- ---- x-x- ----", "R": "x--x --x- x--x --x-", "E": "x"},
        "cr": {"E": "x"},
    }
    lines = [f"{drum} " + "|".join(of.get(bar, REST) for bar in bars) for drum, of in parts.items()]
    assert section_letters(read_score("\n".join(lines))) == letters


def test_a_pickup_is_not_a_section() -> None:
    verse, chorus = times(4, "x--- ---- x--- ----"), times(4, "xxxx xxxx xxxx xxxx")
    song = read_score(f"metre 4/4:1|4/4\nsd xxxx|{verse}|{chorus}\nhh .|{chorus}|{verse}")
    assert section_letters(song) == {1: "A", 5: "B"}


def test_the_27th_letter() -> None:
    grooves = [times(4, "x--- x--- x--- x---"), times(4, "-xxx -xxx -xxx -xxx")]
    line = "|".join(grooves[i % 2] for i in range(28))
    letters = section_letters(read_score(f"sd {line}\nhh {line}"))
    assert list(letters.values())[-3:] == ["Z", "AA", "BB"]
