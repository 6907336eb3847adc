"""Start the service: ``python -m service`` answers HTTP until it is told to stop."""

import sys

import uvicorn

from lab.errors import LabError
from lab.logs import configure_logging
from lab.settings import load_settings
from service.app import create_app


def main() -> int:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level)
        app = create_app(settings)
    except LabError as error:
        print(f"service: {error}", file=sys.stderr)  # noqa: T201
        return 2
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
