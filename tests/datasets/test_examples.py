import doctest
import importlib
import pkgutil

import pytest

import video_recommender.datasets

MODULES = [module.name for module in pkgutil.iter_modules(video_recommender.datasets.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_docstrings_of_datasets_work(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"video_recommender.datasets.{name}")

    results = doctest.testmod(module, extraglobs={"tmp_path": tmp_path}, optionflags=doctest.ELLIPSIS)

    assert results.failed == 0


@pytest.mark.parametrize("name", video_recommender.datasets.__all__)
def test_every_dataset_has_an_example(name):
    dataset = getattr(video_recommender.datasets, name)

    assert doctest.DocTestFinder(recurse=False).find(dataset, name)[0].examples
    assert "type: video_recommender.datasets" in dataset.__doc__
