"""The names of a model's classes, as the TensorFlow Object Detection API writes them down (`*.pbtxt`)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_COMMENT: Final = re.compile(r"^\s*#.*$", re.MULTILINE)
_ITEM: Final = re.compile(r"item\s*:?\s*\{(.*?)\}", re.DOTALL)
_NUMBER: Final = re.compile(r"\bid\s*:\s*(\d+)")
_DISPLAY_NAME: Final = re.compile(r"\bdisplay_name\s*:\s*([\"'])(.*?)\1")
_NAME: Final = re.compile(r"\bname\s*:\s*([\"'])(.*?)\1")


def read_label_map(file: Path) -> Mapping[int, str]:
    """Read the names of classes by number.

    Args:
        file: text with items such as `item { id: 1 name: 'person' }`; a `display_name` goes before a `name`.

    Raises:
        ValueError: if the file cannot be read, or names no class.
    """
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The label map {file} cannot be read ({error}): name a .pbtxt file") from error
    items = _ITEM.findall(_COMMENT.sub("", text))
    told = [(_NUMBER.search(item), _DISPLAY_NAME.search(item) or _NAME.search(item)) for item in items]
    names = {int(number[1]): name[2] for number, name in told if number and name}
    if not names:
        raise ValueError(
            f"The label map {file} names no class: it should hold items such as item {{ id: 1 name: 'cat' }}"
        )
    return names
