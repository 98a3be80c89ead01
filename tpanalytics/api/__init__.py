"""The service: signing in, paging through an export, checking what arrives."""
