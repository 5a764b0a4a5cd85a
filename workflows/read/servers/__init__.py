"""Files on servers, which may be slow, busy or wrong, and by what a change of a file is noticed."""
