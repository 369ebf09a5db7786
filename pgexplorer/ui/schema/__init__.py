"""What the schema tree is made of: how it is read, searched, kept in place and acted on."""
