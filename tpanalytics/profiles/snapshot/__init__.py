"""Snapshots store task profiles in a folder. Writes are atomic and can be resumed, and reads are verified."""
