"""Neural networks: image classifiers, object detectors, masks, and heads trained on top."""
