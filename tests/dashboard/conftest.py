"""A real Chromium before a real service and worker on the embedded digits."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.processes import Processes, run_lab

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Long enough for a short training on a busy machine; nothing waits longer than it takes.
PATIENCE_MS = 120_000.0


# For a file at a time: its event loop would be in the way of tests that run one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium without a window, or a skip that says that there is none."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed; on Debian: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        # Root, as whom CI runs, has no sandbox.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """A service and a worker for all tests of a file."""
    with run_lab(tmp_path_factory.mktemp("lab")) as processes:
        yield processes


class Complaints(list[str]):
    """What the browser's console said that it should not have."""

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.append(f"{message.type}: {message.text}")


@pytest.fixture
def complaints() -> Complaints:
    """Errors of the page's console; a test that provokes some clears them."""
    return Complaints()


@pytest.fixture
def page(browser: Browser, lab: Processes, complaints: Complaints) -> Iterator[Page]:
    """A page of a browser that has never been there; it must end without an error in its console."""
    address = str(lab.client.base_url).rstrip("/")
    context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("console", complaints.hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
