"""What an SQL tab is made of: its text, what it runs, what comes of it, what it keeps."""
