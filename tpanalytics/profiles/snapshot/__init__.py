"""Task profiles in a folder on disk: written whole or not at all, read with proof, resumed where left."""
