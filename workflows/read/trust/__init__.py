"""What is read is believed when it agrees: with the fileset, with itself, and file with file."""
