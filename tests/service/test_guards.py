"""Who is let in, how much is read, and the one shape of every refusal."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lab.errors import SettingsError
from lab.settings import Settings, load_settings
from service.app import create_app

TOKEN = "a-token-of-some-length"


@pytest.fixture
def guarded(settings: Settings) -> TestClient:
    """A service that asks for a token."""
    return TestClient(create_app(settings.model_copy(update={"api_token": TOKEN})))


class TestToken:
    @pytest.mark.parametrize("header", [None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer ", "Bearer é"])
    def test_without_the_right_one_nothing_is_told(self, guarded: TestClient, header: str | None) -> None:
        headers = {} if header is None else {b"authorization": header.encode()}

        for path in ("/experiments", "/runs/1", "/datasets", "/metrics", "/appendix"):
            response = guarded.get(path, headers=headers)
            assert response.status_code == 401
            assert response.json()["error"] == "unauthorized"
            assert response.headers["www-authenticate"] == "Bearer"
        assert guarded.post("/experiments", headers=headers).status_code == 401

    def test_with_the_right_one_all_is(self, guarded: TestClient) -> None:
        response = guarded.get("/experiments", headers={"authorization": f"Bearer {TOKEN}"})

        assert response.status_code == 200

    def test_health_needs_none(self, guarded: TestClient) -> None:
        assert guarded.get("/healthz").status_code == 200
        assert guarded.get("/readyz").status_code == 200

    def test_is_required_beyond_loopback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_HOST", "0.0.0.0")
        with pytest.raises(SettingsError, match="LAB_API_TOKEN"):
            load_settings()
        monkeypatch.setenv("LAB_API_TOKEN", TOKEN)
        assert load_settings().host == "0.0.0.0"


class TestOrigin:
    def test_another_site_s_page_changes_nothing(self, client: TestClient) -> None:
        response = client.post("/experiments", headers={"origin": "http://evil.example"})

        assert (response.status_code, response.json()["error"]) == (403, "cross_origin")
        assert client.get("/experiments").json()["experiments"] == []

    def test_its_own_page_may(self, client: TestClient) -> None:
        assert client.post("/experiments", headers={"origin": "http://testserver"}).status_code == 202

    def test_a_stranger_s_name_for_this_machine_is_refused(self, client: TestClient) -> None:
        response = client.get("/experiments", headers={"host": "evil.example"})

        assert (response.status_code, response.json()["error"]) == (403, "cross_origin")

    @pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
    def test_this_machine_s_names_are_not(self, client: TestClient, host: str) -> None:
        assert client.get("/experiments", headers={"host": host}).status_code == 200


class TestBodySize:
    @pytest.fixture
    def small(self, settings: Settings) -> TestClient:
        """A service that reads a thousand bytes."""
        return TestClient(create_app(settings.model_copy(update={"max_upload_bytes": 1_000})))

    @pytest.mark.parametrize("path", ["/predict", "/experiments", "/appendix"])
    def test_refuses_a_long_body_by_its_header(self, small: TestClient, path: str) -> None:
        response = small.post(path, content=b"x" * 1_001)

        assert (response.status_code, response.json()["error"]) == (413, "too_large")
        assert "1,000" in response.json()["detail"]

    @pytest.mark.parametrize("path", ["/predict", "/experiments"])
    def test_refuses_a_body_that_turns_out_long(self, small: TestClient, path: str) -> None:
        response = small.post(path, content=(b"x" * 600 for _ in range(3)))

        assert (response.status_code, response.json()["error"]) == (413, "too_large")


class TestErrors:
    def test_a_method_that_is_not_answered(self, client: TestClient) -> None:
        response = client.put("/experiments")

        assert (response.status_code, response.json()["error"]) == (405, "method_not_allowed")

    def test_text_that_is_not_json_says_where_it_breaks(self, client: TestClient) -> None:
        response = client.post("/experiments", content='{"epochs": two}')

        assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
        assert response.json()["detail"] == "The body is not valid JSON at character 11: Expecting value."

    def test_json_nested_too_deep(self, client: TestClient) -> None:
        response = client.post(
            "/appendix", content="[" * 100_000, headers={"content-type": "application/json"}
        )

        assert response.status_code in (400, 422)
        assert set(response.json()) == {"error", "detail"}

    def test_a_broken_service_says_nothing_of_its_insides(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from service import dependencies

        app = create_app(settings)
        monkeypatch.setattr(dependencies, "read_run", lambda *_: 1 / 0)

        response = TestClient(app, raise_server_exceptions=False).get("/runs/1")

        assert (response.status_code, response.json()["error"]) == (500, "internal_error")
        assert "division" not in response.text

    def test_a_database_that_is_gone_is_said(self, settings: Settings, tmp_path: Path) -> None:
        client = TestClient(create_app(settings), raise_server_exceptions=False)
        lab_file = tmp_path / "lab.db"
        client.app.state.resources.database.close()  # type: ignore[attr-defined]
        lab_file.write_bytes(b"not a database" * 100)
        for suffix in ("-wal", "-shm"):
            Path(f"{lab_file}{suffix}").unlink(missing_ok=True)

        response = client.get("/readyz")

        assert (response.status_code, response.json()["error"]) == (503, "database_unavailable")
