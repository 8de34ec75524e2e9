"""One file a command: parse, call the workflow, print."""
