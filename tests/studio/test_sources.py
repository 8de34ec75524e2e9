"""What is found in a folder, without reading a picture."""

from discern.studio.listing import list_folder
from discern.studio.places import Places
from discern.studio.results import take_results
from discern.studio.sources import find_sources
from discern.workflows.studio import warn_of_classes
from studio_folder import write_run


def find(root):
    top, places = list_folder(root.resolve()), Places(root.resolve())
    runs, pages = take_results(top, places)
    return {one.place: one for one in find_sources(top, places)}, runs, pages


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_folders_of_classes_heaps_tables_and_archives(root):
    make(root, "labels.csv", "birds.zip", "notes.txt", "deep/er/a/1.jpg", "deep/er/b/1.jpg")
    found, _, _ = find(root)
    assert {place: one.kind for place, one in found.items()} == {
        "photos": "classes",
        "heap": "heap",
        "labels.csv": "table",
        "birds.zip": "archive",
        "deep/er": "classes",
    }
    assert (found["photos"].pictures, found["photos"].class_names) == (6, ["blue", "green", "red"])


def test_splits_are_one_source_below_the_folder_and_its_parts_at_its_top(tmp_path):
    for place in ("set/train", "set/val", "train", "val"):
        make(tmp_path, f"{place}/ant/1.jpg", f"{place}/bee/1.jpg")
    assert set(find(tmp_path / "set")[0]) == {".", "train", "val"}
    (tmp_path / "around").mkdir()
    (tmp_path / "set").rename(tmp_path / "around" / "set")
    found, _, _ = find(tmp_path / "around")
    assert found["set"].class_names == ["ant", "bee"]
    assert set(found) == {"set"}


def test_classes_in_the_folder_itself_are_told_at_the_start_with_a_command_that_works(root, caplog):
    found, _, _ = find(root / "photos")
    assert found["."].is_around_runs
    assert not any(one.is_around_runs for one in find(root)[0].values())
    (root / "more classes").mkdir()
    (root / "photos").rename(root / "more classes" / "photos")
    write_run(root / "more classes" / "photos" / "runs" / "a")
    warn_of_classes(root / "more classes" / "photos")
    assert caplog.messages == [
        f"{root}/more classes/photos holds the folders of classes itself, and runs cannot be written among pictures. "
        "To train on them, move them into a folder of their own in it, or start in the folder around it: "
        f"discern studio '{root}/more classes'"
    ]
    caplog.clear()
    warn_of_classes(root)
    assert caplog.messages == []


def test_a_folder_around_several_sets_is_none_itself(root):
    found, _, _ = find(root.parent)
    assert {place: one.kind for place, one in found.items()} == {
        "secret": "classes",
        "studio/heap": "heap",
        "studio/photos": "classes",
    }
    make(root.parent, "more/1.jpg", "even/1.jpg")
    assert set(find(root.parent)[0]) == {"secret", "studio/heap", "studio/photos", "more", "even"}


def test_what_is_hidden_linked_or_of_a_run_is_no_source(root):
    (root / "linked").symlink_to(root.parent / "secret")
    make(root, ".git/a/1.jpg", ".git/b/1.jpg")
    run = write_run(root / "runs" / "photos")
    make(run, "thumbnails/1.jpg")
    found, runs, _ = find(root)
    assert set(found) == {"photos", "heap"}
    assert [(one.place, one.is_complete, one.is_running) for one in runs] == [("runs/photos", False, False)]


def test_pages_of_other_commands_are_found(root):
    make(root, "runs/a-audit/audit.html", "comparisons/x/comparison.html", "comparisons/y/disagreements.csv")
    make(root, "comparisons/y/comparison.json")
    _, _, pages = find(root)
    assert {one.place: one.kind for one in pages} == {
        "runs/a-audit": "audit",
        "comparisons/x": "comparison",
        "comparisons/y": "diff",
    }
