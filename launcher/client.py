"""The launcher's HTTP client of the service."""

import contextlib
import socket
from typing import Any

import httpx

from lab.errors import SettingsError
from lab.settings import Settings

TIMEOUT_SECONDS = 30.0


class LabClient:
    """The part of the service's API that the launcher uses."""

    def __init__(self, settings: Settings) -> None:
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
        self.address = f"http://{host}:{settings.port}"
        self._host, self._port = host, settings.port
        headers = {"Authorization": f"Bearer {settings.api_token}"} if settings.api_token else {}
        # Proxies of the environment are not meant for this machine's own address.
        self._client = httpx.Client(
            base_url=self.address, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def check_port(self) -> None:
        """Check that the service's port is free.

        Raises:
            SettingsError: something else listens there.
        """
        with contextlib.suppress(OSError), socket.create_connection((self._host, self._port), timeout=1):
            raise SettingsError(
                f"LAB_PORT: port {self._port} is already in use; stop the program that uses it, "
                "or set LAB_PORT to another"
            )

    def is_ready(self) -> bool:
        """Return whether the service answers."""
        try:
            return self._client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def find_newest_experiment(self) -> int | None:
        """Find the id of the last submitted experiment; None if there is none."""
        experiments = self._get("/experiments?limit=1")["experiments"]
        return experiments[0]["id"] if experiments else None

    def read_experiment(self, experiment_id: int) -> dict[str, Any]:
        """Read the experiment with its runs."""
        return self._get(f"/experiments/{experiment_id}")

    def read_results(self, experiment_id: int) -> dict[str, Any]:
        """Read the table of results."""
        return self._get(f"/experiments/{experiment_id}/results")

    def _get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.get(path).raise_for_status().json()
        return answer
