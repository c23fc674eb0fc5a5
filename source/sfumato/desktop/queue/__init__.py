"""The queue of the window: its jobs, its rows, how it is kept, and what its panel can do."""
