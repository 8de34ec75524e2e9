import logging

from discern.cli.spelling import spelling_for_commands
from discern.errors import OVERWRITE, RunFolderError, option

logger = logging.getLogger("discern")


def test_the_log_spells_what_it_advises_for_the_caller(caplog):
    error = RunFolderError("it is full; give ", OVERWRITE)
    with spelling_for_commands():
        logger.warning("%d epochs; go on with %s: %s", 3, option("out", "my run"), error)
    logger.warning("%d epochs; go on with %s: %s", 3, option("out", "my run"), error)
    assert caplog.messages == [
        "3 epochs; go on with --out 'my run': it is full; give --overwrite",
        '3 epochs; go on with out="my run": it is full; give overwrite=True',
    ]
