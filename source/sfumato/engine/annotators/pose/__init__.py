"""People as joints: what a skeleton is made of, reading and writing joints, drawing them."""
