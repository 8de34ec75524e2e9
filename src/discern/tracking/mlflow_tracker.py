"""MLflow: the plan as parameters, the epochs and results as metrics, the report and the classifier as artifacts."""

import logging
import os
import re
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from discern.environment import load_environment
from discern.errors import ConfigError, one_line
from discern.evaluation.metrics import load_metrics
from discern.planning.plan import Plan, load_plan
from discern.run_folder import RunFolder
from discern.tracking.identities import load_identity, save_identity
from discern.tracking.tracker import Tracker, importing_tracker
from discern.tracking.values import flatten_plan, list_epoch_values, list_results
from discern.tracking.variables import setting_variables
from discern.training.history import EpochRow
from discern.version import __version__

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger("discern")

_NAME = "mlflow"
_MAX_VALUE_CHARACTERS = 500
"""Of a parameter, which all versions of a store take."""
_MAX_PARAMETERS = 100
"""In one request."""


class MlflowTracker(Tracker):
    """Sends a run to the store that MLFLOW_TRACKING_URI names, into the experiment that MLFLOW_EXPERIMENT_NAME names.

    A run of MLflow that the calling program has begun stays as it is, and becomes the parent.
    """

    _client: "MlflowClient"
    _run_id: str

    def check(self) -> None:
        """Check that the package is installed, and that the store answers."""
        with importing_tracker("mlflow", "mlflow"), setting_variables(_LIMITS):
            import mlflow
        try:
            with setting_variables(_LIMITS):
                mlflow.MlflowClient().search_experiments(max_results=1)
        except Exception as error:
            place = _hide_password(mlflow.get_tracking_uri())
            raise ConfigError(
                f"the tracker mlflow cannot use its store {place} ({_hide_password(one_line(error))}); start its "
                "server, or name another store by the variable MLFLOW_TRACKING_URI, such as sqlite:///mlflow.db"
            ) from error

    def start(self, folder: RunFolder) -> None:
        """Begin a run, or go on with the one of a run folder, where the store still has it."""
        import mlflow

        with setting_variables(_LIMITS):
            self._client = mlflow.MlflowClient()
            run = self._find_known(load_identity(folder, _NAME)) or self._create(folder)
            self._run_id = str(run.info.run_id)
            save_identity(folder, _NAME, self._run_id)
            self._client.update_run(self._run_id, status="RUNNING")
            if not run.data.params:
                self._log_plan(load_plan(folder.plan))

    def send_epoch(self, row: EpochRow) -> None:
        """Send the numbers of an epoch."""
        with setting_variables(_LIMITS):
            self._log_metrics(list_epoch_values(row), row.epoch)

    def finish(self, folder: RunFolder, *, is_complete: bool) -> None:
        """Send the results, the report and the classifier, and end the run."""
        with setting_variables(_LIMITS):
            if is_complete:
                self._log_metrics(list_results(load_metrics(folder.evaluation / "metrics.json")), 0)
                if folder.report.is_file():
                    self._client.log_artifact(self._run_id, str(folder.report))
                self._log_model(folder.bundle)
            self._client.set_terminated(self._run_id, "FINISHED" if is_complete else "FAILED")
        logger.info("mlflow: run %s in %s", self._run_id, _hide_password(self._client.tracking_uri))

    def _find_known(self, run_id: str | None) -> "Run | None":
        """Return a run that the store still has."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def _create(self, folder: RunFolder) -> "Run":
        import mlflow

        environment, whole, active = load_environment(folder.environment), folder.find_whole(), mlflow.active_run()
        parent = load_identity(whole, _NAME) if whole is not None else active and active.info.run_id
        tags = {
            "mlflow.parentRunId": parent,
            "discern.version": __version__,
            "discern.run": str(folder.root.absolute()),
            "discern.data": environment.data.source,
            "discern.data_fingerprint": environment.data.fingerprint,
        }
        return self._client.create_run(
            self._find_experiment(),
            run_name=folder.root.absolute().name if whole is None else f"fold {folder.root.name}",
            tags={name: value for name, value in tags.items() if value},
        )

    def _log_plan(self, plan: Plan) -> None:
        from mlflow.entities import Param

        parameters = [Param(name, value[:_MAX_VALUE_CHARACTERS]) for name, value in flatten_plan(plan).items()]
        for start in range(0, len(parameters), _MAX_PARAMETERS):
            self._client.log_batch(self._run_id, params=parameters[start : start + _MAX_PARAMETERS])

    def _find_experiment(self) -> str:
        """Return the experiment that the user's environment names; `mlflow.set_experiment` sets the same variable."""
        if identity := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return identity
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
        found = self._client.get_experiment_by_name(name)
        return str(self._client.create_experiment(name) if found is None else found.experiment_id)

    def _log_metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._run_id, [Metric(name, value, now, step) for name, value in values.items()])

    def _log_model(self, bundle: Path) -> None:
        """Send the bundle inside of a model of MLflow, which is code and this folder, without pickle."""
        from mlflow import pyfunc
        from mlflow.models import Model, ModelSignature
        from mlflow.types import ColSpec, Schema

        columns = [ColSpec("string", "path", required=False), ColSpec("binary", "image", required=False)]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*input example", UserWarning)  # it would be answered for nothing
            Model.log(
                None,
                flavor=pyfunc,
                name="model",
                run_id=self._run_id,
                python_model=str(Path(__file__).with_name("mlflow_model.py")),
                artifacts={"bundle": str(bundle.absolute())},
                pip_requirements=[f"discern-vision=={__version__}"],
                signature=ModelSignature(inputs=Schema(columns)),
            )


_LIMITS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""A training does not wait for minutes for a server that is away, and tells the makers of MLflow nothing.

MLflow reads the first ones at each request, and the last one when it is imported.
"""


def _hide_password(text: str) -> str:
    """Return a text in which no address has a user name or a password."""
    return re.sub(r"//[^/@\s]+@", "//", text)
