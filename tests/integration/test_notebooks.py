"""Runs of all notebooks on a finished project."""

import asyncio
import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CHART = "application/vnd.vegalite.v5+json"
"""The media type that JupyterLab renders offline; it does not render later versions of Vega-Lite."""

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def executed(blank_project, first_run) -> dict[str, NotebookNode]:
    """All notebooks with their outputs, by the number in their names; they run concurrently."""
    blank_project.put_back(first_run.finished)
    folder = blank_project.root / "notebooks"
    folder.mkdir(exist_ok=True)
    notebooks = {
        file.name[0]: nbformat.read(shutil.copy(file, folder), nbformat.current_nbformat) for file in NOTEBOOKS
    }

    async def execute_all() -> None:
        clients = [
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
            for notebook in notebooks.values()
        ]
        await asyncio.gather(*(client.async_execute() for client in clients))

    asyncio.run(execute_all())
    return notebooks


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def charts(notebook: NotebookNode) -> list[dict]:
    return [output.data[CHART] for output in outputs(notebook) if CHART in output.get("data", {})]


def images(chart: dict) -> int:
    """Count the rows of a chart's tables that have an image of a frame."""
    tables = chart["datasets"].values()
    return sum(str(row.get("image")).startswith("data:image/jpeg;base64,") for table in tables for row in table)


def shows_frames_on_hover(chart: dict) -> bool:
    return '{"field": "image", "type": "nominal"}' in json.dumps(chart) and images(chart) > 0


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_has_no_output_and_loads_data_from_the_catalog(file: Path) -> None:
    notebook = nbformat.read(file, nbformat.current_nbformat)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert "%load_ext kedro.ipython" in code[0].source
    assert [cell.outputs for cell in code if cell.outputs] == []
    assert {cell.execution_count for cell in code} == {None}
    source = "\n".join(cell.source for cell in code)
    assert "catalog.load(" in source
    assert re.findall(r"read_(?:csv|parquet|json|pickle)|open\(|data/0", source) == []


def test_detections_are_shown_next_to_their_frames(executed, blank_project) -> None:
    strip, *others = charts(executed["1"])
    video_id, load = next(iter(blank_project.load("detections").items()))

    assert strip["title"] == video_id
    assert images(strip) == len(load())
    assert shows_frames_on_hover(strip)
    assert len(others) == 4


def test_the_map_shows_a_frame_and_the_neighbours_of_every_video(executed, blank_project) -> None:
    chart, *others = charts(executed["2"])
    dots, lines = sorted(chart["datasets"].values(), key=len)

    assert {dot["video_id"] for dot in dots} == set(blank_project.load("video_points").index)
    assert shows_frames_on_hover(chart)
    assert images(chart) == len(dots)
    assert len(lines) == len(blank_project.load("recommendations"))
    assert len(others) == 2


def test_formulas_have_the_same_metrics_as_in_the_run(executed, blank_project) -> None:
    *_, chart = charts(executed["3"])
    (measured,) = chart["datasets"].values()
    reported = blank_project.load("importance_report").dropna(subset="precision")

    assert {row["scores"] for row in measured} == {"detections", "class_scores"}
    assert {
        (row["importance"], row["candidates"]): pytest.approx(row["precision"])
        for row in measured
        if row["scores"] == "class_scores"
    } == {(row.importance, row.candidates): row.precision for row in reported.itertuples()}


def test_the_learning_curve_of_the_ad_agent_is_complete(executed, blank_project) -> None:
    learning, with_table, *_ = charts(executed["4"])
    agent = blank_project.load("params:advertising.agent")

    of_agents = [
        {row["agent"]: row["steps"] for table in chart["datasets"].values() for row in table if "steps" in row}
        for chart in (learning, with_table)
    ]
    assert [set(curve) for curve in of_agents] == [{"deep_q_network"}, {"deep_q_network", "q_table"}]
    assert all(steps >= agent.steps for curve in of_agents for steps in curve.values())
