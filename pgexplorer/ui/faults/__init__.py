"""The parts of the faults panel."""
