"""What holds for every test."""

import os

os.environ["DO_NOT_TRACK"] = "1"
