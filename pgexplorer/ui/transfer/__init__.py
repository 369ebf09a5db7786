"""The windows that write rows to a file and read them from one."""
