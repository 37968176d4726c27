"""Models as ONNX: written and checked against torch, and run without it. The libraries are an extra."""
