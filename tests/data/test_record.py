from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder
from discern.data.sources.load import load_table
from discern.data.splitting.split import save_split
from discern.environment import DataRecord, Environment, save_environment
from discern.run_folder import RunFolder


def test_paths_of_labelled_pictures_are_absolute(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder({"ant": 1, "bee": 1})
    (root / "labels.csv").write_text("image,label\nant/1.png,a\n")
    monkeypatch.chdir(root.parent)
    for source in ("photos", Path("photos/labels.csv")):
        assert load_table(source).frame["path"].iloc[0] == str(root / "ant" / "1.png")
    frame = pd.DataFrame({"image": ["photos/bee/1.png"], "label": ["b"]})
    assert load_table(frame).frame["path"].tolist() == [str(root / "bee" / "1.png")]


def test_paths_of_a_split_start_from_the_root_of_the_data(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"ant": 1})
    run = RunFolder(tmp_path)
    save_split(load_table(root), run.split, root=str(root))
    assert run.split.read_text().splitlines()[1] == "ant/1.png,ant/1.png,ant,"
    assert run.read_data_root() == Path()
    save_environment(Environment(data=DataRecord(root=str(root))), run.environment)
    assert run.read_data_root() / "ant/1.png" == root / "ant" / "1.png"
    save_split(load_table(root), run.split, root=str(root / "other"))
    assert run.split.read_text().splitlines()[1] == f"ant/1.png,{root}/ant/1.png,ant,"
