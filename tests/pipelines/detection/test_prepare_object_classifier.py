import subprocess
import sys

from video_recommender.networks.detections import DetectionOptions
from video_recommender.networks.frame_classifier import make_keras_classifier
from video_recommender.networks.pretrained import build_network, imagenet_class_names
from video_recommender.pipelines.detection.nodes import prepare_object_classifier

NETWORK = "efficientnet-lite0"


def test_the_engine_is_selected_by_parameter_and_has_its_own_digest() -> None:
    with_litert, embeddings = prepare_object_classifier(DetectionOptions())
    with_keras, same_embeddings = prepare_object_classifier(DetectionOptions(engine="keras"))

    assert with_keras == make_keras_classifier(build_network(NETWORK), NETWORK)
    assert with_keras.class_names == with_litert.class_names == imagenet_class_names()
    assert with_keras.digest != with_litert.digest
    assert embeddings.equals(same_embeddings)


def test_neither_preparing_a_network_nor_classifying_with_it_imports_tensorflow() -> None:
    program = (
        "import sys, numpy as np\n"
        "from video_recommender.networks.detections import DetectionOptions\n"
        "from video_recommender.pipelines.detection.nodes import prepare_object_classifier\n"
        "classifier, _ = prepare_object_classifier(DetectionOptions())\n"
        "classifier.predict(np.zeros((1, 224, 224, 3), np.uint8))\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )

    process = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert process.stdout.split() == [b"False"]
    assert process.stderr == b""
