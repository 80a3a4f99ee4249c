"""Wire formats: pure functions from requests to bytes and from events to chunks."""
