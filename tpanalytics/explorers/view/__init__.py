"""What an explorer shows in which state: no widget, nothing computed."""
