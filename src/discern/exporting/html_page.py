"""Renders the page that classifies: style, scripts, words, runtime and network in one file."""

import base64
import gzip
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from discern.exporting.joining import join_modules
from discern.exporting.page_facts import build_facts
from discern.exporting.web_runtime import WebRuntime
from discern.predictor.bundle import Bundle
from discern.version import __version__

_OWN, _SHARED = files("discern.exporting") / "page", files("discern") / "web"
_MODEL = re.compile(r'<script type="application/octet-stream" id="model">([A-Za-z0-9+/=]+)</script>')


def save_page(path: Path, bundle: Bundle, precision: str, model: bytes, runtime: WebRuntime) -> None:
    """Write the page of a public bundle, whose network is an ONNX file for fitted pictures."""
    facts = build_facts(bundle, path.stem.removesuffix(f".{precision}"), precision)
    style = "\n".join((folder / "page.css").read_text(encoding="utf-8") for folder in (_SHARED, _OWN))
    script = join_modules("page.js", _OWN, _SHARED)
    texts = {
        "style": style,
        "script": script,
        "worker": join_modules("worker.js", _OWN, _SHARED),
        "facts_json": _write_json(facts),
        "words_json": _write_json(json.loads((_OWN / "words.json").read_text(encoding="utf-8"))),
        "library": base64.b64encode(runtime.library).decode(),
        "runtime": _pack(runtime.binary),
        "model": _pack(model),
    }
    rendered = _load_template().render(
        **{name: Markup(text) for name, text in texts.items()},  # noqa: S704 - files of ours, JSON and base64
        policy=_write_policy(style, script),
        name=facts["name"],
        licences=(_OWN / "licences.txt").read_text(encoding="utf-8"),
        discern_version=__version__,
    )
    path.write_text(rendered, encoding="utf-8", newline="\n")


def read_model(page: str) -> bytes | None:
    """Return the ONNX file in a page; None where it has none.

    Raises:
        OSError: It is damaged.
        ValueError: It is damaged.
    """
    found = _MODEL.search(page)
    return None if found is None else gzip.decompress(base64.b64decode(found[1]))


@cache
def _load_template() -> Template:
    loader = PackageLoader("discern.exporting", "page")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("page.html.jinja")


def _write_policy(style: str, script: str) -> str:
    """Return a content security policy by which this style and script may run, and nothing can be asked for or sent.

    The worker is a `blob:`, which has this policy too, and imports the library from `data:`.
    """
    return (
        f"default-src 'none'; script-src '{_hash(script)}' 'wasm-unsafe-eval' data:; style-src '{_hash(style)}'; "
        "worker-src blob:; img-src blob: data:; media-src blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _write_json(content: object) -> str:
    """Return JSON in which nothing can end the element that it is in."""
    return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
