"""Import of what pictures and texts tell: `proposal` says what would change, `importer` shows it and carries it out."""
