"""Write the parts of the documentation that follow from the catalog, the schemas and the pipelines.

Writes the data dictionary docs/reference/data.md, and the diagrams in README.md, README.es.md and docs/architecture.md,
between the lines `<!-- generated: NAME -->` and `<!-- end -->`.

    python docs/scripts/generate_pages.py            # write the pages
    python docs/scripts/generate_pages.py --check    # exit with 1 if a page is not up to date
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import permutations
from pathlib import Path

import yaml
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.pipeline import Pipeline
from pandera.pandas import DataFrameModel

from video_recommender.pipeline_registry import ON_DEMAND
from video_recommender.schemas.table_models import VideoRows

PROJECT = Path(__file__).parents[2]
CATALOGS = PROJECT / "conf" / "base"
STAGES = (
    "ingestion",
    "preprocessing",
    "deduplication",
    "detection",
    "segmentation",
    "feature_engineering",
    "classification",
    "recommendation",
    "advertising",
    "reporting",
    "inference",
    "transfer_learning",
    "off_policy",
)
READS_EVERYTHING = ("reporting", "inference")
"""Their arrows from every stage would hide the others."""

GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
CATALOG_ENTRY = re.compile(r"((?:^# .*\n)+)(\w+):\n", re.MULTILINE)


@dataclass(frozen=True)
class Dataset:
    """An entry of the catalog: `about` is the comment above it."""

    name: str
    about: str
    entry: Mapping[str, object]

    @property
    def file(self) -> str:
        """File or folder below the data folder; partitions have the form of their file names."""
        place = self.entry.get("filepath") or self.entry.get("path")
        if place is None:
            return "in memory"
        is_partitioned = "dataset" in self.entry
        partition = f"/<category>/<video>{self.entry.get('filename_suffix', '/1.jpg')}" if is_partitioned else ""
        return f"`{re.sub(r'[$]{globals:.*?}+', 'data', str(place))}{partition}`"

    @property
    def schema(self) -> type[DataFrameModel] | None:
        """Schema of the table, or of each partition."""
        dotted = self.entry.get("validator") or self.entry.get("schema")
        dotted = dotted.get("class") if isinstance(dotted, Mapping) else dotted
        if dotted is None:
            return None
        module, _, name = str(dotted).rpartition(".")
        return getattr(import_module(module), name)


def main() -> int:
    """Write the pages, or check them."""
    bootstrap_project(PROJECT)
    diagrams = {"stages": stage_diagram(), "datasets": dataset_diagram()}
    pages = {PROJECT / "docs/reference/data.md": data_dictionary()}
    for page in (PROJECT / "README.md", PROJECT / "README.es.md", PROJECT / "docs/architecture.md"):
        text = page.read_text()
        pages[page] = GENERATED.sub(lambda match: f"{match[1]}{diagrams[match[2]]}{match[3]}", text)

    outdated = [page for page, text in pages.items() if not page.is_file() or page.read_text() != text]
    for page in outdated:
        print(f"{page.relative_to(PROJECT)} is not up to date: python docs/scripts/generate_pages.py")
        if "--check" not in sys.argv:
            page.write_text(pages[page])
    return int(bool(outdated) and "--check" in sys.argv)


def data_dictionary() -> str:
    """Describe every dataset, file and column."""
    parts = [(CATALOGS.parents[1] / "docs/scripts/data_introduction.md").read_text()]
    for stage in STAGES:
        datasets = list(read_catalog(CATALOGS / f"catalog_{stage}.yml"))
        parts.append(f"## {stage}\n\n| dataset | content | file |\n|---|---|---|\n")
        parts += [f"| `{each.name}` | {each.about} | {each.file} |\n" for each in datasets]
        parts += [columns(each) for each in datasets]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def read_catalog(file: Path) -> Iterator[Dataset]:
    """Read the datasets of a catalog file, with the comments above them."""
    text = file.read_text()
    entries = yaml.safe_load(text)
    for comment, name in CATALOG_ENTRY.findall(text):
        about = " ".join(line.removeprefix("# ") for line in comment.splitlines())
        yield Dataset(name, about.replace("|", "\\|"), entries[name])


def columns(dataset: Dataset) -> str:
    """Describe the columns of a table, or nothing for other data."""
    if dataset.schema is None:
        return ""
    fields = dataset.schema.to_schema()
    about = " ".join((dataset.schema.__doc__ or "").split())
    rows = [(name, column.dtype, column.nullable, column.description) for name, column in fields.columns.items()]
    if fields.index is not None:
        rows.insert(0, (f"{fields.index.name} (index)", fields.index.dtype, False, fields.index.description))
    table = f"\n### {dataset.name}\n\n{about}\n\n| column | type | meaning |\n|---|---|---|\n"
    for name, dtype, nullable, description in rows:
        type_name = str(dtype).removesuffix("[pyarrow]").removesuffix("[ns]")
        table += f"| `{name}` | {type_name}{', can be missing' if nullable else ''} | {description or ''} |\n"
    if issubclass(dataset.schema, VideoRows) and not fields.columns:
        table += "| all others | float | see above |\n"
    return table


def stage_diagram() -> str:
    """Draw the stages, with an arrow where one reads what another writes, unless a longer way connects them as well."""
    edges = {pair for pair in permutations(STAGES, 2) if shared_datasets(*pair)}
    default = [stage for stage in STAGES if stage not in ON_DEMAND]
    connected = set(edges)
    for between in default:
        before, after = ({pair[side] for pair in connected if pair[1 - side] == between} for side in (0, 1))
        connected |= {(start, end) for start in before for end in after}
    direct = {
        (start, end)
        for start, end in edges
        if not any((start, between) in connected and (between, end) in connected for between in default)
    }
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"    {stage}({stage})" if stage not in ON_DEMAND else f"    {stage}([{stage}])" for stage in STAGES]
    lines += [f"    {start} --> {end}" for start, end in sorted(direct, key=position)]
    lines += [f"    class {','.join(ON_DEMAND)} onDemand", "    classDef onDemand stroke-dasharray: 4"]
    return "\n".join([*lines, "```\n"])


def dataset_diagram() -> str:
    """Draw the stages of the default run, and the datasets that pass from one to another."""
    stages = [stage for stage in STAGES if stage not in (*ON_DEMAND, *READS_EVERYTHING)]
    lines = ["```mermaid", "flowchart TD"]
    readers: dict[str, list[str]] = {}
    for start, end in permutations(stages, 2):
        for name in shared_datasets(start, end):
            readers.setdefault(name, []).append(end)
    for stage in stages:
        written = [name for name in sorted(pipelines[stage].all_outputs()) if name in readers]
        lines += [f"    {stage}({stage})", *(f"    {stage} --> {name}[/{name}/]" for name in written)]
    lines += [f"    {name} --> {reader}" for name, all_readers in readers.items() for reader in all_readers]
    return "\n".join([*lines, "```\n"])


def shared_datasets(start: str, end: str) -> list[str]:
    """List the datasets that one stage writes and another reads."""
    writer: Pipeline = pipelines[start]
    return sorted(writer.all_outputs() & pipelines[end].inputs())


def position(edge: tuple[str, str]) -> tuple[int, int]:
    """Order edges as the stages run."""
    return STAGES.index(edge[0]), STAGES.index(edge[1])


if __name__ == "__main__":
    sys.exit(main())
