"""The dashboard: every file it is made of is served, and it needs nothing from elsewhere."""

import functools
import re
from html.parser import HTMLParser
from pathlib import Path
from posixpath import join, normpath

import plotly
import pytest
from fastapi.testclient import TestClient

from service.dashboard_files import DASHBOARD_DIR, PLOTLY_ADDRESS, PLOTLY_FILE

FILES = sorted(path for path in DASHBOARD_DIR.rglob("*") if path.is_file())
MODULES = [path for path in FILES if path.suffix == ".js"]
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
# Names, never asked for: every SVG file and every formula must carry its own.
NAMESPACES = ('xmlns="http://www.w3.org/2000/svg"', '"http://www.w3.org/1998/Math/MathML"')
IMPORT = re.compile(r"""(?:\bfrom\s+|\bimport\s*\(?\s*)["']([^"']+)["']""")
STYLE_IMPORT = re.compile(r"""@import\s+["']([^"']+)["']|url\(\s*["']?([^"')]+)""")
# Parses the API's MathML as XML and copies only known elements; tests/dashboard tries a script in it.
READS_MATHML = DASHBOARD_DIR / "appendix/mathml.js"
READS_HTML = re.compile(
    r"\.(innerHTML|outerHTML)\b|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
)
RUNS_TEXT = re.compile(r"\beval\(|new Function\b|setTimeout\(\s*[\"'`]|javascript:")
SETS_STYLE = re.compile(r"""["']style["']|\bstyle:|\.cssText\b""")


def get_name(path: Path) -> str:
    return path.name


class Page(HTMLParser):
    """What an HTML page loads, and what a strict content security policy would refuse in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.refused: list[str] = []
        self.ids: set[str] = set()
        self.landmarks: list[str] = []
        self._open_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.refused += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.refused.append(tag)
        if tag == "a":
            self.links.append(given.get("href") or "")
        else:
            self.loaded += [value for name in ("src", "href") if (value := given.get(name))]
        if tag in ("header", "nav", "main"):
            self.landmarks.append(tag)
        self.ids.add(given.get("id") or "")
        self._open_script = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._open_script and data.strip():
            self.refused.append(f"script {data.strip()!r}")

    def handle_endtag(self, tag: str) -> None:
        self._open_script = False


def find_references(address: str, text: str) -> list[str]:
    """Addresses that the file at ``address`` has the browser load."""
    if address.endswith(".js"):
        found = IMPORT.findall(text)
    elif address.endswith(".css"):
        found = [one or other for one, other in STYLE_IMPORT.findall(text)]
    else:
        found = []
    return [normpath(join(address, "..", reference)) for reference in found]


@pytest.fixture
def page(client: TestClient) -> Page:
    return Page(client.get("/").text)


class TestServing:
    def test_page_is_html(self, client: TestClient) -> None:
        answer = client.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "Normalization Lab" in answer.text

    def test_everything_referred_to_is_served_and_nothing_is_left_over(
        self, client: TestClient, page: Page
    ) -> None:
        waiting, seen = [*page.loaded], set[str]()
        while waiting:
            address = waiting.pop()
            if address in seen:
                continue
            seen.add(address)
            answer = client.get(address)
            assert answer.status_code == 200, address
            media_type = answer.headers["content-type"].split(";")[0]
            assert media_type == MEDIA_TYPES[Path(address).suffix], address
            waiting += find_references(address, answer.text)
        expected = {
            f"/dashboard/{path.relative_to(DASHBOARD_DIR)}" for path in FILES if path.name != "index.html"
        }
        assert seen == expected

    def test_links_lead_somewhere(self, client: TestClient, page: Page) -> None:
        own = [link for link in page.links if not link.startswith("#")]
        assert "/docs" in own
        assert [link for link in own if client.get(link).status_code != 200] == []

    @pytest.mark.parametrize("path", ["no-such.js", "../app.py", "%2e%2e/app.py"])
    def test_serves_nothing_but_its_folder(self, client: TestClient, path: str) -> None:
        assert client.get(f"/dashboard/{path}").status_code == 404


class TestPlotly:
    def test_is_served_compressed_for_good_from_the_installed_package(self, client: TestClient) -> None:
        (address,) = re.findall(r'<meta name="plotly" content="([^"]+)">', client.get("/").text)
        assert plotly.__version__ in address
        answer = client.get(address, headers={"accept-encoding": "gzip, br"})
        assert answer.content == PLOTLY_FILE.read_bytes()
        assert answer.headers["content-encoding"] == "gzip"
        assert int(answer.headers["content-length"]) < len(answer.content) / 3
        assert "immutable" in answer.headers["cache-control"]

    def test_is_served_as_it_is_to_whom_cannot_decompress(self, client: TestClient) -> None:
        answer = client.get(PLOTLY_ADDRESS, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in answer.headers
        assert answer.content == PLOTLY_FILE.read_bytes()


class TestModules:
    @pytest.mark.parametrize("path", MODULES, ids=get_name)
    def test_view_imports_only_its_own_folder_and_common(self, path: Path) -> None:
        name = str(path.relative_to(DASHBOARD_DIR))
        allowed = {Path(name).parts[0], "common"}
        folders = {Path(imported).parts[0] for imported in find_references(name, path.read_text())}
        assert path.parent == DASHBOARD_DIR or folders <= allowed


class TestPolicy:
    @pytest.mark.parametrize("address", ["/", "/dashboard/dashboard.js", "/dashboard/common/dashboard.css"])
    def test_allows_nothing_inline_and_nothing_foreign(self, client: TestClient, address: str) -> None:
        policy = client.get(address).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert not re.search(r"unsafe|https?:|\*", policy)

    def test_page_has_no_inline_script_or_style(self, page: Page) -> None:
        assert page.refused == []

    @pytest.mark.parametrize("path", FILES, ids=get_name)
    def test_names_no_other_host(self, path: Path) -> None:
        text = functools.reduce(lambda rest, name: rest.replace(name, ""), NAMESPACES, path.read_text())
        assert re.findall(r"""(?:https?:|wss?:|["'(])//[^\s"')]*""", text) == []

    @pytest.mark.parametrize("path", MODULES, ids=get_name)
    def test_module_reads_no_text_as_html_script_or_style(self, path: Path) -> None:
        text = path.read_text()
        if path == READS_MATHML:
            text = text.replace('new DOMParser().parseFromString(text, "application/xml")', "")
        found = [pattern.search(text) for pattern in (READS_HTML, RUNS_TEXT, SETS_STYLE)]
        assert [match.group() for match in found if match] == []


class TestAccess:
    def test_page_names_its_language_and_landmarks(self, client: TestClient, page: Page) -> None:
        assert '<html lang="en">' in client.get("/").text
        assert page.landmarks == ["header", "nav", "main"]

    def test_skip_link_leads_to_main(self, page: Page) -> None:
        assert page.links[0] == "#main"
        assert "main" in page.ids

    def test_elements_that_modules_look_up_are_there(self, page: Page) -> None:
        wanted = {
            name for path in MODULES for name in re.findall(r'getElementById\("([^"]+)"\)', path.read_text())
        }
        assert wanted
        assert wanted <= page.ids
