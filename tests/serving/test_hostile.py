"""Whatever is sent, the server says what is wrong with it, and nobody else notices."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect

from discern.serving.guard import Access, Guard
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from hostile_files import HOSTILE, PNG
from served import open_client
from serving_files import draw, encode


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_its_status_and_a_reason(client, name):
    hostile = HOSTILE[name]
    answer = client.post("/predict", files={"files": ("photo.jpg", hostile.content)})
    assert answer.status_code == hostile.status
    assert answer.json()["error"]["status"] == hostile.status
    assert hostile.reason in answer.json()["error"]["reason"]


def test_hostile_files_take_nothing_from_the_good_ones_beside_them(client):
    good = encode(draw("blue"))
    (alone,) = client.post("/predict", content=good).json()["pictures"]
    files = [("files", ("good.png", good))]
    for name, hostile in HOSTILE.items():
        files += [("files", (name, hostile.content)), ("files", ("good.png", good))]
    answer = client.post("/predict", files=files)
    assert answer.status_code == 200
    pictures = answer.json()["pictures"]
    assert [picture["error"]["status"] for picture in pictures[1::2]] == [one.status for one in HOSTILE.values()]
    for picture in pictures[::2]:
        assert picture["label"] == alone["label"]
        assert picture["confidence"] == pytest.approx(alone["confidence"], abs=1e-6)


def test_damaged_exif_is_no_line_of_the_log(client, recwarn):
    plain = encode(draw("blue"), "JPEG")
    damaged = encode(draw("blue"), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01")
    answers = [client.post("/predict", content=content).json()["pictures"][0] for content in (plain, damaged)]
    assert answers[0] == answers[1]
    assert list(recwarn) == []


def test_several_files_that_are_all_bad_are_answered_one_by_one(client):
    answer = client.post("/predict", files=[("files", ("a.jpg", b"")), ("files", ("b.jpg", b"text"))])
    assert answer.status_code == 422
    assert [picture["error"]["status"] for picture in answer.json()["pictures"]] == [400, 415]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("a\0b.png", "ab.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("<script>alert(1)<", "<script>alert(1)<"),
        ("x" * 500, "x" * 57 + " ... " + "x" * 57),
        ("..", ".."),
    ],
)
def test_names_of_files_are_shown_at_most(client, tmp_path, monkeypatch, name, shown):
    monkeypatch.chdir(tmp_path)
    body = b"\r\n".join(
        [
            b"--b",
            b'Content-Disposition: form-data; name="files"; filename="' + name.replace("\\", "\\\\").encode() + b'"',
            b"Content-Type: image/png",
            b"",
            PNG,
            b"--b--",
            b"",
        ]
    )
    answer = client.post("/predict", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.json()["pictures"][0]["name"] == shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2Fapp.py",
        "/static/%2e%2e%2f%2e%2e%2fbundle.py",
        "/static//etc/passwd",
        "/static/index.html%00.css",
        "/training/999999",
        "/training/-1",
        "/mistakes/999999",
        "/mistakes/..%2F..%2Fbundle.json",
    ],
)
def test_no_path_leads_to_a_file_of_the_server(client, path):
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    ("headers", "content", "status", "reason"),
    [
        ({}, b"", 400, "the body is empty"),
        ({"Content-Type": "application/json"}, b"{}", 415, "a body of type application/json"),
        ({"Content-Type": "multipart/form-data"}, b"x", 400, "the form cannot be read"),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"nonsense", 400, "the form"),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n", 400, "the form has no files"),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\n' + b"x" * 5000 + b"\r\n--b--\r\n",
            400,
            "the form cannot be read",
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=b"},
            b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
            400,
            "the form cannot be read",
        ),
    ],
)
def test_a_body_that_is_not_understood_is_refused(client, headers, content, status, reason):
    answer = client.post("/predict", content=content, headers=headers)
    assert answer.status_code == status
    assert reason in answer.json()["error"]["reason"]


def build_part(name, content=PNG):
    return b'--b\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n' % (name, content)


@pytest.mark.parametrize("rest", [build_part(b"b.png")[:200], build_part(b"b.png")[:20], b"", b"--b"])
def test_a_form_that_was_cut_off_is_not_answered_in_part(client, rest):
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = client.post("/predict", content=build_part(b"a.png") + rest, headers=form)
    assert answer.status_code == 400
    assert answer.json()["error"]["reason"] == "the form cannot be read: it was cut off, its last boundary is missing"


def test_pictures_of_equal_names_are_answered_in_their_order(client):
    colours = ("blue", "red", "blue")
    files = [("files", ("a.png", encode(draw(colour)))) for colour in colours]
    pictures = client.post("/predict", files=files).json()["pictures"]
    assert [(picture["name"], picture["label"]) for picture in pictures] == [("a.png", one) for one in colours]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "b" * 5000, 400),
        ("multipart/form-data; boundary=other", 400),
        ("multipart/form-data; boundary=b; charset=hex", 200),
        ('MULTIPART/form-data;boundary="b"', 200),
        ("/", 415),
    ],
)
def test_types_of_a_form_that_make_no_sense_are_refused(client, content_type, status):
    content = build_part(b"a.png") + b"--b--\r\n"
    assert client.post("/predict", content=content, headers={"Content-Type": content_type}).status_code == status


@pytest.mark.parametrize(
    "query", ["top_k=abc", "top_k=0", "top_k=1e3", "max_error=nan", "max_error=inf", "nearest=-1", "explain=%00"]
)
def test_values_that_make_no_sense_are_named(client, query):
    answer = client.post(f"/predict?{query}", content=PNG)
    assert answer.status_code == 422
    assert query.partition("=")[0].replace("explain", "explanation") in answer.json()["error"]["reason"]


def test_a_client_that_leaves_in_the_middle_is_one_line_of_the_log(caplog):
    async def leave(*_):
        raise ClientDisconnect

    sent = []
    guard = Guard(leave, access=Access(), limits=Limits(), metrics=Metrics(), routes=())
    with caplog.at_level("INFO", "discern"):
        asyncio.run(guard({"type": "http", "method": "POST", "path": "/predict", "headers": []}, None, sent.append))
    (line,) = caplog.records
    assert (line.message, line.exc_info) == ("POST /predict: the client left before it had sent all", None)
    assert sent == []


def test_limits_are_kept(run):
    limits = Limits(max_pictures=2, max_bytes=20_000, max_picture_bytes=6_000, max_pixels=2_000)
    large, many_pixels = encode(draw().resize((44, 44))), encode(draw().resize((50, 50)).convert("1"))
    with open_client(run, limits=limits) as client:
        three = client.post("/predict", files=[("files", ("a.png", PNG))] * 3)
        assert (three.status_code, "Too many files" in three.text) == (413, True)
        body = client.post("/predict", content=b"x" * 20_001)
        assert body.json()["error"]["reason"] == "the body is larger than the limit of 20,000 bytes"
        assert body.status_code == 413
        bytes_of_picture = client.post("/predict", content=large + bytes(6_000))
        assert bytes_of_picture.status_code == 413
        assert "bytes are more than the limit of 6,000" in bytes_of_picture.json()["error"]["reason"]
        pixels = client.post("/predict", content=many_pixels)
        assert "50 x 50 is more than the limit of 2,000 pixels" in pixels.json()["error"]["reason"]
        assert client.post("/predict", content=PNG).status_code == 200


def test_a_body_without_an_announced_length_is_counted_as_it_comes(run):
    with open_client(run, limits=Limits(max_bytes=10_000)) as client:
        answer = client.post("/predict", content=(b"x" * 1_000 for _ in range(1_000)))
        assert answer.status_code == 413


def test_a_fault_of_the_server_is_told_without_its_inside(run, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("secret /home/someone")

    with open_client(run) as client:
        monkeypatch.setattr("discern.serving.answering.fit_upload", fail)
        answer = client.post("/predict", content=PNG)
    assert answer.status_code == 500
    assert answer.json() == {"error": {"status": 500, "reason": "the server failed; its log says why"}}
    assert "secret" in caplog.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
