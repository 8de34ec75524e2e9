import shutil

from discern.workflows.train import train
from pictures import QUICK, WITH_PAGE


def test_the_page_of_a_run_is_made_again_and_opened(run_cli, trained_run, tmp_path, monkeypatch):
    run = shutil.copytree(trained_run, tmp_path / "run")
    (run / "report.html").unlink()
    # A run whose answers are all sure and right has no picture to show.
    thumbnails = {path.name for path in (run / "thumbnails").glob("*.jpg")}
    shutil.rmtree(run / "thumbnails", ignore_errors=True)
    opened = tmp_path / "opened.txt"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setattr("webbrowser._tryorder", None)
    code, text, _ = run_cli("report", run, "--open")
    assert code == 0
    assert opened.read_text().strip() == (run / "report.html").as_uri()
    assert f"written: {run / 'report.html'}" in text
    assert "<main" in (run / "report.html").read_text(encoding="utf-8")
    assert {path.name for path in (run / "thumbnails").glob("*.jpg")} == thumbnails


def test_what_is_no_run_is_refused_in_words(run_cli, tmp_path):
    code, _, err = run_cli("report", tmp_path)
    assert code == 2
    assert err == f"discern: {tmp_path} holds no run of discern; give the folder that discern train wrote\n"


def test_a_page_that_fails_costs_no_run(photos, tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise KeyError("a mistake in the page")

    monkeypatch.setattr("discern.reports.run_report.build_run_page", fail)
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, *WITH_PAGE])
    assert run.folder.is_complete()
    assert not run.folder.report.exists()
    assert (
        f"{run.folder.report} could not be written (KeyError: 'a mistake in the page'); "
        f"discern report {run.folder.root} tries again" in caplog.text
    )
