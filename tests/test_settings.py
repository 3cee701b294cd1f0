import pytest

from video_recommender.settings import ProjectConfigLoader


@pytest.fixture
def conf(tmp_path):
    for environment in ("base", "local", "youtube"):
        (tmp_path / environment).mkdir()
        (tmp_path / environment / "parameters.yml").write_text(f"from: {environment}\n")
    (tmp_path / "base" / "credentials.yml").write_text("web: {}\n")
    return tmp_path


def loader(conf, environment):
    return ProjectConfigLoader(str(conf), env=environment, base_env="base", default_run_env="local")


@pytest.mark.parametrize("environment", [None, "local", "youtube", "base"])
def test_credentials_come_from_the_local_folder_in_every_environment(conf, environment):
    (conf / "local" / "credentials.yml").write_text("web: {proxy: socks5://proxy.example}\n")

    assert loader(conf, environment)["credentials"] == {"web": {"proxy": "socks5://proxy.example"}}


def test_without_local_credentials_those_of_base_are_used(conf):
    assert loader(conf, "youtube")["credentials"] == {"web": {}}


def test_other_configuration_comes_from_the_environment(conf):
    assert loader(conf, "youtube")["parameters"] == {"from": "youtube"}


def test_an_unknown_environment_is_rejected_with_the_known_ones(conf):
    with pytest.raises(ValueError, match=r"Unknown environment yotube .* choose from base, local, youtube"):
        loader(conf, "yotube")
