"""What is known: hours per job, and the quality of the data."""
