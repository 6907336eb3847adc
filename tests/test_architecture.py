"""The house: what the README says of it is what there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.settings import Settings
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
PACKAGES = ("lab", "service", "worker", "launcher")


def list_tracked() -> list[str]:
    """Every file git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (REPOSITORY / path).exists()]


def read_tree() -> set[str]:
    """Paths in README's tree, the folders with a slash at their end."""
    block = README.split("<!-- tree -->")[1].split("```")[1]
    paths: set[str] = set()
    folders: list[str] = []
    for line in block.strip("\n").splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        # Several files may share a line; what follows two spaces is a comment.
        names = re.split(r"\s{2,}", line.strip())[0].split()
        folders = folders[:depth]
        paths |= {"".join(folders) + name for name in names}
        if names[0].endswith("/"):
            folders.append(names[0])
    return paths


def test_the_tree_in_the_readme_is_the_tree() -> None:
    tree = read_tree()
    tracked = list_tracked()

    missing = [path for path in tree if not (REPOSITORY / path).exists()]
    assert missing == [], "README names what is not there"
    modules = {
        path
        for path in tracked
        if path.split("/")[0] in PACKAGES and path.endswith(".py") and not path.endswith("__init__.py")
    }
    top = {path.split("/")[0] + ("/" if "/" in path else "") for path in tracked}
    assert modules <= tree, "README leaves modules out"
    assert {name for name in top if not name.startswith(".git")} <= tree, "README leaves top-level names out"


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
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

    for document in ("README.md", ".env.example", "docker-compose.yml"):
        mentioned = set(re.findall(r"LAB_[A-Z_]+[A-Z]", (REPOSITORY / document).read_text()))
        assert mentioned <= known, document


def test_imports_run_one_way() -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=REPOSITORY, capture_output=True, text=True
    )

    assert linted.returncode == 0, linted.stdout


def test_every_route_is_in_the_readme(tmp_path: Path) -> None:
    from service.app import create_app

    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/lab.db", data_dir=tmp_path))

    for path in app.openapi()["paths"]:
        pattern = re.sub(r"\\\{[a-z_]+\\\}", r"[\\w.{}-]+", re.escape(path))
        assert re.search(rf"\$LAB{pattern}[\s?'\"]", README), f"README has no curl line for {path}"


def test_nothing_tracked_is_large_or_vendored() -> None:
    tracked = list_tracked()

    large = [path for path in tracked if (REPOSITORY / path).stat().st_size > 600_000]
    assert large == []
    assert not any(path.endswith((".min.js", ".ubyte", ".pt", ".pickle")) for path in tracked)
