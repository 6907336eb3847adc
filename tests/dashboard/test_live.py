"""One experiment, from the form to its deletion, as a user sees it."""

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.processes import Processes

pytestmark = pytest.mark.slow

# A run that nobody waits for.
LONG = {"name": "Long", "dataset": "digits", "configs": [{}], "epochs": 1_000}


def submit(lab: Processes, body: dict[str, object]) -> int:
    answer = lab.client.post("/experiments", json=body).raise_for_status()
    return int(answer.json()["id"])


@pytest.fixture(scope="module")
def finished(lab: Processes) -> int:
    """An experiment of two configurations with two seeds each that is completed."""
    grid = {"normalization": ["batch", "instance"], "penalty": ["none"]}
    body = {"name": "Two by two", "dataset": "digits", "grid": grid, "seeds": 2, "epochs": 2}
    experiment = lab.client.post("/experiments", json=body).raise_for_status().json()
    for run in experiment["runs"]:
        lab.wait_for_run(run["id"], epoch=2)
    return int(experiment["id"])


def test_an_experiment_submitted_by_the_form_is_followed_to_its_end(page: Page, lab: Processes) -> None:
    page.goto("/#/new")
    for name in ("group", "layer", "instance"):
        page.get_by_role("group", name="Normalizations").get_by_label(name).uncheck()
    page.get_by_role("group", name="Penalties").get_by_label("L2", exact=True).uncheck()
    page.get_by_label("Name", exact=True).fill("From <the> form")
    page.get_by_label("Seeds", exact=True).fill("2")
    page.get_by_label("Epochs", exact=True).fill("3")
    expect(page.get_by_text("1 configuration × 2 seeds = 2 runs")).to_be_visible()
    curl = page.locator(".shell code")
    expect(curl).to_contain_text('"seeds":2,"epochs":3')

    page.get_by_role("button", name="Queue experiment").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("From <the> form")
    # Everything below comes without a reload.
    expect(page.locator(".title .status")).to_have_text("completed")
    expect(page.locator(".title .bar")).to_contain_text("100%")
    expect(page.locator(".panel").first.locator(".scatterlayer .js-line")).not_to_have_count(0)
    expect(page.locator(".ranking li")).to_contain_text("batch")
    expect(page.get_by_role("link", name=re.compile("Weights of run"))).to_have_count(2)


def test_the_form_shows_an_error_in_the_api_s_words(
    page: Page, lab: Processes, complaints: list[str]
) -> None:
    page.goto("/#/new")
    page.get_by_label("Epochs", exact=True).fill("-1")
    answer = lab.client.post("/experiments", json={"epochs": -1})
    expect(page.get_by_role("alert")).to_contain_text(answer.json()["detail"])
    expect(page.get_by_role("button", name="Queue experiment")).to_be_disabled()
    # What a browser does not take for a number it does not give away either.
    page.get_by_label("Epochs", exact=True).fill("")
    page.get_by_label("Epochs", exact=True).press_sequentially("1e")
    expect(page.get_by_role("alert")).to_contain_text("epochs")
    page.get_by_label("Epochs", exact=True).fill("2")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("button", name="Queue experiment")).to_be_enabled()
    # The browser itself notes the refusal.
    assert all("status of 422" in complaint for complaint in complaints)
    complaints.clear()


def test_curves_show_what_is_chosen(page: Page, finished: int) -> None:
    page.goto(f"/#/experiments/{finished}")
    mean = page.get_by_role("group", name="Lines")
    test_accuracy = page.locator(".panel").filter(has_text="Test accuracy").locator(".scatterlayer .trace")
    # A mean and its band for each configuration.
    expect(test_accuracy).to_have_count(4)
    seeds = page.get_by_role("group", name="Seeds")
    expect(seeds).to_be_hidden()
    mean.get_by_text("Every run").click()
    expect(test_accuracy).to_have_count(4)
    seeds.get_by_role("button", name="1").click()
    expect(test_accuracy).to_have_count(2)
    seeds.get_by_role("button", name="0").click()
    expect(page.get_by_text("Nothing selected.")).to_be_visible()
    seeds.get_by_role("button", name="0").click()
    seeds.get_by_role("button", name="1").click()
    expect(test_accuracy).to_have_count(4)
    page.get_by_role("group", name="Normalizations").get_by_role("button", name="instance").click()
    expect(test_accuracy).to_have_count(2)
    expect(page.get_by_role("link", name="PNG")).to_have_attribute(
        "href", f"/experiments/{finished}/plots/overview.png?normalizations=batch"
    )
    page.get_by_role("button", name="Log scale").click()
    expect(page.locator(".panel h3").first).to_have_text("Train error")


def test_results_sort_and_verdicts_explain_themselves(page: Page, finished: int) -> None:
    page.goto(f"/#/experiments/{finished}")
    page.get_by_role("group", name="Rows").get_by_text("By run").click()
    seeds = page.get_by_role("group", name="One row per run").locator("tbody td:nth-child(2)")
    expect(seeds).to_have_text(["0", "1", "0", "1"])
    page.get_by_role("button", name="Seed", exact=True).click()
    expect(seeds).to_have_text(["1", "1", "0", "0"])
    expect(page.locator("[aria-sort]")).to_have_attribute("aria-sort", "descending")

    page.get_by_role("button", name="batch against instance").click()
    expect(page.locator(".verdict")).to_contain_text("Cannot conclude: fewer than 6 seeds (2 pair up).")
    expect(page.locator(".verdict")).to_contain_text("For other seeds on these 360 test images. With other")
    expect(page.locator(".verdicts")).to_contain_text("Every verdict is about other seeds on these 360 test")


def test_a_missing_experiment_is_said_to_be_missing(page: Page, complaints: list[str]) -> None:
    page.goto("/#/experiments/999")
    expect(page.get_by_role("alert")).to_contain_text("999")
    expect(page.get_by_role("main").get_by_role("link", name="All experiments")).to_be_visible()
    # The browser itself notes the 404.
    assert len(complaints) == 1
    complaints.clear()


def test_what_the_service_cannot_do_is_said_in_its_words_until_it_can(
    page: Page, finished: int, complaints: list[str]
) -> None:
    words = "The database cannot be used (disk is full): free some space on its disk."
    body = json.dumps({"error": "database_unavailable", "detail": words})
    failing = {"/events": 2, "/results": 1}

    def fail_a_while(route: Route) -> None:
        kind = "/events" if route.request.url.endswith("/events") else "/results"
        failing[kind] -= 1
        if failing[kind] < 0:
            route.continue_()
        else:
            route.fulfill(status=503, content_type="application/json", body=body)

    page.route(re.compile(r"/experiments/\d+/(events|results)$"), fail_a_while)
    page.goto(f"/#/experiments/{finished}")

    expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator(".panel").first.locator(".scatterlayer .js-line")).not_to_have_count(0)
    expect(page.get_by_text(words)).to_have_count(0)
    assert all("status of 503" in complaint for complaint in complaints)
    complaints.clear()


def test_the_list_is_filtered_and_searched_and_remembers_it(
    page: Page, lab: Processes, finished: int
) -> None:
    other = submit(lab, {**LONG, "name": "Something else"})
    page.goto("/")
    names = page.locator(".experiments h2")
    expect(names.filter(has_text="Something else")).to_be_visible()
    page.get_by_role("searchbox").fill("TWO BY")
    expect(names).to_have_text(["Two by two"])
    page.reload()
    expect(names).to_have_text(["Two by two"])
    page.get_by_role("searchbox").fill("nothing like it")
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Status").select_option("completed")
    expect(names.filter(has_text="Something else")).to_have_count(0)
    expect(names.filter(has_text="Two by two")).to_have_count(1)
    lab.client.delete(f"/experiments/{other}").raise_for_status()


def test_a_run_is_followed_paused_and_resumed(page: Page, lab: Processes, complaints: list[str]) -> None:
    experiment = submit(lab, LONG)
    page.goto(f"/#/experiments/{experiment}")
    status, epoch = page.locator(".title .status"), page.locator(".runs .bar .figure")
    expect(status).to_have_text("running")
    expect(epoch).not_to_have_text("0 / 1000")
    before = epoch.inner_text()
    expect(epoch).not_to_have_text(before)
    expect(page.locator(".runs .pace")).to_have_text(re.compile(r"(\d+:)?\d+:\d\d left · [\d,]+ images/s"))

    page.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(status).to_have_text("running")
    lab.client.delete(f"/experiments/{experiment}").raise_for_status()
    expect(page.get_by_role("main").get_by_text("Experiment deleted.")).to_be_visible()
    # The browser itself notes what was asked for between the deletion and the word of it.
    assert all("status of 404" in complaint for complaint in complaints)
    complaints.clear()


def test_seeds_that_are_added_appear_by_themselves(page: Page, lab: Processes, complaints: list[str]) -> None:
    experiment_id = submit(lab, LONG)
    page.goto(f"/#/experiments/{experiment_id}")
    added = page.get_by_text("seed 1", exact=True)
    expect(page.get_by_text("seed 0", exact=True)).to_be_visible()
    expect(added).to_have_count(0)

    lab.client.post(f"/experiments/{experiment_id}/seeds", json={"add": 1}).raise_for_status()

    expect(added).to_be_visible()
    expect(page.locator(".title")).to_contain_text("2 runs")
    lab.client.post(f"/experiments/{experiment_id}/cancel").raise_for_status()
    assert complaints == []


def test_cancelling_and_deleting_are_asked_for_twice(
    page: Page, lab: Processes, complaints: list[str]
) -> None:
    experiment = submit(lab, LONG)
    page.goto(f"/#/experiments/{experiment}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it running").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert lab.client.get(f"/experiments/{experiment}").json()["status"] in ("running", "queued")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel it").click()
    expect(page.locator(".title .status")).to_have_text("cancelled")
    page.reload()
    expect(page.locator(".title .status")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Experiments")
    assert lab.client.get(f"/experiments/{experiment}").status_code == 404
    # A refresh of the view may have crossed the deletion.
    complaints[:] = [complaint for complaint in complaints if "404" not in complaint]


def test_a_view_outlives_a_restart_of_the_service(page: Page, lab: Processes, complaints: list[str]) -> None:
    experiment = submit(lab, {**LONG, "name": "Restarted"})
    page.goto(f"/#/experiments/{experiment}")
    epoch = page.locator(".runs .bar .figure").first
    expect(epoch).not_to_have_text("0 / 1000")
    lab.kill("service")
    expect(page.get_by_text("Connection lost.")).to_be_visible()
    before = epoch.inner_text()
    lab.start("service")
    lab.wait_for_service()
    expect(page.get_by_text("Connection lost.")).to_be_hidden()
    expect(epoch).not_to_have_text(before)
    lab.client.delete(f"/experiments/{experiment}").raise_for_status()
    # The browser itself notes what it could not load.
    assert all("net::ERR" in complaint for complaint in complaints)
    complaints.clear()
