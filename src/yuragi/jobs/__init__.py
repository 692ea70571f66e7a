"""The steps of the workflow: read, call the library, write; no science."""
