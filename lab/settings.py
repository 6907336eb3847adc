"""Every setting of the service and the worker, read once from LAB_… variables or a .env file."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lab.errors import SettingsError


class Settings(BaseSettings):
    """Settings of the processes; each field is the variable LAB_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="LAB_", env_file=".env", extra="ignore", frozen=True)

    database_url: str = Field(
        "sqlite:///var/lab.db", description="Where everything is kept: sqlite:///path or postgresql://…"
    )
    data_dir: Path = Field(
        Path("var/data"), description="Folder of the data sets, in torchvision's layout (MNIST/raw/…)."
    )
    cache_dir: Path = Field(
        Path("var/cache"), description="Folder for what workers compile for their processor."
    )
    host: str = Field("127.0.0.1", description="Address the service binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port the service binds.")
    api_token: str | None = Field(
        None, min_length=16, description="Bearer token asked of clients; required beyond loopback."
    )
    allow_no_token: bool = Field(
        False,
        description="Bind beyond loopback without a token, where something else keeps strangers out.",
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto (cuda, then cpu), cpu, cuda, cuda:1 …"
    )
    hang_timeout_seconds: float = Field(
        300.0, gt=0, description="A worker whose job makes no step for so long ends, to be started again."
    )
    default_dataset: Literal["auto", "mnist", "digits", "fashion_mnist", "kmnist"] = Field(
        "auto",
        description="Data set of an experiment that names none; auto: mnist if it can be had, else digits.",
    )
    submit_study: bool = Field(
        False, description="Submit the study on the embedded digits when the database holds no experiment."
    )
    max_upload_bytes: int = Field(10 * 2**20, gt=0, description="Largest request body that is read.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")

    @model_validator(mode="after")
    def _require_token_beyond_loopback(self) -> Self:
        if self.api_token is None and not self.allow_no_token and not _is_loopback(self.host):
            raise ValueError(
                f"LAB_HOST is {self.host}, which others can reach; set LAB_API_TOKEN (16 or more characters) "
                "or keep LAB_HOST at 127.0.0.1"
            )
        return self


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a value that cannot be used, with what would be right.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            f"LAB_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
            if problem["loc"]
            else problem["msg"].removeprefix("Value error, ")
            for problem in error.errors()
        ]
        raise SettingsError("; ".join(problems)) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
