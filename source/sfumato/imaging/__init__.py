"""Pictures as files: their metadata, names and the way they are written. Pillow and the standard library only.

Start at `picture.encode_png` and `writing.save_new`. `infotext` is the text that other programs read, `naming` the names of files, `writing` puts bytes on a
disk.
"""
