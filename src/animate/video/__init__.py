"""Video and pictures in and out, as uint8 RGB: the only folder that talks to FFmpeg (through PyAV).

Import from the modules: ``probe`` (what a file holds), ``decode`` (frames out of it), ``image`` (still
pictures),
``encode`` (frames into a file), ``grid`` (pictures for looking at).
"""
