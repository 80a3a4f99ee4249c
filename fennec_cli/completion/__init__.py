"""A run of `fennec complete`: options to prompts, pipeline and writer."""
