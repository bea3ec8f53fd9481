"""The tables of a report: which rows, which columns, in which format."""
