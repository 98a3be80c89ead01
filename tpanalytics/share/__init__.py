"""Files for a person: by suffix, whole or not at all, and carrying nothing but what they show."""
