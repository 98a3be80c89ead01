"""What several charts share: look, captions, rows, labels, rendering."""
