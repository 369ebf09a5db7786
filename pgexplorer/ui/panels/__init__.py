"""The panels, none of which knows another."""
