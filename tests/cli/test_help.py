"""What the command line tells of itself: help, and completion in a shell."""

import subprocess

import pytest

from discern.recipes import list_recipe_names


def test_help_has_whole_sentences_in_the_order_of_use(run_cli):
    code, text, _ = run_cli("--help")
    assert code == 0
    assert "..." not in text.replace("[ARGS]...", "")
    assert "Train a classifier on labelled pictures, evaluate it, and write a run folder." in " ".join(text.split())
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[1:] == [
        "Train and use a classifier:",
        "Look through the pictures:",
        "Compare ways of training:",
        "Trust it elsewhere:",
        "Get started, and see what there is:",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("discern recipes show ", list_recipe_names()),
        ("discern train photos --recipe trans", ["transfer", "transfer-finetune"]),
        ("discern train photos training.batch", ["training.batch_size="]),
        ("discern compare photos label_sm", ["label_smoothing="]),
        ("discern doc", ["doctor"]),
    ],
)
def test_names_are_completed(run_cli, monkeypatch, line, expected):
    monkeypatch.setenv("_DISCERN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
    _, text, _ = run_cli()
    assert text.split() == expected


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("--epochs", "epochs is a setting, not an option; write it without hyphens: epochs=VALUE"),
        ("--training.batch-size", "training.batch_size is a setting, not an option"),
        ("--foldes", "No such option: --foldes"),
    ],
)
def test_an_option_that_is_a_setting_is_refused_with_how_to_write_it(run_cli, option, answer):
    code, _, errors = run_cli("train", "photos", option, "5")
    assert code == 2
    assert answer in errors


@pytest.mark.parametrize(("found", "options"), [("data.fit=", "-o nospace"), ("doctor", ""), ("", "")])
def test_bash_adds_no_space_after_a_setting(run_cli, monkeypatch, found, options):
    # Otherwise the script is that of the shell the tests were started from.
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    code, script, _ = run_cli("--show-completion")
    assert code == 0
    asked = f"discern() {{ :; }}; env() {{ echo {found}; }}; compopt() {{ echo compopt $*; }}; complete() {{ :; }}"
    lines = [asked, script, "_discern_completion discern"]
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.removeprefix("compopt ").strip() == options
