"""Fictitious people of the embedded world: identities, faces, facts and wordings."""
