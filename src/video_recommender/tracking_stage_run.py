"""The MLflow run of one stage, within that of a whole Kedro run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from mlflow import ActiveRun


@dataclass(frozen=True)
class StageRun:
    """A stage that has made something; MLflow's active run stays the whole one.

    Attributes:
        stage: what it is called.
        run_id: MLflow's name for the run.
    """

    stage: str
    run_id: str

    @classmethod
    def start(cls, stage: str, whole: "ActiveRun", parameters: Mapping[str, str]) -> Self:
        """Begin a run within another one.

        Args:
            stage: what it is called.
            whole: the run that it is part of.
            parameters: of the stage.
        """
        from mlflow import MlflowClient
        from mlflow.entities import Param
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        client = MlflowClient()
        tags = {MLFLOW_PARENT_RUN_ID: whole.info.run_id}
        run_id = client.create_run(whole.info.experiment_id, tags=tags, run_name=stage).info.run_id
        client.log_batch(run_id, params=[Param(name, value) for name, value in parameters.items()])
        return cls(stage, run_id)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log figures of the stage."""
        import mlflow

        mlflow.log_metrics(dict(metrics), run_id=self.run_id)

    def end(self, status: str) -> None:
        """Close the run as `FINISHED` or `FAILED`."""
        from mlflow import MlflowClient

        MlflowClient().set_terminated(self.run_id, status)
