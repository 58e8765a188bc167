"""A stand-in for a Kubernetes cluster: enough of its API for kubectl to run the commands of our pages to their end.

It keeps objects, checks them against the published schemas, makes pods of Deployments, and runs the worker of such a
pod as a process with the environment and the files that the pod would have. It is not Kubernetes: it schedules nothing,
pulls no image, keeps no NetworkPolicy, quota, role or Pod Security Standard, and runs no operator. What it does not
play it refuses, and `StandIn.unplayed` tells.
"""
