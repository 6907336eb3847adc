"""Jinja2 templates for the service's HTML pages."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def load_templates(package: str) -> Environment:
    """Load the ``templates`` folder of ``package``: HTML is escaped, and an undefined name raises."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
