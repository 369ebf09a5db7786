"""PostgreSQL through a pool: profiles, the careful client, queries, the schema. No Qt."""
