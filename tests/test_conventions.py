"""Conventions that all parts of the project follow."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, reduce
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project, pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import BaseModel

import video_recommender
from video_recommender.incremental.runner import stage_of
from video_recommender.pipeline_registry import ON_DEMAND

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "video_recommender"
CONF = ROOT / "conf" / "base"
STAGES = sorted(folder.name for folder in (SOURCE / "pipelines").iterdir() if (folder / "__init__.py").is_file())
LAYERS = (
    "raw",
    "intermediate",
    "primary",
    "transfer_learning",
    "feature",
    "model_input",
    "models",
    "model_output",
    "advertising",
    "reporting",
)
"""Layers from left to right in kedro-viz."""

WITHOUT_PARAMETERS = {"parameters_reporting"}
"""Reporting has no parameters."""

USED_BY_RUNNER = {"node_ledger"}
READ_BY_RUNNER = {"workers"}
ABOUT_KEDRO = {"cli", "hooks", "pipeline_registry", "settings", "tracking", "__main__"}
"""Modules at the top of the package that can import Kedro."""


@cache
def project_pipelines() -> dict[str, Pipeline]:
    configure_project("video_recommender")
    pipelines.set_requested(None)
    return dict(pipelines)


@cache
def configuration(kind: str) -> dict:
    loader = OmegaConfigLoader(str(CONF.parent), base_env="base", default_run_env="base")
    return dict(loader[kind])


def parameter(name: str) -> object:
    """Return a parameter group, or a part of one, such as `advertising.viewer`."""
    return reduce(lambda group, part: group[part], name.split("."), configuration("parameters"))


def entries_in(file: Path) -> dict:
    return {name: entry for name, entry in yaml.safe_load(file.read_text()).items() if not name.startswith("_")}


def all_nodes() -> dict:
    return {node.name: node for pipeline in project_pipelines().values() for node in pipeline.nodes}


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(video_recommender.__path__, "video_recommender."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def defined_in(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the public functions, classes and methods that a module defines."""
    for name, member in vars(module).items():
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(member) or inspect.isclass(member):
            yield f"{module.__name__}.{name}", member
        if inspect.isclass(member):
            for method, attribute in vars(member).items():
                function = getattr(attribute, "__func__", getattr(attribute, "fget", attribute))
                is_own = getattr(function, "__module__", None) == module.__name__  # Kedro also wraps inherited methods
                if not method.startswith("_") and inspect.isfunction(function) and is_own:
                    yield f"{module.__name__}.{name}.{method}", function


def imported_by(file: Path) -> set[str]:
    names = set()
    for statement in ast.walk(ast.parse(file.read_text())):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names.add(statement.module)
    return {name.split(".")[0] for name in names}


def loaded_by(*modules_of_the_package: str) -> set[str]:
    """Return the packages that a new interpreter has loaded after it imports these modules."""
    imports = "\n".join(f"import video_recommender.{module}" for module in modules_of_the_package)
    code = f"import sys\n{imports}\nprint(*sys.modules)"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in fresh.stdout.split()}


def options_models() -> dict[str, type[BaseModel]]:
    """Return the pydantic model of each parameter group by name."""
    models = {}
    for node in all_nodes().values():
        arguments = inspect.signature(node.func).parameters
        for argument, name in zip(arguments.values(), node.inputs, strict=True):
            if name.startswith("params:") and inspect.isclass(argument.annotation):
                models[name.removeprefix("params:")] = argument.annotation
    return {name: model for name, model in models.items() if issubclass(model, BaseModel)}


@pytest.mark.parametrize("stage", STAGES)
def test_each_pipeline_has_a_catalog_parameters_and_tests(stage: str) -> None:
    package = importlib.import_module(f"video_recommender.pipelines.{stage}")

    assert isinstance(package.create_pipeline(), Pipeline)
    assert stage in project_pipelines()
    assert (CONF / f"catalog_{stage}.yml").is_file()
    assert (CONF / f"parameters_{stage}.yml").is_file() or f"parameters_{stage}" in WITHOUT_PARAMETERS
    assert list((ROOT / "tests" / "pipelines" / stage).glob("test_*.py"))
    assert {path.name for path in (SOURCE / "pipelines" / stage).glob("*.py")} >= {"nodes.py", "pipeline.py"}


def test_configuration_files_belong_to_a_pipeline() -> None:
    named = {file.stem for kind in ("catalog", "parameters") for file in CONF.glob(f"{kind}_*.yml")}

    assert named == {f"{kind}_{stage}" for kind in ("catalog", "parameters") for stage in STAGES} - WITHOUT_PARAMETERS


@pytest.mark.parametrize("stage", STAGES)
def test_a_catalog_file_contains_all_outputs_of_its_pipeline_and_only_datasets_that_it_uses(stage: str) -> None:
    registered = project_pipelines()[stage]
    pipeline = Pipeline([node for node in registered.nodes if stage_of(node) == stage])
    made = {name for name in pipeline.all_outputs() if ":" not in name}
    written = set(entries_in(CONF / f"catalog_{stage}.yml"))

    assert made <= written, "an output is missing from the catalog"
    assert written <= pipeline.datasets(), "an entry is not used by this pipeline"


def test_every_catalog_entry_is_used_and_has_a_known_layer() -> None:
    used = set().union(*(pipeline.datasets() for pipeline in project_pipelines().values())) | USED_BY_RUNNER

    for name, entry in configuration("catalog").items():
        assert name in used, name
        assert entry["metadata"]["kedro-viz"]["layer"] in LAYERS, name


@pytest.mark.parametrize("pipeline", [*project_pipelines()])
def test_layers_follow_the_order_of_the_nodes(pipeline: str) -> None:
    catalog = configuration("catalog")

    def index_of_layer(name: str) -> int:
        return LAYERS.index(catalog[name]["metadata"]["kedro-viz"]["layer"])

    for node in project_pipelines()[pipeline].nodes:
        read = [name for name in node.inputs if name in catalog]
        for made in node.outputs:
            assert [name for name in read if index_of_layer(name) > index_of_layer(made)] == [], f"{node.name}: {made}"


def test_the_catalog_contains_every_dataset_of_the_pipelines() -> None:
    passed = set().union(*(pipeline.datasets() for pipeline in project_pipelines().values()))

    assert {name for name in passed if not name.startswith("params:")} <= configuration("catalog").keys()


def test_every_catalog_entry_can_be_built() -> None:
    catalog = DataCatalog.from_config(configuration("catalog"), credentials=configuration("credentials"))

    assert {name for name in configuration("catalog") if catalog[name] is None} == set()


def test_every_table_has_a_schema() -> None:
    for name, entry in configuration("catalog").items():
        if entry["type"].startswith("pandas."):
            assert entry.get("validator", "").startswith("video_recommender.schemas."), name
        elif entry["type"].endswith("OptionalDataset") and entry["dataset"]["type"].startswith("pandas."):
            assert entry["validator"]["class"].startswith("video_recommender.schemas."), name
        elif "pandas." in str(entry.get("dataset", "")):
            assert entry.get("schema", "").startswith("video_recommender.schemas."), name


def test_every_parameter_is_read_by_a_node() -> None:
    read = {name.removeprefix("params:") for node in all_nodes().values() for name in node.inputs if ":" in name}

    read_in_parts = {name.split(".")[0] for name in read if "." in name}
    written = configuration("parameters").keys() - read_in_parts
    assert (
        written | {f"{group}.{part}" for group in read_in_parts for part in parameter(group)} == read | READ_BY_RUNNER
    )


@pytest.mark.parametrize("group", sorted(options_models()))
def test_the_parameter_files_contain_every_option_with_its_default(group: str) -> None:
    model = options_models()[group]

    assert written_fields(parameter(group)) == fields_of(model)
    defaults = model().model_dump(mode="json")
    shown = model.model_validate(parameter(group)).model_dump(mode="json")
    assert {**shown, "seed": None} == {**defaults, "seed": None}, "a default in the code differs from the one in conf/"


@pytest.mark.parametrize("group", sorted(options_models()))
def test_options_reject_unknown_fields_and_are_immutable(group: str) -> None:
    config = options_models()[group].model_config

    assert config["extra"] == "forbid"
    assert config["frozen"] is True


@pytest.mark.parametrize("file", sorted(CONF.glob("parameters*.yml")), ids=lambda file: file.stem)
def test_every_parameter_has_a_comment(file: Path) -> None:
    lines = file.read_text().splitlines()
    unexplained = [
        line.strip()
        for above, line in pairwise(["", *lines])
        if re.match(r"\s*\w+: +[^#\s]", line) and " #" not in line and not above.lstrip().startswith("#")
    ]

    assert unexplained == []


@pytest.mark.parametrize(
    "file",
    [file for file in (SOURCE / "pipelines").rglob("*.py") if file.name not in {"pipeline.py", "__init__.py"}]
    + [file for file in SOURCE.glob("*.py") if file.stem not in ABOUT_KEDRO],
    ids=lambda file: file.relative_to(SOURCE).as_posix(),
)
def test_domain_code_does_not_import_kedro(file: Path) -> None:
    assert not imported_by(file) & {"kedro", "kedro_datasets", "mlflow"}


def test_domain_code_does_not_import_kedro_indirectly() -> None:
    loaded = loaded_by(
        "similarity.recommender", "media.sampling", "networks.detections", "sources.listing", "advertising"
    )

    assert "video_recommender" in loaded
    assert "kedro" not in loaded


def test_a_node_has_the_name_of_its_stage_and_function_and_a_tag() -> None:
    for node in all_nodes().values():
        assert node.name == f"{stage_of(node)}.{node.func.__name__}"
        assert node.func.__module__ == f"video_recommender.pipelines.{node.func.__module__.split('.')[-2]}.nodes"
        assert node.tags, node.name


def test_the_default_pipeline_contains_all_pipelines_except_those_on_demand() -> None:
    default = project_pipelines()["__default__"]

    assert {node.name for node in default.nodes} == {
        node.name
        for name, pipeline in project_pipelines().items()
        if name not in {"__default__", *ON_DEMAND}
        for node in pipeline.nodes
    }
    optional = {name for name, entry in configuration("catalog").items() if entry["metadata"].get("optional")}
    needed = {name for name in default.inputs() if ":" not in name}
    assert needed - optional == {"demo_photos", "web_access"}


def test_every_public_definition_has_a_docstring() -> None:
    undocumented = [module.__name__ for module in modules() if not module.__doc__]
    undocumented += [
        name
        for module in modules()
        for name, member in defined_in(module)
        if not vars(member).get("__doc__", member.__doc__)
    ]

    assert undocumented == []


def test_public_arguments_have_specific_names() -> None:
    vague = [
        f"{name}({argument})"
        for module in modules()
        if ".datasets" not in module.__name__ and not module.__name__.endswith("dataset")
        if module.__name__.split(".")[-1] not in ABOUT_KEDRO  # Kedro defines the names of their arguments
        for name, member in defined_in(module)
        if inspect.isfunction(member)
        for argument in inspect.signature(member).parameters
        if argument in {"x", "df", "X", "y", "data"}
    ]

    assert vague == []


def test_modules_have_specific_names() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "tools"}

    assert [module.__name__ for module in modules() if module.__name__.split(".")[-1] in vague] == []


def test_test_folders_are_not_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == [], "pytest imports them with --import-mode=importlib"


def test_tests_mirror_the_source() -> None:
    folders = {folder.name for folder in (ROOT / "tests" / "pipelines").iterdir() if folder.is_dir()}

    assert folders - {"__pycache__"} == set(STAGES)


def test_inference_imports_neither_tensorflow_nor_mlflow() -> None:
    loaded = loaded_by(
        "networks.detections", "pipelines.detection.nodes", "pipelines.inference", "incremental.executors", "settings"
    )

    assert "video_recommender" in loaded
    assert loaded.isdisjoint({"tensorflow", "keras", "mlflow"})


def test_the_configuration_contains_no_absolute_paths_of_a_machine() -> None:
    for file in sorted(CONF.parent.rglob("*.yml")):
        assert not re.search(r"(^|[\s'\"=])/(home|root|tmp|work|Users)/", file.read_text()), file


def fields_of(model: type[BaseModel]) -> set[str]:
    fields = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        if inspect.isclass(inner) and issubclass(inner, BaseModel):
            fields |= {f"{name}.{deeper}" for deeper in fields_of(inner)}
        else:
            fields.add(name)
    return fields


def written_fields(group: dict) -> set[str]:
    fields = set()
    for name, value in group.items():
        if isinstance(value, dict) and value:
            fields |= {f"{name}.{deeper}" for deeper in written_fields(value)}
        else:
            fields.add(name)
    return fields
