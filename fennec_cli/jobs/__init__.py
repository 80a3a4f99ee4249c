"""Batches at providers from submit to fetch: a job is the rows of one `fennec batch submit`, a part one batch of it."""
