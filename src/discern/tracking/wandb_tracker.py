"""Weights & Biases: online where the user is logged in or asks for it, otherwise files to be sent later."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discern.errors import ConfigError, one_line
from discern.evaluation.metrics import load_metrics
from discern.planning.plan import load_plan
from discern.run_folder import RunFolder
from discern.tracking.identities import load_identity, save_identity
from discern.tracking.tracker import Tracker, importing_tracker
from discern.tracking.values import flatten_plan, list_epoch_values, list_results
from discern.tracking.variables import setting_variables
from discern.training.history import EpochRow

if TYPE_CHECKING:
    import wandb

logger = logging.getLogger("discern")

_NAME = "wandb"
_TIMEOUT_SECONDS = 30.0
_QUIETLY = {"WANDB_ERROR_REPORTING": "false"}
"""Nothing about its own errors is sent to the makers of the package, which it would do offline too."""
_WAYS = "log in by `wandb login`, or keep the run here by WANDB_MODE=offline"


class WandbTracker(Tracker):
    """Sends the plan, the epochs, the metrics, the bundle and the report.

    The project is that of WANDB_PROJECT, by default discern. Files to be sent later lie in the folder `wandb` of the
    run, unless WANDB_DIR names another.
    """

    _run: "wandb.Run"

    def check(self) -> None:
        """Check that the package is installed, and if it is to go online, that the server knows the user."""
        with importing_tracker("wandb", "wandb"):
            import wandb
        try:
            with setting_variables(_QUIETLY):
                is_ready = _choose_mode() != "online" or wandb.login(prompt=False, verify=True)
        except Exception as error:
            raise ConfigError(f"the tracker wandb cannot go online ({one_line(error)}); {_WAYS}") from error
        if not is_ready:
            raise ConfigError(f"the tracker wandb cannot go online, since there is no key; {_WAYS}")

    def start(self, folder: RunFolder) -> None:
        """Begin a run, or go on with the one of a run folder."""
        import wandb

        plan, whole = load_plan(folder.plan), folder.find_whole()
        files = os.environ.get("WANDB_DIR") or str(folder.root.absolute())
        with setting_variables(_QUIETLY):
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT") or "discern",
                name=folder.root.absolute().name if whole is None else f"fold {folder.root.name}",
                group=None if whole is None else whole.root.absolute().name,
                id=load_identity(folder, _NAME),
                resume="allow",
                mode=_choose_mode(),
                dir=files,
                config=flatten_plan(plan),
                reinit="create_new",  # a run of the calling program stays as it is
                settings=wandb.Settings(console="off", silent=True, init_timeout=_TIMEOUT_SECONDS),
            )
        save_identity(folder, _NAME, self._run.id)

    def send_epoch(self, row: EpochRow) -> None:
        """Send the numbers of an epoch."""
        self._run.log(list_epoch_values(row), step=row.epoch)

    def finish(self, folder: RunFolder, *, is_complete: bool) -> None:
        """Send the results, and wait until all has gone."""
        import wandb

        if is_complete:
            self._run.summary.update(list_results(load_metrics(folder.evaluation / "metrics.json")))
            bundle = wandb.Artifact(f"{self._run.id}-bundle", type="model")
            for path in sorted(folder.bundle.iterdir()):
                bundle.add_file(str(path), policy="immutable")
            self._run.log_artifact(bundle)
            if folder.report.is_file():
                report = wandb.Artifact(f"{self._run.id}-report", type="report")
                report.add_file(str(folder.report), policy="immutable")
                self._run.log_artifact(report)
        place, is_offline = self._run.dir, self._run.offline
        self._run.finish(exit_code=0 if is_complete else 1)
        if is_offline:
            logger.info("wandb is offline; send the run by: wandb sync %s", Path(place).parent)
        elif self._run.url:
            logger.info("wandb: %s", self._run.url)


def _choose_mode() -> Any:
    """Return WANDB_MODE, which wandb checks; without it online for those who are logged in, and nobody is asked."""
    import wandb

    given = os.environ.get("WANDB_MODE")
    if given:
        return given
    return "online" if wandb.login(prompt=False, verify=False) else "offline"
