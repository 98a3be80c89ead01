"""What a file carries before it is handed on."""
