"""Who gets what from a studio: the token, signed links, hostile clients, and frames without rights."""

import pytest

from discern.studio.open_paths import OpenPaths

OUTSIDE = ["../secret/red/0.png", "/etc/passwd", "photos/../../secret/red/0.png", ".discern-studio"]


def reason(answer):
    return answer.json()["error"]["reason"]


def test_all_but_the_page_needs_the_token(client):
    del client.headers["Authorization"]
    assert client.get("/").status_code == 200
    assert client.get("/static/studio.js").status_code == 200
    for path in (
        "/folder",
        "/events",
        "/run?place=photos",
        "/link?place=photos",
        "/tasks/1/output",
        "/pages/1/predict",
    ):
        assert client.get(path).status_code == 401, path
    for path in ("/tasks", "/preview", "/finish", "/uploads", "/uploads/x/part", "/pages/1/predict"):
        assert client.post(path, json={}).status_code == 401, path


def test_no_other_path_is_open():
    paths = OpenPaths(["studio.js"])
    signature = "0" * 32
    assert "/pages/3/" in paths
    assert "/pages/3/static/page.js" in paths
    assert f"/reports/{signature}/a/report.html" in paths
    for closed in ("/pages/3/predict", "/pages/3/static/../predict", "/pages/3/static/a/b", "/pages/x/", "/folder"):
        assert closed not in paths
    for closed in ("/reports/0/a", f"/reports/{signature}/", f"/other/{signature}/a", "/static/other.js", "/pages/3"):
        assert closed not in paths


@pytest.mark.parametrize("place", OUTSIDE)
def test_no_route_leads_out_of_the_folder(client, place):
    for answer in (
        client.get("/run", params={"place": place}),
        client.get("/link", params={"place": place}),
        client.get("/comparison", params={"place": place}),
        client.post("/finish", json={"place": place}),
        client.post("/tasks", json={"command": "audit", "source": place}),
        client.post("/tasks", json={"command": "serve", "run": place}),
        client.get(f"/reports/{'0' * 32}/{place}"),
        client.get(f"/files/{'0' * 32}/{place}"),
    ):
        assert answer.status_code in (403, 404, 422), answer.url
        assert "secret" not in answer.text.replace(place, "")


def test_pages_of_other_sites_cannot_start_anything(client):
    wish = {"command": "audit", "source": "photos"}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/tasks", json=wish, headers=headers).status_code == 403
    assert client.get("/folder", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/folder").json()["runs"] == []


def test_a_report_is_shown_without_any_right_and_only_by_its_link(client, root):
    report = root / "runs" / "a-audit" / "audit.html"
    report.parent.mkdir(parents=True)
    report.write_text("<script>alert(1)</script>")
    link = client.get("/link", params={"place": "runs/a-audit/audit.html"}).json()["link"]
    del client.headers["Authorization"]
    shown = client.get(f"/{link}")
    assert shown.text == "<script>alert(1)</script>"
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "connect-src" not in policy
    assert client.get(f"/{link.replace('audit.html', 'other.html')}").status_code == 403
    picture = client.get(f"/{link.replace('reports/', 'files/')}")
    assert picture.headers["Content-Disposition"].startswith("attachment")


def test_the_studio_is_in_no_frame_of_another_page(client):
    headers = client.get("/").headers
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert "frame-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "SAMEORIGIN"


def test_only_what_trains_is_finished(client, root):
    answer = client.post("/finish", json={"place": "photos"})
    assert reason(answer) == "there is no training that could be finished"
    assert not (root / "photos" / "finish").exists()
