"""Losses: pure functions and stateless objects; networks that they use arrive as arguments."""
