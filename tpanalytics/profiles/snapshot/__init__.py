"""Task profiles in a folder on disk: written atomically, verified when read, resumable."""
