"""The pose editor of one control card: people are moved by their joints, and what is drawn of them becomes the card's map (D71, D72).

Start at `desk.PoseDesk`, which the window knows as `studio.pose`. What a change does to a pose is said in `imaging.pose.editing`.
"""
