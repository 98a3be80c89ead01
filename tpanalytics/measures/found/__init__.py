"""What somebody looks for: tasks by their words, and the jobs of a family."""
