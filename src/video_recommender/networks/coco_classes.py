"""The 80 kinds of object of COCO (Lin et al. 2014, https://arxiv.org/abs/1405.0312) and their numbers."""

from collections.abc import Mapping
from typing import Final

_IN_ORDER: Final = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, , stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, , backpack, umbrella, , ,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, , wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, , dining table, , , toilet, , tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, , book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""

COCO_CLASSES: Final[Mapping[int, str]] = {
    number: name for number, name in enumerate(map(str.strip, _IN_ORDER.split(",")), start=1) if name
}
"""By number, 1 to 90; ten numbers were never given to a class."""

CALIBRATED_CONFIDENCE: Final[Mapping[str, float]] = {
    "person": 0.35,
    "bicycle": 0.15,
    "motorcycle": 0.2,
    "bench": 0.2,
    "cat": 0.35,
    "dog": 0.2,
    "bottle": 0.15,
    "cup": 0.15,
    "spoon": 0.15,
    "bowl": 0.1,
    "chair": 0.15,
    "couch": 0.15,
    "potted plant": 0.1,
    "bed": 0.4,
    "dining table": 0.1,
    "tv": 0.1,
    "laptop": 0.15,
    "oven": 0.1,
    "sink": 0.2,
    "book": 0.1,
    "vase": 0.1,
}
"""From which score on SSD MobileNet v2 is to be believed, for the classes that 64 labelled photos show: where F1 is
best, and near the average of all classes where labels are few (benchmarks/segmentation_quality.py)."""
