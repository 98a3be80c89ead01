"""Where to start: which tasks, for how many jobs."""
