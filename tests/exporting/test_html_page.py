"""The page as it is written: its words, its parts, what it may do, and what it does not tell."""

import json
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from discern.exporting.html_page import read_model, save_page
from discern.exporting.joining import join_modules
from discern.exporting.page_facts import build_facts
from discern.exporting.public_bundle import make_public
from discern.exporting.web_runtime import WebRuntime
from discern.predictor.bundle import load_bundle
from html_checks import Page
from word_tables import check_words, find_said

OWN, SHARED = files("discern.exporting") / "page", files("discern") / "web"
WORDS = json.loads((OWN / "words.json").read_text())


def read_sources():
    found = [*OWN.iterdir(), *SHARED.iterdir()]
    return {file.name: file.read_text() for file in found if file.name.endswith((".js", ".jinja"))}


@pytest.fixture(scope="module")
def html(trained_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "colours.int8.html"
    bundle = make_public(load_bundle(trained_run))
    save_page(path, bundle, "int8", b"network", WebRuntime(b"library", b"binary"))
    return path.read_text()


def test_every_word_is_there_in_every_language():
    check_words(WORDS)


def test_every_word_that_is_said_is_in_the_table_and_every_other_one_is_not():
    said = find_said(WORDS, read_sources().values())
    said |= {word for word in WORDS if word.startswith(("fit_", "split_", "card_head_reads_"))}
    said |= {"name_of_language", "answered", "left_unknown", "not_read"}
    assert said - set(WORDS) == set()
    assert set(WORDS) - said == set()


def test_joined_modules_have_all_parts_once_and_no_name_twice():
    for start in ("page.js", "worker.js"):
        script = join_modules(start, OWN, SHARED)
        assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
        names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", script, re.MULTILINE)
        assert len(names) == len(set(names))
    assert script.index("function fitPicture") < script.index("async function answer")


def test_it_is_well_formed_and_closed_to_the_world(html):
    page = Page(html)
    assert page.problems == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert not [name for _, attributes in page.elements for name in attributes if name == "style" or name[:2] == "on"]
    (policy,) = [meta["content"] for meta in page.find("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src" not in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    for attributes in page.find("script", "img", "link", "iframe"):
        assert not (attributes.get("src") or attributes.get("href") or "").startswith(("http", "//"))


def test_it_holds_the_network_and_the_facts_of_the_classifier(html):
    assert read_model(html) == b"network"
    assert read_model("<html></html>") is None
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', html)[1])
    assert facts["name"] == "colours"
    assert facts["class_names"] == ["blue", "green", "red"]
    assert facts["preprocess"]["image_size"] == 32
    assert [point["max_error"] for point in facts["thresholds"]] == [0.01, 0.02, 0.05, 0.1]
    assert facts["counts"] == {"train": 24, "validation": 6, "test": 6}
    assert "MIT License" in Page(html).text


def test_what_a_head_reads_beside_the_last_map_is_among_the_facts(trained_run):
    bundle = make_public(load_bundle(trained_run))
    assert build_facts(bundle, "colours", "fp32")["features"] == "last"
    reading = replace(bundle, architecture=bundle.architecture.model_copy(update={"features": "stages"}))
    assert build_facts(reading, "colours", "fp32")["features"] == "stages"


def test_it_does_not_say_where_its_pictures_and_weights_were(html, trained_run, photos):
    for path in (trained_run, photos, photos.parent):
        assert str(path) not in html


def test_names_of_classes_cannot_leave_the_element_that_they_are_in(trained_run, tmp_path):
    bundle = replace(load_bundle(trained_run), class_names=("</script><script>alert(1)</script>", "b&b", '"c"'))
    save_page(tmp_path / "x.html", make_public(bundle), "fp32", b"network", WebRuntime(b"", b""))
    text = (tmp_path / "x.html").read_text()
    assert "<script>alert" not in text
    assert Page(text).problems == []
