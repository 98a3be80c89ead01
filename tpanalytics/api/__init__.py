"""Talks to a tenant: settings, session, the cursor loop, and bytes into checked columns."""
