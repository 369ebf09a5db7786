"""The pages of the activity panel."""
