"""The recipes for data sets that are often used, on tiny imitations of their files."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from code_blocks import ROOT, list_blocks, list_commands
from discern.cli.app import main
from discern.config.load import load_settings
from discern.data.prepare import load_fixed
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.load import load_table
from pictures import draw_photo

PAGE = ROOT / "docs" / "how-to" / "data_as_you_have_it.md"
COUNT = 4


def draw(path: str, seed: int) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    draw_photo((200, 50, 40) if seed % 2 else (40, 60, 200), seed).save(path)


def write(path: str, lines: list[str]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


def make_cub() -> None:
    names = [
        f"{place}.{bird}/{bird}_{n}.jpg" for place, bird in (("001", "Gull"), ("002", "Wren")) for n in range(COUNT)
    ]
    for seed, name in enumerate(names):
        draw(f"CUB_200_2011/images/{name}", seed)
    write("CUB_200_2011/images.txt", [f"{place} {name}" for place, name in enumerate(names, start=1)])
    write(
        "CUB_200_2011/train_test_split.txt", [f"{place + 1} {int(place % COUNT != 0)}" for place in range(len(names))]
    )


def make_cars() -> None:
    kind = [("bbox_x1", object), ("class", object), ("fname", object)]
    marks = np.array([(1, 1 + place % 2, f"{place:05}.jpg") for place in range(2 * COUNT)], dtype=kind)
    for seed, name in enumerate(marks["fname"]):
        draw(f"cars_train/{name}", seed)
    Path("devkit").mkdir()
    savemat("devkit/cars_meta.mat", {"class_names": np.array(["Acura TL", "Ram C/V Van 2012"], dtype=object)})
    savemat("devkit/cars_train_annos.mat", {"annotations": marks})


def make_aircraft() -> None:
    lines = [f"{100 + place:07} {('707-320', 'Cessna 172')[place % 2]}" for place in range(4 * COUNT)]
    for seed, line in enumerate(lines):
        draw(f"fgvc-aircraft-2013b/data/images/{line.split()[0]}.jpg", seed)
    write("fgvc-aircraft-2013b/data/images_variant_trainval.txt", lines[: 2 * COUNT])
    write("fgvc-aircraft-2013b/data/images_variant_test.txt", lines[2 * COUNT :])


def make_pets() -> None:
    names = [f"{('Maine_Coon', 'pug')[place % 2]}_{place}" for place in range(4 * COUNT)]
    for seed, name in enumerate(names):
        draw(f"images/{name}.jpg", seed)
    lines = [f"{name} {1 + place % 2} 1 1" for place, name in enumerate(names)]
    write("annotations/trainval.txt", lines[: 2 * COUNT])
    write("annotations/test.txt", ["#Image CLASS-ID SPECIES BREED ID", *lines[2 * COUNT :]])


def make_food() -> None:
    names = [f"{('apple_pie', 'ramen')[place % 2]}/{1000 + place}" for place in range(4 * COUNT)]
    for seed, name in enumerate(names):
        draw(f"food-101/images/{name}.jpg", seed)
    write("food-101/meta/train.txt", names[: 2 * COUNT])
    write("food-101/meta/test.txt", names[2 * COUNT :])


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for make in (make_cub, make_cars, make_aircraft, make_pets, make_food):
        make()
    return tmp_path


def test_each_recipe_finds_the_pictures_with_their_labels(sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: dict[str, tuple[str, ...]] = {}
    evaluated: dict[str, tuple[str, ...]] = {}

    def read_trained(source: str, *, out: Path, overrides: list[str], **options: object) -> None:
        trained[out.name] = load_fixed(source, load_settings("auto", overrides).data).table.class_names
        sys.exit(0)

    def read_evaluated(run: str, source: str, *, image_root: Path, label_pattern: str, **options: object) -> None:
        columns = ColumnSettings(image_root=image_root, label_pattern=label_pattern)
        evaluated[Path(run).name] = load_table(source, columns).class_names
        sys.exit(0)

    monkeypatch.setattr("discern.workflows.train.train", read_trained)
    monkeypatch.setattr("discern.workflows.evaluate.evaluate", read_evaluated)
    for block in list_blocks(PAGE, marked=True):
        if block.language == "python":
            exec(compile("\n" * block.line + block.code, str(PAGE), "exec"), {})
        for command in list_commands(block) if block.language == "console" else []:
            monkeypatch.setattr(sys, "argv", ["discern", *command.arguments])
            with pytest.raises(SystemExit) as end:
                sys.exit(main())
            assert end.value.code in (None, 0), command.arguments
    assert trained == {
        "cub-own-split": ("001.Gull", "002.Wren"),
        "cub": ("001.Gull", "002.Wren"),
        "cars": ("Acura TL", "Ram C/V Van 2012"),
        "aircraft": ("707-320", "Cessna 172"),
        "pets": ("Maine_Coon", "pug"),
        "food": ("apple_pie", "ramen"),
    }
    assert evaluated == {name: trained[name] for name in ("aircraft", "pets", "food")}
    split = load_table("CUB_200_2011/images/labels.csv").frame["split"]
    assert split.value_counts().to_dict() == {"train": 2 * COUNT - 2, "test": 2}
