"""What could come next at a place in unfinished SQL."""
