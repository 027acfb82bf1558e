"""Training recipe of the wakegate models: recordings and synthetic speech in, two ONNX files out."""
