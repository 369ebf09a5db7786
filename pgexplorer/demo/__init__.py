"""A real PostgreSQL from a wheel, with sample data, that ends with the program. No Qt."""
