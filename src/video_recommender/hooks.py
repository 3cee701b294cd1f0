"""What a person sees around a run: what is missing before it, what was made after it."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from fsspec.implementations.local import LocalFileSystem
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from video_recommender.incremental.stages import PARAMETER_PREFIX, by_stage, parameter_groups, stage_of

MANIFESTS = ("video_manifest", "frame_manifest", "detection_manifest", "segmentation_manifest")
HEADLINES = frozenset({"download_report", "classification_metrics", "recommendation_report", "advertising_metrics"})
SHOWN_FAILURES = 10
ANSWERS = "new_video_answers"


class MissingInputHooks:
    """Says which pipeline to run first, before a run stumbles over what that pipeline should have left."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Check that the data that the run starts from is there.

        Raises:
            ValueError: if it is not; the message names the pipeline that makes it.
        """
        missing = [name for name in sorted(pipeline.inputs()) if not _is_there(name, catalog)]
        if missing:
            raise ValueError(_what_to_run_first(missing))


class UnknownParameterHooks:
    """Refuses a group of parameters that nothing reads; what is inside a group, Kedro checks."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Check the names on the command line.

        Raises:
            ValueError: if one is unknown; the message names it and those that exist.
        """
        asked = set(run_params["runtime_params"] or {})
        if asked <= parameter_groups(pipeline):
            return
        pipelines.set_requested(None)
        known = set().union(*map(parameter_groups, pipelines.values()))
        if asked - known:
            unknown, choice = ", ".join(sorted(asked - known)), ", ".join(sorted(known))
            raise ValueError(f"Nothing reads the parameter {unknown}: choose from {choice}")


class RunSummaryHooks:
    """Closes a run with what was made and where it lies, and what failed and why."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the summary."""
        console = Console(emoji=False)
        console.print(_what_was_made(pipeline, catalog))
        for line in _headlines(pipeline, catalog):
            console.print(line)
        for line in _failures(pipeline, catalog):
            console.print(line)
        if ANSWERS in pipeline.all_outputs():
            from video_recommender.reporting.answer import VideoAnswer  # here, because it imports every model

            for answer in catalog.load(ANSWERS):
                console.print(VideoAnswer.model_validate(answer).in_words(), markup=False)


def _is_there(name: str, catalog: DataCatalog) -> bool:
    need_not_be = (getattr(catalog.get(name), "metadata", None) or {}).get("optional", False)
    return name.startswith((PARAMETER_PREFIX, "stored_")) or need_not_be or catalog.exists(name)


def _what_to_run_first(missing: list[str]) -> str:
    pipelines.set_requested(None)
    makers = {
        name: stage_of(node)
        for pipeline in pipelines.values()
        for node in pipeline.nodes
        for name in set(node.outputs) & set(missing)
    }
    needed = ",".join(sorted(set(makers.values())))
    names = ", ".join(missing)
    if not needed:
        return f"There is no {names}, and no pipeline makes it: check the catalog in conf/"
    return f"There is no {names} yet: run `kedro run --pipelines={needed}` first, or `kedro run` for everything"


def _what_was_made(pipeline: Pipeline, catalog: DataCatalog) -> Table:
    table = Table("Stage", "What it made", box=None, header_style="bold", padding=(0, 2, 0, 0))
    places = {
        name: _place(name, catalog) if catalog.exists(name) else "" for node in pipeline.nodes for name in node.outputs
    }
    for stage, nodes in groupby(by_stage(pipeline), key=stage_of):
        made = [places[name] for node in nodes for name in node.outputs if places[name]]
        table.add_row(stage.replace("_", " "), Text("\n".join(made), overflow="fold"))
    return table


def _place(name: str, catalog: DataCatalog) -> str:
    dataset: Any = catalog[name]
    place = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
    if place is None:
        return ""
    filesystem = getattr(dataset, "_fs", None)
    if filesystem is None or isinstance(filesystem, LocalFileSystem):
        return _relative(Path(place))
    return str(filesystem.unstrip_protocol(str(place)))


def _relative(place: Path) -> str:
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else str(place)


def _headlines(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    made = {name for name in HEADLINES & pipeline.all_outputs() if catalog.exists(name)}
    if "download_report" in made:
        for row in catalog.load("download_report").itertuples():
            others = f"; not usable: {row.not_usable}" if row.not_usable else ""
            yield escape(f"{row.category}: {row.usable} of {row.target} videos downloaded, {row.result}{others}")
    if "classification_metrics" in made:
        metrics = catalog.load("classification_metrics")
        if metrics.get("accuracy") is not None:
            yield (
                f"Held-out videos whose category is named right: {metrics['accuracy']:.0%} "
                f"(always the most frequent category: {metrics['accuracy_majority']:.0%})"
            )
    if "recommendation_report" in made:
        report = catalog.load("recommendation_report").query("candidates == 'other_groups'").set_index("system")
        precision, k = report["precision"], report["neighbours"].max()
        if precision.notna().all():
            yield (
                f"Recommended videos of the same category, none of the same group: precision@{k} "
                f"{precision['object_space']:.2f} (at random: {precision['random']:.2f})"
            )
    if "advertising_metrics" in made:
        metrics = catalog.load("advertising_metrics")
        if metrics.get("share_of_optimum") is not None:
            yield (
                f"Ads chosen by the agent earn {metrics['revenue_per_session']:.2f} per session, "
                f"{metrics['share_of_optimum']:.1%} of the most that is possible "
                f"(at random: {metrics['random_revenue_per_session']:.2f})"
            )


def _failures(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[str]:
    made = [name for name in MANIFESTS if name in pipeline.all_outputs() and catalog.exists(name)]
    if not made:
        return
    rows = pd.concat([catalog.load(name)[["video_id", "status", "error"]] for name in made])
    videos = rows["video_id"].nunique()
    failed = rows[rows["status"] != "ok"].drop_duplicates("video_id")
    yield f"{videos - len(failed)} of {videos} videos went through"
    for row in failed.head(SHOWN_FAILURES).itertuples():
        yield f"  [yellow]{escape(row.video_id)}[/yellow] ({row.status}): {escape(row.error)}"
    if len(failed) > SHOWN_FAILURES:
        yield f"  and {len(failed) - SHOWN_FAILURES} more: see the column `error` of {', '.join(made)}"
