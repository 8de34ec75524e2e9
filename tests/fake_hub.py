"""A Hugging Face Hub on the loopback, as far as its client asks for when bundles are pushed and loaded."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_test"


class FakeHub(ThreadingHTTPServer):
    """Keeps repositories: `commits` are their files by commit, `branches` the commit of each branch.

    `claimed_bytes` are sizes stated instead of the real ones, by file name; `refused` are statuses of repositories.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.branches: dict[str, dict[str, str]] = {}
        self.commits: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.large_files: dict[str, bytes] = {}
        self.claimed_bytes: dict[str, int] = {}
        self.refused: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, repository: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Make a commit of all files of a branch, and return its name."""
        parts = [repository, branch, *(f"{name}{hashlib.sha1(files[name]).hexdigest()}" for name in sorted(files))]
        commit = hashlib.sha1("\0".join(parts).encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.branches.setdefault(repository, {})[branch] = commit
        return commit

    def files(self, repository: str, branch: str = "main") -> dict[str, bytes]:
        return self.commits[self.branches[repository][branch]]

    def downloads(self) -> list[str]:
        """The files that were sent, by name."""
        return [path.rpartition("/")[2] for path in self.asked if "/resolve/" in path]


@contextmanager
def open_hub() -> Iterator[FakeHub]:
    with FakeHub() as hub:
        thread = Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self._resolve(sends_body=False)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if "/resolve/" in path:
            self.server.asked.append(path)
            self._resolve(sends_body=True)
        else:
            _, _, _, user, name, _, revision = path.split("/", 6)
            if (files := self._find_files(f"{user}/{name}", revision)) is not None:
                rows = [
                    {"type": "file", "path": path, "size": len(content), "oid": "0"} for path, content in files.items()
                ]
                self._answer(200, rows)

    def do_PUT(self) -> None:
        self.server.large_files[self.path.rpartition("/")[2]] = self._read()
        self._answer(200, {})

    def do_POST(self) -> None:
        path, content = unquote(urlsplit(self.path).path), self._read()
        if path == "/api/validate-yaml":
            head = json.loads(content)["content"].split("---\n")[1]
            self._answer(200 if isinstance(yaml.safe_load(head), dict) else 400, {"errors": [], "warnings": []})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(401, "")
        elif path == "/api/repos/create":
            asked = json.loads(content)
            repository = f"{asked['organization']}/{asked['name']}"
            self.server.private[repository] = asked.get("visibility") == "private" or asked.get("private", False)
            self.server.commit(repository, {".gitattributes": b""})
            self._answer(200, {"url": f"{self.server.url}/{repository}"})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/large/{one['oid']}"}}}
                for one in json.loads(content)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        else:
            _, _, _, user, name, verb, branch = path.split("/", 6)
            getattr(self, f"_{verb}")(f"{user}/{name}", branch, content)

    def _branch(self, repository: str, branch: str, _: bytes) -> None:
        self.server.commit(repository, self.server.files(repository), branch)
        self._answer(201, {})

    def _preupload(self, repository: str, branch: str, content: bytes) -> None:
        files = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular",
                "shouldIgnore": False,
            }
            for one in json.loads(content)["files"]
        ]
        self._answer(200, {"files": files})

    def _commit(self, repository: str, branch: str, content: bytes) -> None:
        files = dict(self.server.files(repository, branch))
        for line in map(json.loads, content.splitlines()):
            value = line["value"]
            if line["key"] == "deletedFile":
                del files[value["path"]]
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large_files[value["oid"]]
        commit = self.server.commit(repository, files, branch)
        self._answer(
            200, {"success": True, "commitOid": commit, "commitUrl": f"{self.server.url}/{repository}/commit/{commit}"}
        )

    def _resolve(self, *, sends_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        repository, _, rest = path.strip("/").partition("/resolve/")
        revision, _, name = rest.rpartition("/")
        files = self._find_files(repository, revision)
        if files is None:
            return
        if name not in files:
            self._refuse(404, "EntryNotFound")
            return
        content = files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.claimed_bytes.get(name, len(content))))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.server.branches[repository].get(revision, revision))
        self.end_headers()
        if sends_body:
            self.wfile.write(content)

    def _find_files(self, repository: str, revision: str) -> dict[str, bytes] | None:
        """Return the files of a revision; where there are none, answer that."""
        if repository in self.server.refused:
            self._refuse(*self.server.refused[repository])
        elif repository not in self.server.branches:
            self._refuse(404, "RepoNotFound")
        elif (commit := self.server.branches[repository].get(revision, revision)) not in self.server.commits:
            self._refuse(404, "RevisionNotFound")
        else:
            return self.server.commits[commit]
        return None

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, content: object) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""
