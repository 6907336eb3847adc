import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lab.errors import InvalidConfigError
from lab.experiments.architecture import NORMALIZED_CHANNELS
from lab.experiments.configs import (
    CONFIG_FIELDS,
    MAX_SEED,
    NORMALIZATIONS,
    PENALTIES,
    STUDY_GROUPS,
    RunConfig,
)


def make_config(**values: Any) -> RunConfig:
    return RunConfig(**{"dataset": "digits", "schedule": "constant", **values})


groups = st.one_of(
    st.none(),
    st.sampled_from([1, 2]),
    st.tuples(
        *(
            st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0])
            for channels in NORMALIZED_CHANNELS
        )
    ),
)
configs = st.builds(
    RunConfig,
    dataset=st.sampled_from(["mnist", "digits"]),
    normalization=st.sampled_from(NORMALIZATIONS),
    l1=st.floats(0, 1),
    l2=st.floats(0, 1),
    dropout=st.floats(0, 1, exclude_max=True),
    groups=groups,
    affine=st.booleans(),
    penalize=st.sampled_from(["all", "weights"]),
    label=st.text(max_size=20),
    seed=st.integers(0, MAX_SEED),
    epochs=st.integers(1, 1_000),
    batch_size=st.integers(1, 8_192),
    learning_rate=st.floats(0, 10, exclude_min=True),
    momentum=st.floats(0, 1, exclude_max=True),
    schedule=st.sampled_from(["plateau", "onecycle", "constant"]),
    schedule_metric=st.sampled_from(["validation", "test"]),
    rotation_degrees=st.floats(0, 180),
    translation_pixels=st.floats(0, 14),
    scaling_percent=st.floats(0, 50),
    interpolation=st.sampled_from(["bilinear", "nearest"]),
    validation_size=st.integers(1, 1_000_000),
)


class TestJson:
    @hypothesis_settings(deadline=None)
    @given(configs)
    def test_any_configuration_comes_back_as_it_was(self, config: RunConfig) -> None:
        assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config

    def test_every_field_is_written(self) -> None:
        assert tuple(make_config().to_json()) == CONFIG_FIELDS


class TestRefusals:
    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"l1": -1e-4}, "l1 is -0.0001; it must be between 0 and 1."),
            ({"l2": -1.0}, "l2 is -1.0; it must be between 0 and 1."),
            ({"l1": 1.5}, "l1 is 1.5; it must be between 0 and 1."),
            ({"dropout": 1.0}, "dropout is 1.0; it must be at least 0 and below 1."),
            ({"dropout": -0.1}, "dropout is -0.1; it must be at least 0 and below 1."),
            ({"epochs": 0}, "epochs is 0; it must be between 1 and 1000."),
            ({"epochs": 10**9}, "epochs is 1000000000; it must be between 1 and 1000."),
            ({"batch_size": 0}, "batch_size is 0; it must be between 1 and 8192."),
            ({"seed": -1}, "seed is -1; it must be between 0 and 2147483647."),
            ({"seed": 2**31}, "seed is 2147483648; it must be between 0 and 2147483647."),
            ({"learning_rate": 0}, "learning_rate is 0; it must be above 0 and at most 10."),
            ({"momentum": 1}, "momentum is 1; it must be at least 0 and below 1."),
            ({"rotation_degrees": 181}, "rotation_degrees is 181; it must be between 0 and 180."),
            ({"translation_pixels": 15}, "translation_pixels is 15; it must be between 0 and 14."),
            ({"scaling_percent": 51}, "scaling_percent is 51; it must be between 0 and 50."),
            ({"validation_size": -1}, "validation_size is -1; it must be between 0 and 1000000."),
            (
                {"normalization": "bach"},
                "normalization is 'bach'; it must be one of batch, group, layer, instance, none.",
            ),
            ({"penalize": "some"}, "penalize is 'some'; it must be one of all, weights."),
            ({"schedule": "cosine"}, "schedule is 'cosine'; it must be one of plateau, onecycle, constant."),
            ({"schedule_metric": "train"}, "schedule_metric is 'train'; it must be one of validation, test."),
        ],
    )
    def test_say_what_would_be_right(self, values: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InvalidConfigError) as error:
            make_config(**values)
        assert str(error.value) == sentence

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400, -(10**400)])
    @pytest.mark.parametrize(
        "field",
        [
            "l1",
            "l2",
            "dropout",
            "seed",
            "epochs",
            "batch_size",
            "learning_rate",
            "momentum",
            "rotation_degrees",
            "translation_pixels",
            "scaling_percent",
            "validation_size",
        ],
    )
    def test_take_in_what_is_no_number_or_no_size(self, field: str, value: float) -> None:
        with pytest.raises(InvalidConfigError, match=f"^{field} is "):
            make_config(**{field: value})

    def test_plateau_needs_something_to_watch(self) -> None:
        with pytest.raises(
            InvalidConfigError, match=r"watches the validation loss, and validation_size is 0"
        ):
            make_config(schedule="plateau", validation_size=0)
        make_config(schedule="plateau", validation_size=1)
        make_config(schedule="plateau", validation_size=0, schedule_metric="test")

    def test_borders_are_allowed(self) -> None:
        make_config(l1=0, l2=1, dropout=0, epochs=1, batch_size=1, momentum=0, rotation_degrees=180)
        make_config(learning_rate=10, epochs=1_000, batch_size=8_192, seed=MAX_SEED)


class TestGroups:
    def test_are_the_studys_where_none_are_given(self) -> None:
        assert make_config(normalization="group").num_groups == STUDY_GROUPS == (4, 2, 2, 2, 2, 2, 2)

    def test_one_number_holds_for_every_block(self) -> None:
        assert make_config(normalization="group", groups=2).num_groups == (2,) * 7

    def test_seven_numbers_hold_each_for_its_block(self) -> None:
        given_groups = (16, 8, 4, 2, 7, 8, 9)
        assert make_config(normalization="group", groups=given_groups).num_groups == given_groups
        assert make_config(normalization="group", groups=list(given_groups)).num_groups == given_groups

    @pytest.mark.parametrize("normalization", [name for name in NORMALIZATIONS if name != "group"])
    def test_are_dropped_for_other_normalizations(self, normalization: str) -> None:
        config = make_config(normalization=normalization, groups=3)
        assert config.groups is None
        assert config.num_groups == ()
        assert config == make_config(normalization=normalization)

    @pytest.mark.parametrize(
        ("given_groups", "sentence"),
        [
            (3, "groups=3 does not divide the 16 channels of a block; 1, 2, 4, 8 and 16 would."),
            (4, "groups=4 does not divide the 14 channels of a block; 1, 2, 7 and 14 would."),
            (0, "groups=0 does not divide the 16 channels of a block; 1, 2, 4, 8 and 16 would."),
            (-2, "groups=-2 does not divide the 16 channels of a block; 1, 2, 4, 8 and 16 would."),
            (
                (4, 2, 2, 2, 2, 2, 4),
                "groups=4 does not divide the 18 channels of a block; 1, 2, 3, 6, 9 and 18 would.",
            ),
            ((4, 2), "groups has 2 numbers; give one number, or 7, one for each normalized block."),
            ((), "groups has 0 numbers; give one number, or 7, one for each normalized block."),
        ],
    )
    def test_that_do_not_divide_are_refused_with_those_that_would(
        self, given_groups: int | tuple[int, ...], sentence: str
    ) -> None:
        with pytest.raises(InvalidConfigError) as error:
            make_config(normalization="group", groups=given_groups)
        assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_is_named_after_what_is_not_zero(name: str) -> None:
    l1, l2 = PENALTIES[name]
    assert make_config(l1=l1, l2=l2).penalty == name
    assert make_config(l1=l1 * 7, l2=l2 * 3).penalty == name


def test_penalties_are_the_studys() -> None:
    assert PENALTIES == {"none": (0, 0), "l1": (1e-4, 0), "l2": (0, 1e-3), "l1+l2": (1e-4, 1e-3)}


def test_integer_too_long_to_write_out_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="epochs is too large"):
        RunConfig(dataset="digits", schedule="constant", epochs=10**5_000)
