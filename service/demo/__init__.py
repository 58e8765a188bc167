"""The whole main job on a fresh machine: broker, simulated endpoint, worker, a handful of requests."""
