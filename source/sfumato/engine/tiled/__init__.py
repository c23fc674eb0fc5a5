"""Large pictures painted over in tiles (E80). `grid` says where the tiles are, `noise` and `painting` what is done with them; passes carry their grid."""
