"""The window: panels, the widgets they are made of, and how they look."""
