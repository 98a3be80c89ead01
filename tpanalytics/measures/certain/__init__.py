"""How sure a figure or a claim is."""
