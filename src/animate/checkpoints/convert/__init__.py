"""Published checkpoints to ours: one file per source, each a pure map of keys."""
