"""Pictures as files: what they say, names and the way they are written. Pillow and the standard library only.

Writing: `encoding` makes the bytes of a file from a picture, its `infotext` (whose words are in `labels`) and our own `document`; `naming` gives a name,
`writing` puts it on a disk. Reading: start at `picture.read_picture`; `texts` finds what stands in a file of any format, `origins` understands the programs
that wrote it, `claims` judges what they say.
"""
