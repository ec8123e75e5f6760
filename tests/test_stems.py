"""The cache of stems, without what separates them."""

from __future__ import annotations

from pathlib import Path

import pytest

from drum2midi import stems


def test_a_stem_that_another_holds_stays_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRUM2MIDI_CACHE", str(tmp_path))
    monkeypatch.setattr(stems, "LIMIT", 10)
    held = tmp_path / "held.wav"
    held.write_bytes(bytes(20))

    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == held:
            raise PermissionError(13, "The file is open", str(path))  # as Windows does
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with stems.store_stem("new") as path:
            path.write_bytes(bytes(5))
    assert {one.name for one in tmp_path.iterdir()} == {"held.wav", "new.wav"}
    with stems.store_stem("newer") as path:
        path.write_bytes(bytes(5))
    assert "held.wav" not in {one.name for one in tmp_path.iterdir()}
