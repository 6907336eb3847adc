"""Start the service: ``python -m service`` answers HTTP until it is told to stop."""

import signal
import sys
import threading
from types import FrameType

import uvicorn

from lab.errors import LabError
from lab.logs import configure_logging
from lab.settings import load_settings
from service.app import create_app


class Server(uvicorn.Server):
    """Tells of a signal to stop at once: streams of events would keep the server from ending."""

    def __init__(self, config: uvicorn.Config, *, is_stopping: threading.Event) -> None:
        super().__init__(config)
        self._is_stopping = is_stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End once the requests under way are answered, at once if asked a second time with Ctrl-C."""
        self._is_stopping.set()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def main() -> int:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        app = create_app(settings)
    except LabError as error:
        print(f"service: {error}", file=sys.stderr)  # noqa: T201
        return 2
    config = uvicorn.Config(app, host=settings.host, port=settings.port, log_config=None, access_log=False)
    server = Server(config, is_stopping=app.state.resources.is_stopping)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
