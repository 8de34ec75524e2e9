import pandas as pd

from pictures import draw_photos


def test_pictures_are_explained_from_the_command_line(run_cli, trained_run, tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=1, first_seed=31)
    out = tmp_path / "out"
    code, text, err = run_cli(
        "explain", trained_run, photos / "red", photos / "*" / "0.png", "--out", out, "--method", "integrated-gradients"
    )
    assert (code, err) == (0, "")
    frame = pd.read_csv(out / "explanations.csv")
    assert len(frame) == 3  # one of them is given twice
    assert set(frame["method"]) == {"integrated-gradients"}
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in frame["figure"])
    assert f"3 pictures explained in {out}" in text
    assert "true blue" in text


def test_it_exits_with_one_when_some_pictures_cannot_be_read(run_cli, trained_run, tmp_path):
    photos = draw_photos(tmp_path / "photos", per_class=1)
    (photos / "red" / "bad.png").write_bytes(b"bad")
    code, _, err = run_cli("explain", trained_run, photos, "--out", tmp_path / "out")
    assert code == 1
    assert "bad.png: " in err
    assert len(pd.read_csv(tmp_path / "out" / "explanations.csv")) == 3


def test_errors_are_one_line(run_cli, trained_run, tmp_path):
    for arguments, message in (
        ((tmp_path, "x.png"), "holds no trained classifier"),
        ((trained_run,), "give either pictures to explain, or --mistakes"),
        ((trained_run, "x.png", "--method", "x"), "there are grad-cam"),
    ):
        code, _, err = run_cli("explain", *arguments)
        assert code == 2
        assert err.startswith("discern: ")
        assert message in err
        assert len(err.splitlines()) == 1
