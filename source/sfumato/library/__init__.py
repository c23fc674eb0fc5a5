"""What is on disk: model files and their headers, checksums, finished pictures. Nothing here loads weights.

Start at `models.scan` and `models.locate`, or at `outputs.save_picture`. `safetensors_header` checks a header before anything else reads the file, `file_kind`
tells what a file is, `hashes` remembers checksums, `matching` finds the model that a picture names.
"""
