"""What the JSON files say that list samples and certified data."""
