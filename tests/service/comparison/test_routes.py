"""GET /experiments/{id}/comparison: what is called better, what is not, and what is said beside it."""

from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from lab.database.tables import Run, now
from lab.experiments.configs import NORMALIZATIONS, RunConfig
from tests.service.finished_runs import Accuracies, finish_runs, submit

NOISE = (0.0, 0.004, -0.003, 0.002, -0.001, 0.005, -0.004, 0.001, 0.003, -0.002)


def shift(levels: dict[str, float]) -> Accuracies:
    """Each normalization's own level, and noise by seed that differs a little between normalizations."""

    def find(config: RunConfig) -> list[float]:
        noise = (
            NOISE[config.seed]
            + 0.1 * NOISE[(config.seed + NORMALIZATIONS.index(config.normalization)) % len(NOISE)]
        )
        return [levels[config.normalization] + noise]

    return find


def compare(client: TestClient, experiment_id: int, **params: str) -> dict[str, Any]:
    response = client.get(f"/experiments/{experiment_id}/comparison", params=params)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def compare_two(
    client: TestClient, app: FastAPI, *, seeds: int, lead: float, **params: str
) -> dict[str, Any]:
    configs = [{"normalization": "batch"}, {"normalization": "group"}]
    experiment_id = submit(client, configs=configs, seeds=seeds)
    finish_runs(app, experiment_id, shift({"batch": 0.90, "group": 0.90 + lead}))
    (pair,) = compare(client, experiment_id, **params)["pairs"]
    found: dict[str, Any] = pair
    return found


class TestVerdict:
    def test_better_with_six_seeds_that_agree(self, client: TestClient, app: FastAPI) -> None:
        pair = compare_two(client, app, seeds=6, lead=0.02)

        assert (pair["a"], pair["b"], pair["num_seeds"]) == ("batch", "group", 6)
        assert pair["difference"] == pytest.approx(-0.02, abs=1e-3)
        assert pair["ci_low"] < pair["difference"] < pair["ci_high"] < 0
        assert pair["p_value"] == pair["p_adjusted"] == pair["p_holm"] == pair["smallest_p"] == 2 / 64
        assert pair["outcome"] == "b_better"
        assert pair["simultaneous_low"] < pair["difference"] < pair["simultaneous_high"] < 0
        margin = 100 * (pair["simultaneous_high"] - pair["simultaneous_low"]) / 2
        size = f"{-100 * pair['difference']:.2f} ± {margin:.2f}"
        assert pair["verdict"] == f"group is better than batch by {size} points"
        assert (pair["differing"], pair["warnings"]) == (["normalization"], [])

    def test_says_how_much_other_test_images_could_change(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}], seeds=2)
        finish_runs(app, experiment_id, lambda config: [0.9])

        answer = compare(client, experiment_id)
        scope = answer["method"]["scope"]

        assert scope.startswith("Every verdict is about other seeds on these 360 test images.")
        # √(0.9 · 0.1 / 360) = 0.0158
        assert "on 360 images the standard error of an accuracy of 90 % is 1.6 points." in scope

    def test_never_with_five(self, client: TestClient, app: FastAPI) -> None:
        pair = compare_two(client, app, seeds=5, lead=0.09)

        assert pair["outcome"] == "cannot_conclude"
        assert pair["verdict"] == "cannot conclude: fewer than 6 seeds (5 pair up)"
        assert pair["p_value"] == 2 / 32

    def test_no_difference_names_what_could_have_been_shown(self, client: TestClient, app: FastAPI) -> None:
        pair = compare_two(client, app, seeds=6, lead=0.0, margin="0.0001")

        assert pair["outcome"] == "no_difference_found"
        most = 100 * max(-pair["simultaneous_low"], pair["simultaneous_high"])
        low, points, high = (
            f"{100 * pair[name]:.2f}"
            for name in ("detectable_low", "detectable_difference", "detectable_high")
        )
        assert pair["verdict"] == (
            f"no difference found; the interval excludes more than {most:.2f} points, and these seeds would "
            f"find a true difference of about {points} (from {low} to {high}) four times in five"
        )
        assert pair["p_adjusted"] > 0.05

    def test_says_what_would_settle_an_open_pair(self, client: TestClient, app: FastAPI) -> None:
        pair = compare_two(client, app, seeds=6, lead=0.0003, margin="0.0001")

        assert pair["outcome"] == "no_difference_found"
        number = pair["seeds_to_settle"]
        # An epoch of each of the two takes two seconds; there are 25.
        assert pair["to_settle"].startswith(f"about {number} more seeds ({2 * number} runs, ")
        assert pair["to_settle"].endswith(" here), if difference and spread stay as they are")

    def test_practically_the_same_within_the_margin(self, client: TestClient, app: FastAPI) -> None:
        configs = [{"normalization": "batch"}, {"normalization": "group"}]
        experiment_id = submit(client, configs=configs, seeds=8)
        finish_runs(app, experiment_id, shift({"batch": 0.9, "group": 0.9}))

        (pair,) = compare(client, experiment_id, margin="0.02")["pairs"]
        (strict,) = compare(client, experiment_id, margin="0.0001")["pairs"]

        assert (pair["outcome"], pair["margin"]) == ("practically_same", 0.02)
        assert pair["verdict"] == "practically the same: the difference is within 2.00 points"
        assert strict["outcome"] == "no_difference_found"
        # 0.1 points on 10,000 test images are 0.53 on 360.
        assert compare(client, experiment_id)["margin"] == pytest.approx(0.00527, abs=1e-5)

    def test_a_margin_is_a_fraction(self, client: TestClient) -> None:
        experiment_id = submit(client)
        for margin in ("0", "1", "nan", "a tenth"):
            response = client.get(f"/experiments/{experiment_id}/comparison?margin={margin}")
            assert response.status_code == 422, margin

    def test_identical_figures_promise_nothing(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}], seeds=6)
        finish_runs(app, experiment_id, lambda config: [0.9])

        (pair,) = compare(client, experiment_id)["pairs"]

        assert (pair["p_value"], pair["effect_size"], pair["detectable_difference"]) == (1.0, None, None)
        assert pair["outcome"] == "practically_same"
        assert any("6 of 6 seeds tie" in warning for warning in pair["warnings"])

    def test_six_seeds_put_four_in_order(self, client: TestClient, app: FastAPI) -> None:
        levels = {"batch": 0.9, "group": 0.8, "layer": 0.7, "none": 0.6}
        experiment_id = submit(client, grid={"normalization": list(levels)}, seeds=6)
        finish_runs(app, experiment_id, shift(levels))

        answer = compare(client, experiment_id)

        assert [pair["outcome"] for pair in answer["pairs"]] == ["a_better"] * 6
        assert answer["warnings"] == []
        assert {pair["p_adjusted"] for pair in answer["pairs"]} == {2 / 64}
        assert {pair["p_holm"] for pair in answer["pairs"]} == {6 * 2 / 64}

    def test_says_that_one_has_many_times_the_parameters(self, client: TestClient) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "layer"}], seeds=6)

        (pair,) = compare(client, experiment_id)["pairs"]

        assert pair["warnings"][0].startswith("layer has 8.2 times as many parameters (64,772 against 7,940)")
        assert pair["warnings"][0].endswith(
            "The preset layer-forms has it with γ and β for each channel too."
        )


class TestWarnings:
    def test_name_the_factors_of_a_confounded_pair(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client)
        finish_runs(app, experiment_id, lambda config: [0.9])

        pairs = {(pair["a"], pair["b"]): pair for pair in compare(client, experiment_id)["pairs"]}

        study = pairs["batch + L1 + L2", "group + L1"]
        assert study["differing"] == ["normalization", "penalty"]
        assert study["warnings"][0].startswith("Confounded: normalization and penalty differ together")
        assert "test loss set the learning rate" in study["warnings"][1]
        instance = pairs["batch + L1 + L2", "instance + L1 + L2"]
        assert instance["differing"] == ["normalization", "affine"]

    def test_name_runs_that_are_left_out(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(
            client, configs=[{}, {"normalization": "group"}, {"normalization": "layer"}], seeds=7
        )
        finish_runs(app, experiment_id, shift({"batch": 0.9, "group": 0.8, "layer": 0.7}), leave_out=(6, 9))

        answer = compare(client, experiment_id)

        named = "Left out, because not completed: batch, seed 6 (queued); group, seed 2 (queued)."
        assert answer["warnings"][0] == named
        batch_group, batch_layer, _ = answer["pairs"]
        assert (batch_group["num_seeds"], batch_group["warnings"]) == (5, [named])
        assert batch_layer["num_seeds"] == 6
        assert answer["warnings"][1].startswith("Preliminary: runs are still to come.")
        assert batch_layer["warnings"][1] == "Left out, because not completed: batch, seed 6 (queued)."

    def test_say_that_failing_may_be_the_configurations_own_doing(
        self, client: TestClient, app: FastAPI
    ) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "none"}], seeds=2)
        finish_runs(app, experiment_id, shift({"batch": 0.9, "none": 0.8}), leave_out=[3])
        with app.state.resources.database.transaction() as session:
            run = session.get_one(Run, 4)
            run.job_id, run.finished_at, run.error = None, now(), "the loss is no longer finite"

        note = compare(client, experiment_id)["warnings"][0]

        assert note.startswith("Left out, because not completed: no norm, seed 1 (failed). Failing may be")

    def test_of_what_has_not_begun(self, client: TestClient) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}])

        (pair,) = compare(client, experiment_id)["pairs"]

        assert (pair["difference"], pair["p_value"], pair["p_holm"], pair["num_seeds"]) == (
            None,
            None,
            None,
            0,
        )
        assert pair["outcome"] == "cannot_conclude"
        assert pair["mcnemar"] == []

    def test_of_networks_that_have_hardly_learned(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "none"}], seeds=6)
        finish_runs(app, experiment_id, shift({"batch": 0.9, "none": 0.1}))

        (warning,) = compare(client, experiment_id)["warnings"]

        assert warning.startswith("Hardly learned anything yet, at a mean accuracy below 20%: no norm.")

    def test_of_an_outlier_that_carries_the_mean(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}], seeds=6)
        leads = (0.001, 0.002, 0.001, 0.002, 0.001, 0.2)
        finish_runs(
            app,
            experiment_id,
            lambda config: [0.7 + (leads[config.seed] if config.normalization == "batch" else 0.0)],
        )

        (pair,) = compare(client, experiment_id)["pairs"]

        assert pair["outcome"] == "a_better"
        assert pair["verdict"].startswith("batch is usually ahead of group by ")
        caution, interval, images = pair["warnings"]
        assert caution.startswith("group was steadier on these seeds: standard deviation ")
        assert "One seed brings 100% of the sum of squared differences." in caution
        assert "the median difference is +0.15 points" in caution
        assert "The simultaneous interval includes 0" in interval
        assert images.startswith("Holds for these test images; with others,")


class TestMcNemar:
    def test_counts_images_for_each_seed_that_both_completed(self, client: TestClient, app: FastAPI) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}], seeds=3)
        levels = {"batch": 0.9, "group": 0.8}
        finish_runs(app, experiment_id, lambda config: [levels[config.normalization]], leave_out=(2,))

        (pair,) = compare(client, experiment_id)["pairs"]

        # 324 and 288 of the first of 360 images are right.
        counts = {"only_a_correct": 36, "only_b_correct": 0, "p_value": pytest.approx(2 / 2**36)}
        assert pair["mcnemar"] == [{"seed": seed, **counts} for seed in (0, 1)]


class TestOtherImages:
    def find_pair(
        self, client: TestClient, app: FastAPI, *, num_ahead: int, seeds: int = 6
    ) -> dict[str, Any]:
        """A pair of which the first is right on so many of 360 images more, the same with each seed."""
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}], seeds=seeds)
        right = {"batch": 300 + num_ahead, "group": 300}
        finish_runs(app, experiment_id, lambda config: [right[config.normalization] / 360])
        (pair,) = compare(client, experiment_id)["pairs"]
        found: dict[str, Any] = pair
        return found

    def test_of_a_clear_lead_the_interval_excludes_none(self, client: TestClient, app: FastAPI) -> None:
        pair = self.find_pair(client, app, num_ahead=9)

        # Seeds do not differ: √(0.025 · 0.975 / 359) = 0.0082, times 1.97.
        assert pair["outcome"] == "a_better"
        assert (pair["images_low"], pair["images_high"]) == pytest.approx((0.0088, 0.0412), abs=1e-4)
        assert pair["scope"] == (
            "For other seeds on these 360 test images. With other test images as well, the difference lies "
            "between +0.88 and +4.12 points (95 %)."
        )
        assert pair["warnings"] == []

    def test_of_a_lead_on_three_images_it_cautions(self, client: TestClient, app: FastAPI) -> None:
        pair = self.find_pair(client, app, num_ahead=3)

        assert pair["outcome"] == "a_better"
        assert pair["images_low"] < 0 < pair["images_high"]
        caution = "Holds for these test images; with others, the interval includes no difference."
        assert caution in pair["warnings"]

    def test_takes_two_seeds(self, client: TestClient, app: FastAPI) -> None:
        pair = self.find_pair(client, app, num_ahead=9, seeds=1)

        assert (pair["images_low"], pair["images_high"]) == (None, None)
        assert pair["scope"] == "For other seeds on these 360 test images."


class TestRequest:
    def test_a_reference_is_compared_with_each_other_one(self, client: TestClient, app: FastAPI) -> None:
        levels = {"batch": 0.9, "group": 0.8, "layer": 0.7, "none": 0.6}
        experiment_id = submit(client, grid={"normalization": list(levels)}, seeds=7)
        finish_runs(app, experiment_id, shift(levels))

        answer = compare(client, experiment_id, reference="group")

        pairs = [(pair["a"], pair["b"]) for pair in answer["pairs"]]
        assert pairs == [("batch", "group"), ("group", "layer"), ("group", "no norm")]
        assert {pair["p_adjusted"] for pair in answer["pairs"]} == {2 / 128}
        assert {pair["outcome"] for pair in answer["pairs"]} == {"a_better"}

    def test_a_reference_must_be_a_label(self, client: TestClient) -> None:
        experiment_id = submit(client)

        response = client.get(f"/experiments/{experiment_id}/comparison?reference=batch")

        assert response.status_code == 422
        assert "such as batch + L1 + L2, group + L1" in response.json()["detail"]

    def test_the_figure_may_be_the_epoch_that_validation_chose(
        self, client: TestClient, app: FastAPI
    ) -> None:
        experiment_id = submit(client, configs=[{}, {"normalization": "group"}], seeds=6)
        ends = {"batch": [0.8, 0.9], "group": [0.7, 0.95]}
        finish_runs(app, experiment_id, lambda config: ends[config.normalization])

        (final,) = compare(client, experiment_id)["pairs"]
        (chosen,) = compare(client, experiment_id, metric="test_accuracy_at_best_validation")["pairs"]

        assert final["difference"] == pytest.approx(-0.05)
        assert chosen["difference"] == pytest.approx(0.1)
        assert (chosen["mcnemar"], chosen["images_low"], chosen["images_high"]) == (None, None, None)
        assert chosen["scope"] == "For other seeds on the same test images."

    @pytest.mark.slow
    def test_a_hundred_configurations_are_compared_and_more_refused(
        self, client: TestClient, app: FastAPI
    ) -> None:
        dropout = [number / 200 for number in range(100)]
        experiment_id = submit(client, grid={"dropout": dropout}, seeds=2)
        rng = np.random.default_rng(0)
        finish_runs(app, experiment_id, lambda config: [0.9 + rng.uniform(0, 0.05)])
        assert len(compare(client, experiment_id)["pairs"]) == 4_950
        more = submit(client, grid={"dropout": [*dropout, 0.9]})

        response = client.get(f"/experiments/{more}/comparison")

        assert response.status_code == 422
        assert "101 configurations make 5050 pairs; at most 5000" in response.json()["detail"]
        assert len(compare(client, more, reference="batch, dropout 0.9")["pairs"]) == 100


class TestFactors:
    def test_of_a_grid(self, client: TestClient, app: FastAPI) -> None:
        """Batch leads group by 0.02 without a penalty and by 0.06 with one; the rest is noise."""
        grid = {"normalization": ["batch", "group"], "penalty": ["none", "l2"]}
        experiment_id = submit(client, grid=grid, seeds=8)

        def find(config: RunConfig) -> list[float]:
            lead = {"none": 0.02, "l2": 0.06}[config.penalty] if config.normalization == "batch" else 0.0
            noise = NOISE[(config.seed + len(config.label)) % len(NOISE)] / 10
            return [0.8 + lead + NOISE[config.seed] + noise]

        finish_runs(app, experiment_id, find)
        factors = compare(client, experiment_id)["factors"]

        effects = factors["effects"]["normalization"]
        assert [effect["held_fixed"] for effect in effects] == [{"penalty": "none"}, {"penalty": "l2"}]
        assert [effect["difference"] for effect in effects] == pytest.approx([0.02, 0.06], abs=2e-3)
        assert [effect["outcome"] for effect in effects] == ["a_better", "a_better"]
        # Six pairs, four of them effects, two averages, one interaction.
        assert {effect["num_tests"] for effect in effects} == {9}
        (average,) = factors["averages"]["normalization"]
        assert average["difference"] == pytest.approx(0.04, abs=2e-3)
        assert average["verdict"].startswith(
            "averaged over 2 levels of penalty, normalization batch is better than group by "
        )
        assert [effect["held_fixed"] for effect in factors["effects"]["penalty"]] == [
            {"normalization": "batch"},
            {"normalization": "group"},
        ]
        (interaction,) = factors["interactions"]
        assert (interaction["level"], interaction["other_level"]) == ("none", "l2")
        assert interaction["difference"] == pytest.approx(-0.04, abs=2e-3)
        assert interaction["outcome"] == "interaction"
        assert interaction["verdict"].startswith(
            "the lead of batch over group is lower with penalty none than with penalty l2 by "
        )

    def test_tell_whether_a_factor_matters_at_all(self, client: TestClient, app: FastAPI) -> None:
        levels = {"batch": 0.9, "group": 0.8, "layer": 0.9, "instance": 0.9}
        grid = {"normalization": list(levels), "penalty": ["none", "l1", "l2"]}
        experiment_id = submit(client, grid=grid, seeds=7)
        rng = np.random.default_rng(0)
        finish_runs(app, experiment_id, lambda config: [levels[config.normalization] + rng.normal(0, 0.01)])

        factors = compare(client, experiment_id)["factors"]

        normalization, penalty = factors["overall"]
        assert (normalization["factor"], normalization["num_settings"]) == ("normalization", 3)
        assert normalization["level_means"] == pytest.approx(levels, abs=0.01)
        assert normalization["outcome"] == "levels_differ"
        assert "not all alike: from group at 80" in normalization["verdict"]
        assert (penalty["factor"], penalty["outcome"]) == ("penalty", "no_difference_found")
        found = {
            one["outcome"]
            for one in factors["averages"]["normalization"]
            if "group" in (one["a_level"], one["b_level"])
        }
        assert found == {"a_better", "b_better"}

    def test_of_the_study_cannot_be_told_apart(self, client: TestClient) -> None:
        assert compare(client, submit(client))["factors"] is None

    def test_of_the_full_grid(self, client: TestClient) -> None:
        grid = {
            "normalization": ["batch", "group", "layer", "instance", "none"],
            "penalty": ["none", "l1", "l2", "l1+l2"],
        }
        factors = compare(client, submit(client, grid=grid))["factors"]

        sizes = {name: len(effects) for name, effects in factors["effects"].items()}
        assert sizes == {"normalization": 4 * 10, "penalty": 5 * 6}
        assert {name: len(found) for name, found in factors["averages"].items()} == {
            "normalization": 10,
            "penalty": 6,
        }
        assert len(factors["interactions"]) == 10 * 6
