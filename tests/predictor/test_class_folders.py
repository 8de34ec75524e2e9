import unicodedata
from urllib.parse import unquote

import pytest

from discern.predictor.class_folders import name_class_folders

NAMES = [
    "red", "Boeing 737-800", "Mi-8", "狗", "Café", "AC/DC", "a\\b", "50%", "50%25", "..", ".", ".hidden", " cat",
    "cat ", "cat.", "what?", "a:b", "CON", "nul.txt", "Lpt1", "tab\there", "cat", "Cat", "CAT", "caf\u00e9",
    "cafe\u0301",
]  # fmt: skip


def test_every_class_has_a_folder_of_its_own_that_every_system_takes_and_that_says_the_class():
    folders = name_class_folders(NAMES)
    assert list(folders) == NAMES
    assert [unquote(folder) for folder in folders.values()] == NAMES
    assert len({unicodedata.normalize("NFC", folder).casefold() for folder in folders.values()}) == len(NAMES)
    for folder in folders.values():
        assert not set(folder) & set('/\\:*?"<>|\t')
        assert folder.strip(" .") == folder
        assert folder.partition(".")[0].casefold() not in ("con", "nul", "lpt1")


@pytest.mark.parametrize("name", ["red", "Boeing 737-800", "狗", "v1.2_final (new)"])
def test_a_usual_name_stays_as_it_is(name):
    assert name_class_folders([name]) == {name: name}


def test_a_class_of_a_taken_name_is_written_out():
    folder = name_class_folders(["Unknown", "red"], taken=["unknown"])["Unknown"]
    assert folder == "%55%6E%6B%6E%6F%77%6E"
    assert unquote(folder) == "Unknown"
