import re
from collections.abc import Iterator

import pytest

from lab import errors
from lab.errors import LabError


def family(root: type[LabError]) -> Iterator[type[LabError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child)


FAMILY = list(family(LabError))


@pytest.mark.parametrize("error", FAMILY)
def test_every_error_has_a_snake_case_code_and_a_status(error: type[LabError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert 400 <= error.http_status <= 599


def test_codes_tell_the_errors_apart() -> None:
    codes = [error.code for error in FAMILY]
    assert len(set(codes)) == len(codes)
