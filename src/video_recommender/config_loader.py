"""Where Kedro reads the configuration from."""

from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

CREDENTIALS = "credentials"


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's own loader, but that secrets come from `conf/local` whatever the environment: there alone, git is blind.

    With Kedro's own, `--env=youtube` would put `conf/youtube` in the place of `conf/local`.
    """

    def __init__(self, conf_source: str | Path, env: str | None = None, *args: Any, **options: Any) -> None:
        """Look where the configuration lies.

        Raises:
            ValueError: if there is none of that environment; the message names those that there are.
        """
        folder = Path(conf_source)
        if env and folder.is_dir() and not (folder / env).is_dir():
            known = ", ".join(sorted(place.name for place in folder.iterdir() if place.is_dir()))
            raise ValueError(f"There is no environment {env} in {folder}: choose from {known}")
        super().__init__(conf_source, env, *args, **options)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Read one kind of configuration, as Kedro does.

        Raises:
            KeyError: if there is no such kind.
            MissingConfigException: if no file is of that kind.
        """
        if key != CREDENTIALS or self.env in {None, self.default_run_env}:
            return super().__getitem__(key)
        local = OmegaConfigLoader(self.conf_source, base_env=self.base_env, default_run_env=self.default_run_env)
        return local[CREDENTIALS]
