"""The tutorial on pooling as steps that run: in the window or on the command line. No Qt."""
