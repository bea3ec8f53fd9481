"""The pictures of a report: what is one curve, and what each picture shows."""
