"""Video files, decoding, frame sampling, shots, and frame folders."""
