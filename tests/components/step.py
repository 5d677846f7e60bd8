"""A step of jobs that are never run."""
