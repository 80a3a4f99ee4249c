"""`make bench`: what fennec costs, measured beside the tools that people use today. Standard library only."""
