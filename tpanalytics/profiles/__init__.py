"""Loading, reading, storing and filtering of task profiles."""
