"""Start the service: ``python -m service`` answers HTTP until it is told to stop."""

import signal
import sys
import threading
from types import FrameType

import uvicorn

from lab.errors import LabError
from lab.logs import configure_logging
from lab.settings import load_settings


class Server(uvicorn.Server):
    """Sets an event as soon as it is told to stop, so that open event streams end."""

    def __init__(self, config: uvicorn.Config, *, is_stopping: threading.Event) -> None:
        super().__init__(config)
        self._is_stopping = is_stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop once the open requests are answered; at once on a second Ctrl-C."""
        self._is_stopping.set()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def main() -> int:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        # Imported after the settings are read: it takes seconds, and bad settings are refused at once.
        from service.app import create_app

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
