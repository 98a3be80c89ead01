"""What somebody looks for: tasks by their words."""
