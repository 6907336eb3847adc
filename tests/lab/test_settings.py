from pathlib import Path
from typing import Any

import pytest

from lab.errors import SettingsError
from lab.settings import Settings, load_settings

# Read before any fixture keeps the developer's own file from the tests.
ENV_FILE = Settings.model_config.get("env_file")
TOKEN = "0123456789abcdef"
VARIABLES: dict[str, tuple[str, Any]] = {
    "LAB_DATABASE_URL": ("postgresql://lab@db/lab", "postgresql://lab@db/lab"),
    "LAB_DATA_DIR": ("/data/sets", Path("/data/sets")),
    "LAB_CACHE_DIR": ("/data/cache", Path("/data/cache")),
    "LAB_HOST": ("127.0.0.2", "127.0.0.2"),
    "LAB_PORT": ("9000", 9000),
    "LAB_API_TOKEN": (TOKEN, TOKEN),
    "LAB_ALLOW_NO_TOKEN": ("true", True),
    "LAB_DEVICE": ("cuda:1", "cuda:1"),
    "LAB_HANG_TIMEOUT_SECONDS": ("2.5", 2.5),
    "LAB_DEFAULT_DATASET": ("kmnist", "kmnist"),
    "LAB_SUBMIT_STUDY": ("1", True),
    "LAB_MAX_UPLOAD_BYTES": ("1024", 1024),
    "LAB_LOG_LEVEL": ("DEBUG", "DEBUG"),
}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No .env file of the developer's is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_are_those_of_the_contract() -> None:
    settings = load_settings()
    assert settings.database_url == "sqlite:///var/lab.db"
    assert settings.data_dir == Path("var/data")
    assert settings.cache_dir == Path("var/cache")
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.api_token is None
    assert settings.device == "auto"
    assert settings.default_dataset == "auto"
    assert not settings.submit_study
    assert not settings.allow_no_token


def test_every_setting_is_tried_here() -> None:
    assert {name.removeprefix("LAB_").lower() for name in VARIABLES} == set(Settings.model_fields)


@pytest.mark.parametrize("variable", VARIABLES)
def test_variable_sets_its_field(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, value = VARIABLES[variable]
    monkeypatch.setenv(variable, text)
    assert getattr(load_settings(), variable.removeprefix("LAB_").lower()) == value


def test_env_file_is_read_and_the_environment_wins(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / ".env").write_text("LAB_PORT=9001\nLAB_DEVICE=cpu\nUNRELATED=1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", ENV_FILE)
    monkeypatch.setenv("LAB_PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.device) == (9002, "cpu")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LAB_PORT", "70000"),
        ("LAB_PORT", "-1"),
        ("LAB_PORT", "http"),
        ("LAB_DEVICE", "tpu"),
        ("LAB_DEVICE", "cuda:x"),
        ("LAB_DEVICE", "cpu0"),
        ("LAB_DEFAULT_DATASET", "cifar10"),
        ("LAB_MAX_UPLOAD_BYTES", "0"),
        ("LAB_LOG_LEVEL", "LOUD"),
        ("LAB_API_TOKEN", "short"),
        ("LAB_SUBMIT_STUDY", "perhaps"),
    ],
)
def test_bad_value_is_refused_by_the_variables_name(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        load_settings()


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PORT", "x")
    monkeypatch.setenv("LAB_DEVICE", "y")
    with pytest.raises(SettingsError, match=r"LAB_PORT: .*; LAB_DEVICE: "):
        load_settings()


class TestToken:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
    def test_is_not_needed_on_loopback(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_HOST", host)
        assert load_settings().host == host

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "lab.example.org", ""])
    def test_is_required_beyond_loopback(self, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_HOST", host)
        with pytest.raises(SettingsError) as error:
            load_settings()
        assert str(error.value).startswith(f"LAB_HOST is {host}, which others can reach; set LAB_API_TOKEN")

    @pytest.mark.parametrize(
        ("variable", "value"), [("LAB_API_TOKEN", TOKEN), ("LAB_ALLOW_NO_TOKEN", "true")]
    )
    def test_or_a_word_for_it_opens_the_host(
        self, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LAB_HOST", "0.0.0.0")
        monkeypatch.setenv(variable, value)
        assert load_settings().host == "0.0.0.0"

    def test_is_not_repeated_in_the_refusal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LAB_API_TOKEN", "hunter2")
        with pytest.raises(SettingsError) as error:
            load_settings()
        assert "hunter2" not in str(error.value)
