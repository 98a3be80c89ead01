"""Client for the Skill Engine API."""
