"""How far AI reaches into the work, and how much of that hangs on choices."""
