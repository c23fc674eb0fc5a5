"""Pickled weights (.ckpt .pt .pth .bin) to safetensors without ever unpickling. Start at `conversion.convert`.

`machine` reads a pickle's opcodes symbolically: nothing is imported, nothing is called, what is not a tensor becomes an inert name. `containers` finds
the bytes of storages in both of torch's file formats, `tensors` writes them out, `isolated` is the process all of this runs in: alone, without network,
environment or rights to open files. Only the standard library. Rules: E11 of the engine, X1, X4 and X5 of security.
"""
