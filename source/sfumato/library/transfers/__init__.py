"""Model files on their way: sent by a client (`upload`), fetched from the web (`download`), handed out (`fetch_model`).

What arrives lies in a quarantine of the models folder until it is whole and its header was checked; only then does it get its name. Rules: N51-N53 of the
remote specification, D121, D162.
"""
