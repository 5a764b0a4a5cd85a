"""Tools for those who work on hepgrad itself."""
