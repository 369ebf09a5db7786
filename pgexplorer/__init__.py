"""pgexplorer: a desktop PostgreSQL explorer whose connection pool you can see and govern."""
