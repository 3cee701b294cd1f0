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
