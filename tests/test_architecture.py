"""The documentation of the structure agrees with the structure."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lab.settings import Settings
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text()
API = (REPOSITORY / "docs" / "api.md").read_text()


def list_tracked() -> list[str]:
    """Every file git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (REPOSITORY / path).exists()]


def read_tree() -> set[str]:
    """The folders in the tree of docs/architecture.md, without a slash at their end."""
    block = ARCHITECTURE.split("<!-- tree -->")[1].split("```")[1]
    folders: set[str] = set()
    parents: list[str] = []
    for line in block.strip("\n").splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        # Several folders may share a line; what follows two spaces is a comment.
        names = re.split(r"\s{2,}", line.strip())[0].split()
        parents = parents[:depth]
        folders |= {"".join(parents) + name.rstrip("/") for name in names}
        parents.append(names[0])
    return folders


def test_the_tree_names_every_folder_and_no_other() -> None:
    there = {str(parent) for path in list_tracked() for parent in Path(path).parents} - {"."}
    # Tests mirror the source.
    own = ("tests/chaos", "tests/pictures")
    there = {folder for folder in there if not folder.startswith("tests/") or folder in own}

    assert read_tree() == there


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=~]", requirement)[0] for requirement in project["dependencies"]}

    table = ARCHITECTURE.split("## Dependencies")[1]
    explained = {
        name for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in row.split(", ")
    }
    assert explained - {"package", "---"} == names


def test_every_link_between_documents_leads_somewhere() -> None:
    for path in [path for path in list_tracked() if path.endswith(".md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", (REPOSITORY / path).read_text()):
            if "://" not in target:
                assert (REPOSITORY / path).parent.joinpath(target).exists(), f"{path} links to {target}"


@pytest.mark.parametrize("document", ["docs/settings.md", ".env.example"])
def test_every_setting_is_documented_with_its_default(document: str) -> None:
    text = (REPOSITORY / document).read_text()

    for name, field in Settings.model_fields.items():
        variable = f"LAB_{name.upper()}"
        assert variable in text, f"{document} does not mention {variable}"
        if document == ".env.example" and field.default is not None:
            default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert f"{variable}={default}" in text


def test_no_setting_is_documented_that_is_not_there() -> None:
    known = {f"LAB_{name.upper()}" for name in Settings.model_fields}

    for document in ("docs/settings.md", ".env.example", "docker-compose.yml"):
        mentioned = set(re.findall(r"LAB_[A-Z_]+[A-Z]", (REPOSITORY / document).read_text()))
        assert mentioned <= known, document


def test_imports_run_one_way() -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=REPOSITORY, capture_output=True, text=True
    )

    assert linted.returncode == 0, linted.stdout


def test_every_route_has_a_curl_line(tmp_path: Path) -> None:
    from service.app import create_app

    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/lab.db", data_dir=tmp_path))

    for path in app.openapi()["paths"]:
        pattern = re.sub(r"\\\{[a-z_]+\\\}", r"[\\w.{}-]+", re.escape(path))
        assert re.search(rf"\$LAB{pattern}[\s?'\"]", API), f"docs/api.md has no curl line for {path}"


def test_nothing_tracked_is_large_or_vendored() -> None:
    tracked = list_tracked()

    large = [path for path in tracked if (REPOSITORY / path).stat().st_size > 600_000]
    assert large == []
    assert not any(path.endswith((".min.js", ".ubyte", ".pt", ".pickle")) for path in tracked)
