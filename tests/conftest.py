"""What holds for every test."""

import os

from hypothesis import settings

os.environ["DO_NOT_TRACK"] = "1"

settings.register_profile("untimed", deadline=None)  # machines that run tests are noisy
settings.load_profile("untimed")
