"""Results that people look at: one page per evaluation, one table over several."""
