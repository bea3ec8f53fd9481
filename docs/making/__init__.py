"""What builds the site of docs/: parts of pages made from the code and its results, equations."""
