"""Control: pictures that steer what is painted, read by networks of their own (ControlNets, adapters) beside the denoising network.

`files` recognises what a file is by its header, `nets` builds and fills it, `kept` holds it between jobs, `maps` makes what it reads of a unit's picture,
`units` turns the units of a request into attachments of a pass, and `attachments` evaluates them.
"""
