"""What is on disk: model files and their headers, checksums. Nothing here loads weights.

Start at `models.Models`. `safetensors_header` checks a header before anything else reads the file, `file_kind` tells what a file is, `hashes` remembers
checksums.
"""
