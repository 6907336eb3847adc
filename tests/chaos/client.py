"""HTTP client of a service that may die at any moment."""

import threading
from collections import Counter
from typing import Any

import httpx

from tests.chaos.violations import Violations
from tests.waiting import wait_until

ANSWER_TIMEOUT_SECONDS = 40.0
# A killed service is back after some seconds; nobody is to wait much longer.
ASK_TIMEOUT_SECONDS = 150.0


class Client:
    """Asks in one thread's name, and looks at every answer."""

    def __init__(self, base_url: str, violations: Violations) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=ANSWER_TIMEOUT_SECONDS, trust_env=False)
        self._violations = violations
        self.in_flight = threading.Event()
        """Set while a request that changes something is on its way."""
        self.counts: Counter[str] = Counter()

    def ask(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response:
        """The answer; asked again and again until the service lives to give it, and is well."""
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answer = self.ask_once(method, path, body=body, key=key)
            if answer is not None and answer.status_code < 500:
                answers.append(answer)
            return bool(answers)

        wait_until(is_answered, timeout_seconds=ASK_TIMEOUT_SECONDS, what=f"an answer to {method} {path}")
        return answers[0]

    def ask_once(
        self, method: str, path: str, *, body: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response | None:
        """The answer, or None if the service was not there or died over it."""
        if method != "GET":
            self.in_flight.set()
        try:
            headers = {"Idempotency-Key": key} if key else {}
            answer = self._client.request(method, path, json=body, headers=headers)
        except httpx.ConnectError:
            return None
        except httpx.TimeoutException:
            self._violations.add(f"{method} {path}: no answer within {ANSWER_TIMEOUT_SECONDS:.0f} s")
            return None
        except httpx.TransportError:
            self.counts["lost reads" if method == "GET" else "lost changes"] += 1
            return None
        finally:
            self.in_flight.clear()
        self.counts["answers"] += 1
        self._check(method, path, answer)
        return answer

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _check(self, method: str, path: str, answer: httpx.Response) -> None:
        is_text = answer.headers.get("content-type", "").startswith("application/json")
        if answer.status_code >= 500 or (is_text and "database is locked" in answer.text):
            self._violations.add(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
