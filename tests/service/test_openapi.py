"""Whatever a client sends, allowed by the documentation or not: never a 500, always the one error shape."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from lab.settings import Settings
from service.app import create_app

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_no_request_breaks_the_service(
    tmp_path_factory: pytest.TempPathFactory, mode: GenerationMode
) -> None:
    folder = tmp_path_factory.mktemp("lab")
    app = create_app(
        Settings(database_url=f"sqlite:///{folder}/lab.db", data_dir=folder, default_dataset="digits")
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    num_operations = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        takes_input = bool(list(operation.iter_parameters()) or operation.body)
        if mode is GenerationMode.NEGATIVE and not takes_input:
            continue
        num_operations += 1

        @settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: schemathesis.Case[Any]) -> None:
            response = case.call()
            assert response.status_code < 500, case.as_curl_command()
            if response.status_code >= 400:
                assert set(response.json()) == {"error", "detail"}, case.as_curl_command()

        send()
    assert num_operations > 10
