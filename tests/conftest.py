"""What holds for every test."""

import os

settings.register_profile("untimed", deadline=None)  # machines that run tests are noisy
settings.load_profile("untimed")

os.environ["DO_NOT_TRACK"] = "1"
