"""Where to start: how concentrated work is, which tasks come first, what families share."""
