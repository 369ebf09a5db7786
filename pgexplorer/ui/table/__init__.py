"""What a table's tab is made of: its rows, what stands above them, what is pending, the ways to other tables."""
