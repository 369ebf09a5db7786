"""psycopg2 pools that can be seen. The heart: no Qt, psycopg2 and the standard library alone."""
