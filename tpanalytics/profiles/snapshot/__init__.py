"""Snapshots: task profiles in a folder, written atomically, verified on reading and resumable."""
