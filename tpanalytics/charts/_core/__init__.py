"""Building blocks shared by the charts."""
