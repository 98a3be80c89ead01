"""Task profiles in a folder on disk: written whole or not at all, read with proof, resumed where left."""

from tpanalytics.profiles.snapshot.listing import list_snapshots, prune_snapshots
from tpanalytics.profiles.snapshot.store import read_profiles, write_profiles

__all__ = ["list_snapshots", "prune_snapshots", "read_profiles", "write_profiles"]
