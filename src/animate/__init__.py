"""Animate a picture of a person, a face or a cartoon from video, and train that on your own data."""

__version__ = "0.1.0"
