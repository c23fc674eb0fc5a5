"""What stands in the pictures of docs/: believable files, and one function for each view of the window."""
