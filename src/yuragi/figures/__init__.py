"""One module a figure: a tidy table first, then its drawing."""
