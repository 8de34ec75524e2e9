"""Renders a template as one self-contained HTML file that requests nothing from anywhere."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from discern.errors import cut
from discern.reports import wording
from discern.version import __version__

_TEMPLATES = "templates"


def render_page(template: str, content: dict[str, Any]) -> str:
    """Return the HTML of a template; `content` is escaped.

    Style and script are part of the file, and its content security policy forbids all other scripts and all requests.
    """
    style, script = _read_text("page.css"), _read_text("page.js")
    page = {
        "style": Markup(style),  # noqa: S704 - a file of ours without any content
        "script": Markup(script),  # noqa: S704 - a file of ours without any content
        "policy": (
            f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "discern_version": __version__,
    }
    return _build_environment().get_template(template).render(**page, **content)


def encode_image(jpeg: bytes) -> str:
    """Return a JPEG file as a data URI."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


@cache
def _build_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("discern.reports", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": wording.percent,
        "decimal": wording.decimal,
        "grouped": wording.grouped,
        "count_of": wording.count_of,
        "cut": cut,
        "capitalize_first": wording.capitalize_first,
        "data_uri": encode_image,
    }
    environment.globals["percent_range"] = wording.percent_range
    return environment


@cache
def _read_text(name: str) -> str:
    return files("discern.reports").joinpath(_TEMPLATES, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the hash by which a content security policy allows an inline text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
