"""What the pipeline's numbers say, and what changed in them since a revision in Git.

Everything is read from files that Git holds; DVC's cache only sharpens the comparison.
"""
