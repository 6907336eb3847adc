"""The appendix's statistics: the study's figures exactly, and any tensor's against torch."""

import math
import re
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lab.errors import InvalidTensorError
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization, StatisticsSet, work_out

STUDY = work_out(STUDY_SAMPLE)

# (normalization, image, first channel, mean, variance, σ) as the reference recomputes them.
REFERENCE = [
    ("batch", 0, 0, "-3/8", "4.359375", 2.08791),
    ("layer", 0, 0, "1/8", "4.484375", 2.11763),
    ("group", 0, 0, "-1/4", "3.4375", 1.85405),
    ("group", 0, 2, "1/2", "5.25", 2.29129),
    ("instance", 0, 0, "-5/4", "2.1875", 1.47902),
    ("instance", 1, 0, "1/2", "2.25", 1.5),
    ("instance", 2, 0, "1/4", "4.6875", 2.16506),
    ("instance", 3, 0, "-1", "6", 2.44949),
]


def find_set(appendix: Appendix, normalization: Normalization, *, image: int, channel: int) -> StatisticsSet:
    sets = appendix.sets[normalization]
    return next(one for one in sets if one.images[0] == image and one.channels[0] == channel)


def make_tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normalize_by_torch(appendix: Appendix) -> dict[Normalization, Tensor]:
    """The four torch layers in float64 on the appendix's own tensor.

    torch's LayerNorm over (C, H, W) has one γ and β per pixel where the others have one per channel, so all
    run without them and they are applied per channel afterwards. An eps of 0 is refused by torch's BatchNorm
    in training; 1e-30 is lost beside any variance that is not 0.
    """
    x = make_tensor([[[[float(v) for v in r] for r in c] for c in n] for n in appendix.sample.pixels])
    affine, channels = appendix.affine, x.shape[1]
    eps = float(affine.eps) or 1e-30
    gamma = make_tensor([float(v) for v in affine.gamma or [1.0] * channels])
    beta = make_tensor([float(v) for v in affine.beta or [0.0] * channels])
    layers: dict[Normalization, torch.nn.Module] = {
        "batch": torch.nn.BatchNorm2d(channels, eps=eps, affine=False),
        "group": torch.nn.GroupNorm(appendix.groups, channels, eps=eps, affine=False),
        "layer": torch.nn.LayerNorm(list(x.shape[1:]), eps=eps, elementwise_affine=False),
        "instance": torch.nn.InstanceNorm2d(channels, eps=eps),
    }
    return {
        name: layer.double().train()(x) * gamma[:, None, None] + beta[:, None, None]
        for name, layer in layers.items()
    }


class TestStudySample:
    @pytest.mark.parametrize(("name", "image", "channel", "mean", "variance", "std"), REFERENCE)
    def test_figures_are_the_references_exactly(
        self, name: Normalization, image: int, channel: int, mean: str, variance: str, std: float
    ) -> None:
        one = find_set(STUDY, name, image=image, channel=channel)
        assert (one.mean, one.variance) == (Fraction(mean), Fraction(variance))
        assert round(one.std, 5) == std

    def test_only_pixels_the_study_does_not_print_are_filled_in(self) -> None:
        expected = {(n, c, h, w) for n in (1, 2, 3) for c in (1, 2, 3) for h in (0, 1) for w in (0, 1)}
        assert expected == STUDY_SAMPLE.filled_in
        touched = {name: [one.uses_filled_in for one in STUDY.sets[name]] for name in NORMALIZATIONS}
        assert touched["batch"] == [False, True, True, True]
        assert touched["layer"] == [False, True, True, True]
        assert touched["group"] == [False, False] + [True] * 6
        assert touched["instance"] == [False] * 4 + [False, True, True, True] * 3

    def test_first_note_corrects_the_group_figure_by_our_own(self) -> None:
        one = find_set(STUDY, "group", image=0, channel=0)
        note = STUDY.notes[0]
        ours = (f"−{float(-one.mean)}", f"{float(one.variance)}", f"{one.std:.5f}", f"2·2·2 = {one.count}")
        for figure in ("0.25 and a spread of 2.938", *ours):
            assert figure in note

    def test_second_note_explains_the_studys_figures_by_arithmetic_that_holds(self) -> None:
        note = STUDY.notes[1].replace("−", "-")
        named = re.search(r"such as ([-\d, ]+) and (\d),", note)
        assert named is not None
        example = torch.tensor([float(value) for value in (*named[1].split(", "), named[2])]).double()
        assert (len(example), example.sum().item(), (example**2).sum().item()) == (8, 2, 24)
        assert (example.mean().item(), example.var(correction=0).item()) == (0.25, 47 / 16)
        assert "24/8 - (2/8)² = 47/16 = 2.9375" in note
        # All sums of squares that give the study's two figures, to the digits printed, by number of values.
        fitting = {
            count: [s for s in range(100) if 2.9375 <= s / count - 0.25**2 < 2.9385] for count in (8, 16)
        }
        assert fitting == {8: [24], 16: [48]}
        assert "sixteen integers with sum 4 and squares adding up to 48" in note
        squares = sum(value**2 for value in find_set(STUDY, "group", image=0, channel=0).values)
        assert f"4 of the {squares} in their squares" in note
        assert squares - 4 == 24
        assert "probably" in note

    def test_no_set_has_the_studys_wrong_figure(self) -> None:
        figures = [one.variance for name in NORMALIZATIONS for one in STUDY.sets[name]]
        assert not [v for v in figures if round(float(v), 3) == 2.938 or round(math.sqrt(v), 3) == 2.938]

    def test_labels_name_the_colours(self) -> None:
        assert [one.label for one in STUDY.sets["group"][:2]] == [
            "image 1, blue + green",
            "image 1, yellow + brown",
        ]
        assert STUDY.sets["batch"][0].label == "all 4 images, blue"


class TestSets:
    def test_every_value_is_in_exactly_one_set_of_each_normalization(self) -> None:
        pixels = torch.arange(2 * 6 * 1 * 3).reshape(2, 6, 1, 3).tolist()
        appendix = work_out(pixels, groups=3)
        for name in NORMALIZATIONS:
            values = sorted(value for one in appendix.sets[name] for value in one.values)
            assert values == list(range(36))
        assert [len(appendix.sets[name]) for name in NORMALIZATIONS] == [6, 2, 6, 12]

    def test_decimals_are_taken_as_written(self) -> None:
        one = work_out([[[[0.1, 0.2]]]], groups=1).sets["batch"][0]
        assert (one.mean, one.variance) == (Fraction(3, 20), Fraction(1, 400))

    def test_one_group_is_layer_norm_and_says_so(self) -> None:
        appendix = work_out([[[[1]], [[2]]]], groups=1)
        assert appendix.normalized["group"] == appendix.normalized["layer"]
        assert any("groups = 1" in note for note in appendix.notes)


class TestNormalized:
    def test_the_studys_sample_is_what_torch_gives(self) -> None:
        for name, expected in normalize_by_torch(STUDY).items():
            ours = make_tensor(STUDY.normalized[name])
            torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)

    @settings(deadline=None, max_examples=60)
    @given(data=st.data())
    def test_any_tensor_is_what_torch_gives(self, data: st.DataObject) -> None:
        images, rows = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
        # torch refuses to normalize a single value a channel.
        columns = data.draw(st.integers(2, 3))
        groups = data.draw(st.integers(1, 3))
        channels = groups * data.draw(st.integers(1, 3))
        number = st.integers(-400, 400).map(lambda hundredths: hundredths / 100)
        count = images * channels * rows * columns
        flat = data.draw(st.lists(number, min_size=count, max_size=count))
        per_channel = st.none() | st.lists(number, min_size=channels, max_size=channels)
        appendix = work_out(
            make_tensor(flat).reshape(images, channels, rows, columns).tolist(),
            groups=groups,
            eps=data.draw(st.sampled_from([1e-5, 1e-3, 0.5])),
            gamma=data.draw(per_channel),
            beta=data.draw(per_channel),
        )
        for name, expected in normalize_by_torch(appendix).items():
            ours = make_tensor(appendix.normalized[name])
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)

    def test_constant_set_without_eps_is_zero_before_gamma_and_beta(self) -> None:
        appendix = work_out([[[[5, 5]], [[1, 3]]]], groups=2, gamma=[2, 2], beta=[0.5, 0])
        assert appendix.normalized["instance"] == ((((0.5, 0.5),), ((-2.0, 2.0),)),)
        assert any("Instance norm (image 1, channel 1)" in note and "0/0" in note for note in appendix.notes)

    def test_constant_set_with_eps_needs_no_note(self) -> None:
        appendix = work_out([[[[5, 5]]]], groups=1, eps=1e-12)
        assert appendix.normalized["batch"] == ((((0.0, 0.0),),),)
        assert not any("0/0" in note for note in appendix.notes)


class TestRefusals:
    @pytest.mark.parametrize(
        ("pixels", "sentence"),
        [
            (3, "pixels must be four nested lists [N][C][H][W], found a number"),
            ({}, "pixels must be four nested lists [N][C][H][W], found an object"),
            ([1, 2], "expected 4 levels [N][C][H][W], found 1"),
            (
                [[[1]]],
                "expected 4 levels [N][C][H][W], found 3; put a single image [C][H][W] in one more list",
            ),
            ([[[[[1]]]]], "expected 4 levels [N][C][H][W], found 5"),
            (
                [],
                "pixels holds an empty list at level 1; every level of [N][C][H][W] needs at least one entry",
            ),
            (
                [[[[]]]],
                "pixels holds an empty list at level 4; every level of [N][C][H][W] needs at least one entry",
            ),
            (
                [[[[1, 2], [3]]]],
                "pixels[0][0][1] has 1 entries along W (columns) where the first such list has 2; "
                "all must be equally long",
            ),
            ([[[[1]]], [[2]]], "pixels[1][0][0] is a number where a list along W (columns) belongs"),
            ([[[[1]], 2]], "pixels[0][1] is a number where a list along H (rows) belongs"),
            ([[[[1, [2]]]]], "pixels[0][0][0][1] is a list; only numbers can be worked out"),
            ([[[[True]]]], "pixels[0][0][0][0] is true or false; only numbers can be worked out"),
            ([[[["1"]]]], "pixels[0][0][0][0] is text; only numbers can be worked out"),
            ([[[[None]]]], "pixels[0][0][0][0] is null; only numbers can be worked out"),
            ([[[[math.nan]]]], "pixels[0][0][0][0] is not a number (NaN); it must be finite"),
            ([[[[-math.inf]]]], "pixels[0][0][0][0] is infinite; it must be finite"),
            ([[[[10**400]]]], "pixels[0][0][0][0] is larger than 1,000,000 in size; scale the numbers down"),
            (
                [[[[1e-10]]]],
                "pixels[0][0][0][0] is smaller than 1e-9 in size; make it 0 or scale the numbers up",
            ),
            (
                [[[[0] * 4097]]],
                "pixels of shape 1×1×1×4097 hold 4,097 values; at most 4,096 are worked out by hand",
            ),
        ],
    )
    def test_pixels(self, pixels: Any, sentence: str) -> None:
        with pytest.raises(InvalidTensorError) as refusal:
            work_out(pixels, groups=1)
        assert str(refusal.value) == sentence

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"groups": 3}, "groups=3 does not divide 4 channels; 1, 2 and 4 would"),
            ({"groups": 8}, "groups=8 does not divide 4 channels; 1, 2 and 4 would"),
            ({"groups": 10**5000}, "groups does not divide 4 channels; 1, 2 and 4 would"),
            ({"groups": 0}, "groups must be a whole number of at least 1"),
            ({"groups": True}, "groups must be a whole number of at least 1, found true or false"),
            ({"groups": 2.0}, "groups must be a whole number of at least 1, found a decimal number"),
            ({"groups": "2"}, "groups must be a whole number of at least 1, found text"),
            (
                {"eps": -1},
                "eps is negative; it must be 0 or more, since it keeps the root's argument positive",
            ),
            ({"eps": math.nan}, "eps is not a number (NaN); it must be finite"),
            ({"eps": None}, "eps is null; only numbers can be worked out"),
            ({"gamma": [1, 2, 3]}, "gamma has 3 numbers for 4 channels; give one per channel"),
            ({"beta": 1}, "beta must be a list of one number per channel, found a number"),
            ({"beta": [0, 0, 0, math.inf]}, "beta[3] is infinite; it must be finite"),
        ],
    )
    def test_options(self, options: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InvalidTensorError) as refusal:
            work_out(STUDY_SAMPLE, **options)
        assert str(refusal.value) == sentence

    def test_a_channel_alone_has_one_divisor(self) -> None:
        with pytest.raises(InvalidTensorError, match=r"^groups=2 does not divide 1 channel; 1 would$"):
            work_out([[[[1]]]])

    def test_the_largest_tensor_is_worked_out(self) -> None:
        appendix = work_out(torch.arange(4096).reshape(4, 4, 16, 16).tolist())
        assert appendix.sets["layer"][3].mean == Fraction(3072 + 4095, 2)
