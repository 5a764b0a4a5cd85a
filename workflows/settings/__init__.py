"""What the settings of a workflow may be."""
