"""The pool lab: faults by hand, a proxy that does what networks do, and scenarios that teach. No Qt."""
