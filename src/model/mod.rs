//! Model packages: the manifest, the ONNX sessions and the posterior types.
