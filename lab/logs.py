"""Logging of the processes: one line per event; libraries only report problems."""

import logging

QUIET_LIBRARIES = ("alembic", "dbos", "httpx", "matplotlib", "PIL", "filelock", "fontTools")


def configure_logging(level: str) -> None:
    """Log to standard error from ``level`` on; the libraries' own progress reports are left out."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
