"""Data sets of one person with poses, made of a video: ``animate pose2vid prepare`` and ``check``."""
