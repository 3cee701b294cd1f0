"""Kedro hooks: checks before a run, and a summary after it."""

import contextlib
from collections.abc import Iterator
from functools import reduce
from itertools import groupby
from pathlib import Path
from textwrap import shorten
from typing import Any

import pandas as pd
from fsspec.implementations.local import LocalFileSystem
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.validation import ParameterValidationError, TypeExtractor
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console
from rich.table import Column, Table

from video_recommender.incremental import WorkerOptions
from video_recommender.incremental.dataset_files import dataset_location
from video_recommender.incremental.runner import PARAMETER_PREFIX, by_stage, parameter_groups, stage_of

MANIFESTS = ("video_manifest", "frame_manifest", "detection_manifest", "segmentation_manifest")
WORKERS = "workers"  # parameter group that the runner reads
SHOWN_FAILURES = 10
SHOWN_VALUE_LENGTH = 80
ANSWERS = "new_video_answers"
HEADLINES = {
    "classification_metrics": "Category accuracy on held-out videos: {accuracy:.0%} "
    "(most frequent category: {accuracy_majority:.0%})",
    "recommendation_report": "Recommendations from other groups: precision@{neighbours} {object_space:.2f} "
    "(random: {random:.2f})",
    "advertising_metrics": "Ad revenue per session: {revenue_per_session:.2f}, {share_of_optimum:.1%} of the optimum "
    "(random: {random_revenue_per_session:.2f})",
}
"""Message templates by dataset: a dictionary of metrics, or a report with the precision of each system."""


class ParameterHooks:
    """Rejects unknown parameters and invalid values."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Raise a `ParameterValidationError` that lists all problems on one line."""
        parameters = context.config_loader["parameters"]
        problems = list(_problems(WORKERS, WorkerOptions, parameters)) if WORKERS in parameters else []
        try:
            _ = context.params  # Kedro caches the result
        except ParameterValidationError:
            problems += parameter_problems(parameters, dict(pipelines))
            if not problems:
                raise
        if problems:
            raise ParameterValidationError(
                f"Invalid parameters: {'; '.join(problems)}. See conf/base/parameters*.yml for all parameters"
            )

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Raise a `ValueError` if no pipeline reads a parameter group that the command line sets."""
        given = set(run_params["runtime_params"] or {}) - {WORKERS}
        if given <= parameter_groups(pipeline):
            return
        pipelines.set_requested(None)
        known = set().union(*map(parameter_groups, pipelines.values()))
        if given - known:
            unknown, choice = ", ".join(sorted(given - known)), ", ".join(sorted(known))
            raise ValueError(f"No pipeline reads the parameter {unknown}: choose from {choice}")


class MissingInputHooks:
    """Reports missing inputs of a run, with the pipelines that create them."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Raise a `ValueError` if an input does not exist, unless its entry has `metadata: {optional: true}`."""
        missing = [name for name in sorted(pipeline.inputs()) if not _is_available(name, catalog)]
        if not missing:
            return
        pipelines.set_requested(None)
        nodes = [node for known in pipelines.values() for node in known.nodes]
        needed = sorted({stage_of(node) for node in nodes if not set(missing).isdisjoint(node.outputs)})
        advice = (
            f"run `kedro run --pipelines={','.join(needed)}` first, or `kedro run` for all stages"
            if needed
            else "no pipeline creates it; check its entry in conf/base/catalog*.yml"
        )
        raise ValueError(f"Missing input {', '.join(missing)}: {advice}")


class RunSummaryHooks:
    """Prints the outputs of a run, the main metrics and the failed videos."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the summary."""
        existing = {name for name in pipeline.all_outputs() if catalog.exists(name)}
        console = Console(emoji=False, markup=False)
        console.print(_output_table(pipeline, catalog, existing))
        for line in (*_headlines(catalog, existing), *_failures(catalog, existing)):
            console.print(line, soft_wrap=True)
        if ANSWERS in existing:
            from video_recommender.reporting.answer import VideoAnswer

            for answer in catalog.load(ANSWERS):
                console.print(VideoAnswer.model_validate(answer).to_text(), soft_wrap=True)


def parameter_problems(parameters: dict[str, Any], known_pipelines: dict[str, Pipeline]) -> Iterator[str]:
    """Validate parameters with the models in the signatures of the nodes that read them; yield a message per error."""
    for name, model in TypeExtractor(known_pipelines).extract_types_from_pipelines().items():
        yield from _problems(name, model, parameters)


def _problems(name: str, model: Any, parameters: dict[str, Any]) -> Iterator[str]:
    try:
        TypeAdapter(model).validate_python(reduce(lambda group, key: group[key], name.split("."), parameters))
    except (KeyError, TypeError):
        yield f"{name} is missing"
    except ValidationError as error:
        yield from (_describe_problem(name, problem) for problem in error.errors())


def _describe_problem(group: str, problem: ErrorDetails) -> str:
    name = ".".join([group, *map(str, problem["loc"])])
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown parameter {name}"
        case "missing":
            return f"{name} is missing"
        case "value_error":
            reason = str(problem["ctx"]["error"])
        case _:
            reason = problem["msg"]
    value = shorten(repr(problem["input"]), SHOWN_VALUE_LENGTH, placeholder="…")
    return f"{name} cannot be {value}: {reason[:1].lower()}{reason[1:]}"


def _is_available(name: str, catalog: DataCatalog) -> bool:
    metadata = getattr(catalog.get(name), "metadata", None) or {}
    return name.startswith(PARAMETER_PREFIX) or metadata.get("optional", False) or catalog.exists(name)


def _output_table(pipeline: Pipeline, catalog: DataCatalog, existing: set[str]) -> Table:
    table = Table("Stage", Column("Outputs", overflow="fold"), box=None, header_style="bold", padding=(0, 2, 0, 0))
    for stage, nodes in groupby(by_stage(pipeline), key=stage_of):
        paths = [_shown_path(catalog, name) for node in nodes for name in node.outputs if name in existing]
        table.add_row(stage.replace("_", " "), "\n".join(filter(None, paths)))
    return table


def _shown_path(catalog: DataCatalog, name: str) -> str:
    location = dataset_location(catalog[name])
    if location is None:
        return ""
    filesystem, path = location
    if not isinstance(filesystem, LocalFileSystem):
        return str(filesystem.unstrip_protocol(path))
    return str(Path(path).relative_to(Path.cwd()) if Path(path).is_relative_to(Path.cwd()) else path)


def _headlines(catalog: DataCatalog, existing: set[str]) -> Iterator[str]:
    if "download_report" in existing:
        for row in catalog.load("download_report").itertuples():
            others = f"; not usable: {row.not_usable}" if row.not_usable else ""
            yield f"{row.category}: {row.usable} of {row.target} videos downloaded, {row.result}{others}"
    for name, template in HEADLINES.items():
        if name in existing:
            metrics = catalog.load(name)
            if isinstance(metrics, pd.DataFrame):
                precision = metrics[metrics["candidates"] == "other_groups"].set_index("system")["precision"].dropna()
                metrics = {"neighbours": metrics["neighbours"].max(), **precision}
            with contextlib.suppress(KeyError, TypeError):  # metrics that cannot be computed are missing or None
                yield template.format(**metrics)


def _failures(catalog: DataCatalog, existing: set[str]) -> Iterator[str]:
    manifests = [name for name in MANIFESTS if name in existing]
    if not manifests:
        return
    rows = pd.concat([catalog.load(name)[["video_id", "status", "error"]] for name in manifests])
    videos = rows["video_id"].nunique()
    failed = rows[rows["status"] != "ok"].drop_duplicates("video_id")
    yield f"{videos - len(failed)} of {videos} videos succeeded"
    for row in failed.head(SHOWN_FAILURES).itertuples():
        yield f"  {row.video_id} ({row.status}): {row.error}"
    if len(failed) > SHOWN_FAILURES:
        yield f"  and {len(failed) - SHOWN_FAILURES} more: see the `error` column of {', '.join(manifests)}"
