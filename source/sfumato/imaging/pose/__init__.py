"""People as joints: what a skeleton is made of, reading and writing joints, drawing them. One place for the engine and the pose editor (D72)."""
