"""Qt item models over plain data: QtCore and QtGui, no widgets."""
