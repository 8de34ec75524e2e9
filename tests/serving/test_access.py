"""Who may ask, and how answers are to be treated."""

import re

import pytest

from discern.errors import ConfigError
from discern.serving.guard import Access, build_access
from discern.serving.origins import read_origins
from discern.serving.pages import load_pages
from hostile_files import PNG
from served import open_client

TOKEN = "correct horse"


@pytest.fixture(scope="module")
def guarded(run):
    with open_client(run, access=build_access("127.0.0.1", ["photos.example"], TOKEN)) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/health", "/nothing", "/model", "/predict", "/training/0"])
def test_every_answer_has_the_strict_headers(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/model", "/metrics", "/openapi.json", "/mistakes", "/training/0"])
def test_without_the_token_nothing_is_reported(guarded, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": ""}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert guarded.get(path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_without_the_token_nothing_is_computed(guarded):
    assert guarded.post("/predict", content=PNG).status_code == 401
    assert guarded.post("/reload").status_code == 401
    given = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.post("/predict", content=PNG, headers=given).status_code == 200
    assert guarded.post("/reload", headers=given).json() == {"models": ["colours"]}


def test_the_page_and_the_signs_of_life_need_no_token(guarded):
    for path in ("/", "/static/page.css", "/health", "/ready"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "[", "a@b"])
def test_on_this_machine_other_names_are_refused(guarded, host):
    assert guarded.get("/ready", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:9", "[::1]:8000", "photos.example"])
def test_its_own_names_are_not(guarded, host):
    assert guarded.get("/ready", headers={"Host": host}).status_code == 200


def test_where_anybody_may_come_any_name_will_do():
    assert build_access("0.0.0.0", [], None) == Access(None, None)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:1234"},
        {"Origin": "http://[x"},
        {"Origin": "http://photos.example"},
    ],
)
def test_other_sites_cannot_make_a_browser_ask(client, headers):
    for path in ("/predict", "/reload"):
        answer = client.post(path, content=PNG, headers=headers)
        assert (answer.status_code, answer.json()["error"]["status"]) == (403, 403)


@pytest.fixture(scope="module")
def opened(run):
    """A server for which a page of another origin is allowed, and which wants the token all the same."""
    access = build_access("127.0.0.1", [], TOKEN, read_origins(["http://photos.example:3000/"]))
    with open_client(run, access=access) as opened:
        yield opened


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def test_an_allowed_page_can_ask_with_the_token(opened):
    page = {"Origin": "http://photos.example:3000", "Sec-Fetch-Site": "cross-site"}
    asked = opened.options("/predict", headers={**page, **PREFLIGHT})
    assert (asked.status_code, asked.content) == (204, b"")
    assert asked.headers["access-control-allow-origin"] == page["Origin"]
    assert asked.headers["access-control-allow-headers"] == "Authorization, Content-Type"
    assert "access-control-allow-credentials" not in asked.headers
    for token, status in ((TOKEN, 200), ("wrong", 401)):
        answer = opened.post("/predict", content=PNG, headers={**page, "Authorization": f"Bearer {token}"})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == page["Origin"]
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", ["http://photos.example", "https://photos.example:3000", "http://[x", "null"])
def test_other_pages_are_told_how_they_could_be_allowed(opened, origin):
    token = {"Authorization": f"Bearer {TOKEN}"}
    for answer in (
        opened.options("/predict", headers={"Origin": origin, **PREFLIGHT}),
        opened.post("/predict", content=PNG, headers={"Origin": origin, **token}),
    ):
        assert answer.status_code == 403
        assert "if the page is yours, start the server with --allow-origin ORIGIN" in answer.json()["error"]["reason"]
        assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_from_another_name_of_the_server_is_refused(opened):
    headers = {"Host": "evil.example", "Origin": "http://photos.example:3000", **PREFLIGHT}
    assert opened.options("/predict", headers=headers).status_code == 421


def test_origins_are_read_as_browsers_write_them():
    texts = ["HTTP://Localhost:80/", "https://a.example:443", "http://[::1]:3000", " https://b.example:8443 "]
    assert read_origins(texts) == {
        "http://localhost",
        "https://a.example",
        "http://[::1]:3000",
        "https://b.example:8443",
    }


@pytest.mark.parametrize("text", ["*", "null", "localhost:3000", "http://a/page", "http://*.a", "ftp://a", "http://[x"])
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(ConfigError, match="is no origin of a page; expected SCHEME://NAME"):
        read_origins([text])


def test_the_own_page_can(client):
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/predict", content=PNG, headers=own).status_code == 200


def test_without_a_token_only_this_machine_may_reload(client):
    # The client of these tests is called testclient, and is not known to be on this machine.
    refused = client.post("/reload")
    assert (refused.status_code, refused.json()["error"]["reason"]) == (
        403,
        "only this machine may reload a server without a token",
    )


def test_pictures_can_be_held_back(run):
    with open_client(run, shows_pictures=False) as client:
        assert client.get("/training/0").status_code == 404
        assert client.get("/mistakes").status_code == 404


def test_names_that_clients_make_up_are_not_counted(client):
    client.get("/made/up/by/somebody")
    assert "made" not in client.get("/metrics").text
    assert 'discern_requests_total{route="other",status="404"}' in client.get("/metrics").text


def test_there_are_no_pages_that_load_from_elsewhere(client):
    assert client.get("/docs").status_code == 404
    assert client.get("/openapi.json").json()["paths"].keys() >= {"/predict", "/model", "/health", "/ready"}
    for name, page in load_pages().items():
        text = page.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"""https?://|@import|url\(|["'(]//|\son\w+=|style=|javascript:""", text), name
