"""The image that serves; where no Docker is, at least what the file names must be there."""

import json
import re
from pathlib import Path

SOURCE = Path(__file__).parents[2]
DOCKERFILE = (SOURCE / "Dockerfile").read_text()


def test_what_is_copied_exists_and_is_sent_to_the_build():
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    copied = {name for names in copies for name in names.split()}
    sent = set(re.findall(r"^!(\S+)$", (SOURCE / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == sent
    assert all((SOURCE / name).exists() for name in copied)


def test_the_command_line_is_one_that_serve_understands(run_cli):
    (program, *options), folders = (
        json.loads(found[1]) for found in re.finditer(r"^(?:ENTRYPOINT|CMD) (.+)$", DOCKERFILE, re.MULTILINE)
    )
    code, _, message = run_cli(*options, *folders)
    assert (program, code) == ("discern", 2)
    assert "/model" in message
