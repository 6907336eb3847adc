"""The library is compiled once and kept; where it cannot be, the error says why."""

import importlib.util
from pathlib import Path

import pytest

from worker.engines import compilation
from worker.engines.compilation import CompilationError, count_lanes, load_library


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source that is compiled in a blink, in place of the engine's."""
    folder = tmp_path / "native"
    folder.mkdir()
    (folder / "engine.cpp").write_text('extern "C" int count_lanes() { return LANES; }\n')
    monkeypatch.setattr(compilation, "SOURCE_DIR", folder)
    return folder / "engine.cpp"


def hide_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_library_is_compiled_once_for_each_number_of_lanes_and_each_source(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_dir = tmp_path / "not yet" / "there"
    assert load_library(8, cache_dir=cache_dir).count_lanes() == 8
    assert load_library(4, cache_dir=cache_dir).count_lanes() == 4
    assert len(list(cache_dir.iterdir())) == 2
    hide_compiler(monkeypatch)
    assert load_library(8, cache_dir=cache_dir).count_lanes() == 8
    # Another source is another library.
    source.write_text("\n" + source.read_text())
    with pytest.raises(CompilationError):
        load_library(8, cache_dir=cache_dir)


def test_without_a_compiler_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_compiler(monkeypatch)
    with pytest.raises(CompilationError, match="ziglang, is not installed"):
        load_library(4, cache_dir=tmp_path)


def test_a_source_that_is_refused_is_an_error_with_the_compilers_words(source: Path, tmp_path: Path) -> None:
    source.write_text("this is no program;\n")
    with pytest.raises(CompilationError, match=r"engine\.cpp:1:1: error"):
        load_library(4, cache_dir=tmp_path)


@pytest.mark.usefixtures("source")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(CompilationError, match="a file"):
        load_library(4, cache_dir=tmp_path / "a file" / "cache")


@pytest.mark.usefixtures("source")
def test_a_damaged_library_is_named(tmp_path: Path) -> None:
    load_library(4, cache_dir=tmp_path / "whole")
    (path,) = (tmp_path / "whole").iterdir()
    damaged = tmp_path / "damaged" / path.name
    damaged.parent.mkdir()
    damaged.write_bytes(b"no library")
    with pytest.raises(CompilationError, match="cannot be loaded"):
        load_library(4, cache_dir=damaged.parent)


def test_this_processor_has_lanes() -> None:
    assert count_lanes() in (4, 8, 16)
