"""The library is compiled once and kept; where it cannot be, the error says why."""

import importlib.util
import logging
from pathlib import Path

import pytest

from worker.engines import compilation
from worker.engines.compilation import EngineUnavailableError, count_lanes, load_library

pytestmark = pytest.mark.slow

# Compiled in a blink, where the engine takes seconds.
SOURCE = 'extern "C" int count_lanes() { return LANES; }\n'


def put_source(folder: Path, monkeypatch: pytest.MonkeyPatch, *, text: str = SOURCE) -> None:
    """Have this be compiled in place of the engine."""
    folder.mkdir()
    (folder / "engine.cpp").write_text(text)
    monkeypatch.setattr(compilation, "SOURCE_DIR", folder)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of ``SOURCE`` for 8 lanes, compiled into a folder that was not there."""
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as monkeypatch:
        put_source(folder / "native", monkeypatch)
        assert load_library(8, cache_dir=folder / "cache").count_lanes() == 8
    (path,) = (folder / "cache").iterdir()
    return path


def hide_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


@pytest.mark.parametrize(
    ("num_lanes", "text", "is_kept"), [(8, SOURCE, True), (4, SOURCE, False), (8, f"\n{SOURCE}", False)]
)
def test_library_is_kept_for_its_number_of_lanes_and_its_source(
    compiled: Path, tmp_path: Path, num_lanes: int, text: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_source(tmp_path / "native", monkeypatch, text=text)
    hide_compiler(monkeypatch)
    if is_kept:
        assert load_library(num_lanes, cache_dir=compiled.parent).count_lanes() == num_lanes
    else:
        with pytest.raises(EngineUnavailableError):
            load_library(num_lanes, cache_dir=compiled.parent)


def test_without_a_compiler_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_compiler(monkeypatch)
    with pytest.raises(EngineUnavailableError, match="ziglang, is not installed"):
        load_library(4, cache_dir=tmp_path)


def test_a_source_that_is_refused_is_an_error_with_the_compilers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_source(tmp_path / "native", monkeypatch, text="this is no program;\n")
    with pytest.raises(EngineUnavailableError, match=r"engine\.cpp:1:1: error"):
        load_library(4, cache_dir=tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_source(tmp_path / "native", monkeypatch)
    (tmp_path / "a file").touch()
    with pytest.raises(EngineUnavailableError, match="a file"):
        load_library(4, cache_dir=tmp_path / "a file" / "cache")


def test_a_damaged_library_is_made_again(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_source(tmp_path / "native", monkeypatch)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / compiled.name).write_bytes(b"no library")
    with caplog.at_level(logging.WARNING):
        assert load_library(8, cache_dir=cache).count_lanes() == 8
    assert "cannot be loaded" in caplog.text
    assert [path.name for path in cache.iterdir()] == [compiled.name]


def test_another_version_of_the_compiler_makes_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for version in ("0.17.0", "0.18.0"):
        monkeypatch.setattr(compilation, "_find_compiler_version", lambda version=version: version)
        names.append(compilation._fingerprint(8))
    assert names[0] != names[1]


def test_this_processor_has_lanes() -> None:
    assert count_lanes() in (4, 8, 16)
