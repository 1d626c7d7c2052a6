"""Reports from the pipeline's numbers, and what changed in them since a Git revision.

Everything is read from files in Git; DVC's cache only makes the comparison more precise.
"""
