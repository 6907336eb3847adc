"""The frame around every view: navigation, theme, policy, a lost connection."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow

VIEWS = {
    "Experiments": "Experiments",
    "New": "New experiment",
    "Draw": "Draw a digit",
    "Appendix": "Which values share a mean?",
    "System": "System",
}


def test_every_view_is_reached_by_name_and_by_address(page: Page) -> None:
    page.goto("/")
    for link, heading in VIEWS.items():
        page.get_by_role("navigation").get_by_role("link", name=link, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(page.locator("nav [aria-current=page]")).to_have_text(link)
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_loads_nothing_from_elsewhere_under_a_policy_without_inline_script(page: Page) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    answer = page.goto("/")
    assert answer is not None
    page.get_by_role("link", name="System", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("System")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert {re.sub(r"^(http://127\.0\.0\.1:\d+)/.*", r"\1", address) for address in addresses} == {
        page.evaluate("location.origin")
    }


def test_the_theme_is_kept(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background)
    assert light != dark

    button = page.get_by_role("button", name="Theme")
    button.click()
    expect(button).to_have_accessible_name("Theme: light")
    assert page.evaluate(background) == light
    page.reload()
    assert page.evaluate(background) == light


@pytest.mark.parametrize("width", [390, 1440])
def test_no_view_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for address in ("#/", "#/new", "#/draw", "#/appendix", "#/system"):
        page.goto(f"/{address}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
