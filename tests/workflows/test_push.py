"""Classifiers on the Hugging Face Hub: pushed to a server on the loopback by the real client, and loaded from there."""

import json
import logging
import re

import pandas as pd
import pytest

import discern
from discern.cli.app import main
from discern.errors import BundleError, ConfigError, ExportError
from fake_hub import TOKEN, open_hub

# Said by what carries the client's requests about how the client uses it, when it uploads a large file.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload raw bytes:DeprecationWarning")

MINE = "seeds/birds"
PUBLIC = {"README.md", "bundle.json", "evidence.safetensors", "manifest.json", "model.safetensors"}


@pytest.fixture(scope="module")
def server():
    with open_hub() as hub:
        yield hub


@pytest.fixture
def hub(server, monkeypatch, tmp_path):
    """An empty Hub that the environment names, with a token, and an empty cache; its client does not wait."""
    for kept in (server.branches, server.commits, server.private, server.claimed_bytes, server.refused, server.asked):
        kept.clear()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return server


@pytest.fixture(scope="module")
def bundle_files(trained_run, tmp_path_factory):
    """The files of a public bundle."""
    folder = discern.export_public(trained_run, tmp_path_factory.mktemp("public"), verbose=False)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def run_command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["discern", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code or 0, capsys.readouterr()


def test_a_pushed_classifier_is_listed_first_and_answers_as_the_run(
    trained_run, photos, hub, tmp_path, monkeypatch, capsys
):
    code, said = run_command(monkeypatch, capsys, "push", trained_run, MINE, "--private")
    assert code == 0
    assert re.search(r"uploading [\d.]+ MiB to hf://seeds/birds:\n  README.md, [\d.]+ KiB\n", said.out)
    assert "without paths, pictures and features of the training pictures" in said.out
    address = re.search(r"use it: discern predict (hf://seeds/birds@[0-9a-f]{40}) PICTURES", said.out)[1]
    files = hub.files(MINE)
    assert set(files) == PUBLIC | {".gitattributes"}
    assert hub.private == {MINE: True}
    assert not [name for name, content in files.items() if str(photos).encode() in content]
    assert f'discern.load("hf://{MINE}")'.encode() in files["README.md"]

    picture, answers = photos / "red" / "1.png", tmp_path / "answers.csv"
    code, said = run_command(monkeypatch, capsys, "predict", address, picture, "--probabilities", "--out", answers)
    assert code == 0
    assert "downloading" in said.out
    assert set(hub.downloads()) == PUBLIC - {"README.md"}
    expected = discern.load(trained_run).predict(str(picture), probabilities=True)
    found = pd.read_csv(answers)
    columns = [name for name in expected if name.startswith(("label", "confidence", "probability"))]
    pd.testing.assert_frame_equal(found[columns], expected[columns], rtol=1e-5)


def test_a_branch_follows_its_commits_and_a_commit_stays(trained_run, hub, caplog):
    with caplog.at_level(logging.INFO, logger="discern"):
        first = discern.push(trained_run, MINE, revision="v1")
        second = discern.push(trained_run, f"hf://{MINE}", revision="v1", whole=True)
    assert first != second
    assert hub.branches[MINE].keys() == {"main", "v1"}
    assert "with the names and features of training pictures" in caplog.messages
    assert discern.load(f"hf://{MINE}@v1").bundle.feature_bank is not None
    assert discern.load(first).bundle.feature_bank is None
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="discern"):
        discern.load(f"hf://{MINE}@v1")
    assert caplog.messages == [f"hf://{MINE}@v1 is now at {second}, which always names these files"]


def test_what_an_earlier_push_had_is_gone_from_the_branch(trained_run, hub):
    discern.push(trained_run, MINE, whole=True, verbose=False)
    assert "feature_bank.csv" in hub.files(MINE)
    discern.push(trained_run, MINE, verbose=False)
    assert set(hub.files(MINE)) == PUBLIC | {".gitattributes"}


def test_a_cached_classifier_needs_no_network(bundle_files, hub, monkeypatch):
    commit = hub.commit(MINE, bundle_files)
    names = discern.load(f"hf://{MINE}").class_names
    hub.asked.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert discern.load(f"hf://{MINE}").class_names == names
    assert discern.load(f"hf://{MINE}@{commit}").class_names == names
    assert hub.asked == []
    with pytest.raises(
        BundleError, match=r"hf://seeds/bees is not on this machine .*, and HF_HUB_OFFLINE is set; load"
    ):
        discern.load("hf://seeds/bees")


def test_a_server_that_is_away_is_no_obstacle_to_what_is_cached(bundle_files, hub, monkeypatch):
    hub.commit(MINE, bundle_files)
    names = discern.load(f"hf://{MINE}").class_names
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert discern.load(f"hf://{MINE}").class_names == names
    with pytest.raises(BundleError, match=r"and the Hub cannot be reached; load it once where there is a network"):
        discern.load("hf://seeds/bees")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("hf://seeds/nobody", "hf://seeds/nobody does not exist, or is private and your token does not open it"),
        (f"hf://{MINE}@v9", f"hf://{MINE} has no revision 'v9'; give a branch, a tag or a commit"),
        ("hf://seeds/gated", "hf://seeds/gated is open only to those whom its owner lets in"),
        ("hf://seeds/text", "hf://seeds/text holds no bundle of discern: it has no manifest.json"),
        ("hf://birds", "'hf://birds' is no repository on the Hugging Face Hub; expected hf://USER/NAME"),
        ("hf://../../etc", "'hf://../../etc' is no repository"),
    ],
)
def test_an_address_that_cannot_be_loaded_says_why(address, expected, bundle_files, hub):
    hub.commit(MINE, bundle_files)
    hub.commit("seeds/text", {"README.md": b"", "model.safetensors": b""})
    hub.refused["seeds/gated"] = (403, "GatedRepo")
    with pytest.raises((BundleError, ConfigError), match=re.escape(expected)):
        discern.load(address)


def test_only_files_of_a_bundle_are_downloaded(bundle_files, hub):
    manifest = json.loads(bundle_files["manifest.json"])
    manifest["files"]["code.py"] = {"bytes": 4, "sha256": "0"}
    hub.commit(MINE, bundle_files | {"code.py": b"evil", "manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(BundleError, match=r"its manifest.json names 'code.py'; nothing but bundle.json, "):
        discern.load(f"hf://{MINE}")
    assert hub.downloads() == ["manifest.json"]


@pytest.mark.parametrize(("name", "size_bytes"), [("model.safetensors", 10**12), ("manifest.json", 2**20 + 1)])
def test_a_file_that_is_larger_than_its_manifest_says_is_not_downloaded(name, size_bytes, bundle_files, hub):
    hub.commit(MINE, bundle_files)
    hub.claimed_bytes[name] = size_bytes
    with pytest.raises(
        BundleError, match=rf"{name} has .*, and at most .* were expected; nothing of it was downloaded"
    ):
        discern.load(f"hf://{MINE}")
    assert name not in hub.downloads()


def test_a_file_that_was_changed_there_is_found_by_its_checksum(bundle_files, hub):
    weights = bytearray(bundle_files["model.safetensors"])
    weights[-1] ^= 1
    hub.commit(MINE, bundle_files | {"model.safetensors": bytes(weights)})
    with pytest.raises(BundleError, match=r"model.safetensors is damaged or was changed"):
        discern.load(f"hf://{MINE}")


def test_a_repository_with_other_files_is_spared(trained_run, hub):
    hub.commit(MINE, {".gitattributes": b"", "pytorch_model.bin": b"mine"})
    before = hub.files(MINE)
    with pytest.raises(ExportError, match=r"hf://seeds/birds has files that are not those of a bundle \(pytorch_model"):
        discern.push(trained_run, MINE, verbose=False)
    assert hub.files(MINE) == before


def test_a_push_without_a_right_says_what_to_do(trained_run, hub, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    code, said = run_command(monkeypatch, capsys, "push", trained_run, MINE)
    assert code == 2
    assert said.err.count("\n") == 1
    assert said.err.startswith("discern: your token may not write to hf://seeds/birds; make one that may write")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/no/such/token")
    with pytest.raises(
        ExportError, match=r"there is no token for the Hugging Face Hub.*`hf auth login`, or set HF_TOKEN"
    ):
        discern.push(trained_run, MINE, verbose=False)
    assert hub.branches == {}


def test_what_is_written_beside_a_run_needs_a_place_if_that_is_on_the_hub(photos, monkeypatch, capsys):
    for arguments in (("evaluate", "hf://seeds/birds", photos), ("export", "hf://seeds/birds")):
        code, said = run_command(monkeypatch, capsys, *arguments)
        assert code == 2
        assert "hf://seeds/birds is on the Hugging Face Hub, so nothing is written beside it" in said.err
        assert "--out" in said.err
