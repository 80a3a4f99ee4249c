"""Measuring models. `runner` and what it starts send requests; everything else here is pure.

A run is steps of load; a step is worker processes; a worker is lanes, one thread and one set of connections each. A
lane turns a job into a `Sample`, the moments at which things happened. All that is said about a run is made of samples.
"""
