"""label and merge-labels: errors for people, in one line and with exit code 2."""

import pytest

from pictures import draw_photos


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["label", "{photos}", "--goal", "soon"], "the goal is 'soon'; expected such as \"2% wrong, 80% answered\""),
        (
            ["label", "{photos}", "--share", "0/2"],
            "the share is '0/2'; expected such as 1/2 for the first of two people, 2/2 for the other",
        ),
        (["label", "{photos}", "model.weights=none"], "features of random weights say nothing"),
        (["label", "{photos}"], "the weights of resnet50 are not on this machine"),
        (["label", "{tmp}/none"], "There is no file or folder"),
        (["merge-labels", "{tmp}", "--out", "{tmp}/both"], "1 labelling to merge; expected two or more"),
        (["merge-labels", "{tmp}", "{photos}", "--out", "{tmp}/both"], "is no folder of discern label"),
    ],
)
def test_what_cannot_be_done_is_said_in_short(run_cli, photos, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    filled = [one.replace("{photos}", str(photos)).replace("{tmp}", str(tmp_path)) for one in arguments]
    code, _, errors = run_cli(*filled)
    assert code == 2
    assert message in errors
    assert "Traceback" not in errors
    assert len(errors.splitlines()) <= 3


def test_a_folder_with_other_files_is_not_labelled_into(run_cli, photos, tmp_path):
    draw_photos(tmp_path / "other", per_class=1)
    code, _, errors = run_cli("label", photos, "--out", tmp_path / "other")
    assert code == 2
    assert "is not empty and holds no labelling; give another --out" in errors
