import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import InvalidRequestError
from service.experiments.event_cursor import BEGINNING, decode_cursor, encode_cursor


@given(st.lists(st.integers(0, 999_999), min_size=1, max_size=60))
def test_says_what_was_written(epochs: list[int]) -> None:
    assert decode_cursor(encode_cursor(epochs), num_runs=len(epochs)) == epochs


def test_is_short_for_runs_trained_in_their_order() -> None:
    assert encode_cursor([25] * 400 + [7, 3] + [0] * 598) == "25*400,7,3,0*598"


def test_the_beginning_is_the_same_for_any_number_of_runs() -> None:
    assert decode_cursor(BEGINNING, num_runs=3) == [0, 0, 0]
    assert decode_cursor(BEGINNING, num_runs=1) == [0]


@pytest.mark.parametrize(
    "text",
    ["", "x", "1,", "1,2,3,4", "1*4", "1*2,", "-1,2,3", "1*999999999", "1,2,3 ", "1*0,1,1,1", "1;2;3"],
)
def test_what_is_no_position_among_three_runs_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="send the id of the last event received"):
        decode_cursor(text, num_runs=3)


def test_of_runs_that_were_added_since_nothing_was_sent() -> None:
    assert decode_cursor("4*2", num_runs=5) == [4, 4, 0, 0, 0]
