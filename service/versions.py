"""Versions of Python and the packages that results depend on."""

import platform
from importlib.metadata import version

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "matplotlib",
    "sqlalchemy",
    "dbos",
    "fastapi",
)


def list_versions() -> dict[str, str]:
    """List the version of Python and of each key package, by name."""
    return {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
