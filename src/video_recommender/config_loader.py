"""Where Kedro reads the configuration from."""

from typing import Any

from kedro.config import OmegaConfigLoader

CREDENTIALS = "credentials"


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's own loader, but that secrets come from `conf/local` whatever the environment: there alone, git is blind.

    With Kedro's own, `--env=youtube` would put `conf/youtube` in the place of `conf/local`.
    """

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
