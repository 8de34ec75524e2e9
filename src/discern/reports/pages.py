"""Turns what a page shows into one self-contained HTML file that asks nobody for anything."""

import base64
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from discern.reports import wording

_TEMPLATES = "templates"


def render_page(template: str, content: dict[str, Any]) -> str:
    """Return the HTML of a template; what stands in `content` is escaped.

    Style and script are part of the file, and the page's own policy lets nothing else in: neither other scripts, nor
    any request.
    """
    style, script = _read_text("page.css"), _read_text("page.js")
    page = {
        "style": Markup(style),  # noqa: S704 - ours, and no content goes into it
        "script": Markup(script),  # noqa: S704 - ours, and no content goes into it
        "policy": (
            f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "discern_version": version("discern"),
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
        "shorten": wording.shorten,
        "begin_large": wording.begin_large,
        "data_uri": encode_image,
    }
    environment.globals["percent_range"] = wording.percent_range
    return environment


@cache
def _read_text(name: str) -> str:
    return files("discern.reports").joinpath(_TEMPLATES, name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy knows an inline text by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
