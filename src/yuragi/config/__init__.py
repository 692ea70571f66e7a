"""The configuration: what to compute, checked before anything runs, and turned into the specifications of the jobs."""
