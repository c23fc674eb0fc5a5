"""Working with another machine: connecting, what was saved of it, and where its password lives. Start reading at connection.py."""
